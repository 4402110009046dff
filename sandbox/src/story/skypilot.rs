//! Managed jobs and clusters on two API servers, a new one and an old one.

use super::{Dice, Span};
use crate::model::skypilot::{Cluster, Controller, Job, Pool, Release, Server, Shape, Task};
use crate::model::{Person, Seed};
use jiff::{SignedDuration, Timestamp};

/// Names of accelerators with their numbers on a node, by how often they are asked for.
const ACCELERATORS: [(u32, (&str, f64)); 12] = [
    (6, ("A100", 8.0)),
    (4, ("A100-80GB", 8.0)),
    (5, ("H100", 8.0)),
    (2, ("H100-SXM", 8.0)),
    (1, ("h100-80gb", 4.0)),
    (4, ("L4", 1.0)),
    (3, ("L40S", 4.0)),
    (3, ("A10G", 1.0)),
    (1, ("nvidia-a10g", 2.0)),
    (1, ("Tesla-T4", 1.0)),
    (1, ("L4", 0.5)),
    (1, ("NVIDIA-H100-NVLink", 2.0)),
];

const PLACES: [(u32, (&str, &str)); 6] = [
    (6, ("AWS", "us-east-1")),
    (4, ("AWS", "us-west-2")),
    (1, ("AWS", "us-west-20")),
    (2, ("GCP", "us-central1")),
    (1, ("Kubernetes", "gke_acme_eu_one")),
    (1, ("AWS", "eu-west-1")),
];

const POOLS: [Pool; 2] = [
    Pool { name: "trainers", accelerators: ("H100", 8.0), spot: false },
    Pool { name: "scorers", accelerators: ("L4", 4.0), spot: true },
];

/// How a task ends: the words in which it never does are those it is left in for ever.
const ENDS: [(u32, &str); 9] = [
    (560, "SUCCEEDED"),
    (150, "FAILED"),
    (50, "FAILED_SETUP"),
    (25, "FAILED_PRECHECKS"),
    (30, "FAILED_NO_RESOURCE"),
    (25, "FAILED_CONTROLLER"),
    (100, "CANCELLED"),
    (12, "RUNNING"),
    (6, "STARTING"),
];

/// The servers of an organisation, by a chance of their own.
pub(super) fn grow(seed: Seed, span: Span, people: &[Person]) -> Vec<Server> {
    let mut dice = Dice::new(seed.number.wrapping_mul(0x5159_0001) ^ u64::from(seed.size) ^ 0x5C1F);
    // Jobs are few beside runs of workflows: the smallest organisation has more than a tenth of them.
    let span = if seed.size == 0 { Span { factor: 0.3, ..span } } else { span };
    let finished_long_ago = if seed.size == 0 { 20 } else { 20_000 };
    let release = if seed.number % 5 == 2 { Release::Middle } else { Release::New };
    let prod = Server {
        alias: "prod",
        release,
        controller: Controller::Up,
        remote: seed.number.is_multiple_of(3),
        jobs: jobs(&mut dice, span, people, (240.0, finished_long_ago), release),
        clusters: clusters(&mut dice, span, people, 14.0),
    };
    let lab = Span { factor: span.factor.min(1.0), ..span };
    let controller = *dice.weighted(&[(8, Controller::Up), (1, Controller::Absent)]);
    let lab_jobs =
        if controller == Controller::Up { jobs(&mut dice, lab, people, (80.0, 10), Release::Old) } else { Vec::new() };
    let lab = Server {
        alias: "lab",
        release: Release::Old,
        controller,
        remote: false,
        jobs: lab_jobs,
        clusters: clusters(&mut dice, lab, people, 4.0),
    };
    vec![prod, lab]
}

fn jobs(dice: &mut Dice, span: Span, people: &[Person], (a_week, long_ago): (f64, i64), release: Release) -> Vec<Job> {
    let mut made: Vec<Timestamp> = (0..span.times(a_week)).map(|_| span.whenever(dice)).collect();
    // Some at the very edges of what is asked for and of the windows.
    for days in [7, 21] {
        made.push(span.epoch - SignedDuration::from_hours(24 * days));
        made.push(span.epoch - SignedDuration::from_hours(24 * days) - SignedDuration::from_secs(1));
    }
    made.extend((0..long_ago).map(|hours| span.start - SignedDuration::from_hours(hours / 24 + 24)));
    made.sort();
    let mut jobs = Vec::with_capacity(made.len());
    for (id, made) in (1..).zip(made) {
        let mut job = Job { id, ..job(dice, (span, release), people, made) };
        // A word that nobody has heard of yet, now and then, at the end of a task that would still run.
        if release == Release::Old
            && dice.chance(0.02)
            && let Some(task) = job.tasks.last_mut()
            && let Some((at, "RUNNING")) = task.turns.last().copied()
        {
            task.turns.push((at + SignedDuration::from_mins(9), "HIBERNATING"));
        }
        jobs.push(job);
    }
    jobs
}

fn job(dice: &mut Dice, (span, release): (Span, Release), people: &[Person], made: Timestamp) -> Job {
    let name = format!("train-{}-{}", dice.word(), dice.below(1000));
    let tasks = *dice.weighted(&[(16, 1_usize), (2, 2), (1, 3), (1, 5)]);
    let made = if dice.chance(0.3) { made + SignedDuration::from_millis(250) } else { dice.snap(made) };
    let mut job = Job {
        id: 0,
        name: name.clone(),
        user: dice.chance(0.93).then(|| dice.count(0, people.len() - 1)),
        workspace: if dice.chance(0.5) { "default" } else { "research" },
        parallel: tasks > 1 && dice.chance(0.5) && release == Release::New,
        pool: (tasks == 1 && release != Release::Old && dice.chance(0.15)).then(|| *dice.pick(&POOLS)),
        tasks: Vec::new(),
    };
    let long_ago = made < span.start;
    // A job has one place: where it was launched last.
    let place = dice.chance(0.92).then(|| *dice.weighted(&PLACES));
    for number in 0..tasks {
        let mut task = shaped(dice, if tasks == 1 { name.clone() } else { format!("{name}-{number}") });
        task.place = place;
        task.turns.push((made, "PENDING"));
        task.primary = number == 0 || dice.chance(0.6);
        if let Some(pool) = job.pool {
            share(dice, &mut task, pool);
        }
        job.tasks.push(task);
    }
    if dice.chance(0.06) {
        // Nothing was begun, and nobody writes down when it was given up.
        let at = made + SignedDuration::from_secs(1) + dice.about(SignedDuration::from_hours(6));
        for task in &mut job.tasks {
            task.turns.push((dice.snap(at).max(made + SignedDuration::from_secs(1)), "CANCELLED"));
            task.endless = true;
        }
    } else if job.parallel {
        job.tasks.iter_mut().for_each(|task| live(dice, task, made, long_ago));
        end_together(&mut job.tasks);
    } else {
        one_after_another(dice, &mut job.tasks, made, long_ago);
    }
    job
}

/// A task on a worker, which it may share with others; one that only tells others what to do asks for nothing.
fn share(dice: &mut Dice, task: &mut Task, pool: Pool) {
    let (name, number) = pool.accelerators;
    (task.spot, task.either, task.nodes) = (pool.spot, false, Some(1));
    (task.shape, task.accelerators) = if dice.chance(0.1) {
        (Shape::Nothing, None)
    } else {
        (Shape::Object, Some((name, *dice.weighted(&[(6, 1.0), (1, 0.5), (1, number)]))))
    };
}

/// Tasks that begin when the one before them succeeded.
fn one_after_another(dice: &mut Dice, tasks: &mut [Task], made: Timestamp, long_ago: bool) {
    let (mut ready, mut stopped) = (Some(made), None);
    for task in tasks {
        match (ready, stopped) {
            (_, Some(at)) => task.turns.push((at, "CANCELLED")),
            (Some(begins), None) => live(dice, task, begins, long_ago),
            (None, None) => {}
        }
        let (at, word) = task.turns[task.turns.len() - 1];
        ready = (word == "SUCCEEDED").then_some(at);
        stopped = stopped.or_else(|| (is_terminal(word) && word != "SUCCEEDED").then_some(at));
    }
}

/// When all primary tasks of a group are over, the others are.
fn end_together(tasks: &mut [Task]) {
    let last = |task: &Task| task.turns[task.turns.len() - 1];
    let primary = || tasks.iter().filter(|task| task.primary).map(last);
    if !primary().all(|(_, word)| is_terminal(word)) {
        return;
    }
    let Some(over) = primary().map(|(at, _)| at).max() else { return };
    for task in tasks.iter_mut().filter(|task| !task.primary) {
        task.turns.retain(|(at, _)| *at < over);
        if !is_terminal(last(task).1) {
            task.turns.push((over + SignedDuration::from_secs(1), "CANCELLING"));
            task.turns.push((over + SignedDuration::from_mins(4), "CANCELLED"));
        }
    }
}

fn shaped(dice: &mut Dice, name: String) -> Task {
    let accelerators = dice.chance(0.85).then(|| *dice.weighted(&ACCELERATORS));
    Task {
        name,
        nodes: *dice.weighted(&[(10, Some(1)), (4, Some(2)), (2, Some(4)), (1, Some(16)), (1, None)]),
        accelerators,
        shape: *dice.weighted(&[
            (60, Shape::Object),
            (20, Shape::Text),
            (20, Shape::ResourcesAlone),
            (2, Shape::Unreadable),
            (2, Shape::Nothing),
        ]),
        spot: dice.chance(0.4),
        either: dice.chance(0.1),
        primary: true,
        place: None,
        turns: Vec::new(),
        forgetful: dice.chance(0.08),
        endless: false,
    }
}

/// Whether a status is one that a job stays in.
pub(super) fn is_terminal(word: &str) -> bool {
    word.starts_with("FAILED") || word == "SUCCEEDED" || word == "CANCELLED"
}

/// Lets a task live from the time it may begin.
fn live(dice: &mut Dice, task: &mut Task, begins: Timestamp, long_ago: bool) {
    let mut end = *dice.weighted(&ENDS);
    // Nothing of what was launched long ago is left.
    if long_ago && !is_terminal(end) {
        end = "SUCCEEDED";
    }
    let minutes = |dice: &mut Dice, mean| SignedDuration::from_secs(1) + dice.about(SignedDuration::from_mins(mean));
    if end == "FAILED_CONTROLLER" && dice.chance(0.5) {
        // It never got as far as being submitted.
        let at = begins + minutes(dice, 5);
        task.turns.push((dice.snap(at).max(begins + SignedDuration::from_secs(1)), end));
        return;
    }
    let queue = if dice.chance(0.2) { 300 } else { 3 };
    let mut at = begins + minutes(dice, queue);
    if dice.chance(0.05) {
        task.turns.push((at, "SUBMITTED"));
        at += SignedDuration::from_secs(2);
    }
    task.turns.push((at, "STARTING"));
    if end == "STARTING" {
        return;
    }
    let provision = if dice.chance(0.2) { 200 } else { 8 };
    at += minutes(dice, provision);
    if matches!(end, "FAILED_PRECHECKS" | "FAILED_NO_RESOURCE") {
        let last = task.turns[task.turns.len() - 1].0;
        task.turns.push((dice.snap(at).max(last + SignedDuration::from_secs(1)), end));
        return;
    }
    at = dice.snap(at).max(task.turns[task.turns.len() - 1].0 + SignedDuration::from_secs(1));
    task.turns.push((at, "RUNNING"));
    while task.spot && dice.chance(0.45) && task.turns.len() < 30 {
        at += minutes(dice, 200);
        task.turns.push((at, "RECOVERING"));
        at += minutes(dice, 20);
        task.turns.push((at, "RUNNING"));
    }
    let hours = *dice.weighted(&[(6, 1), (5, 5), (3, 24), (1, 90)]);
    at += minutes(dice, hours * 60);
    match end {
        "RUNNING" => return,
        "CANCELLED" => {
            task.turns.push((at, "CANCELLING"));
            at += minutes(dice, 12);
        }
        "SUCCEEDED" if dice.chance(0.1) => {
            task.turns.push((at, "WINDING_DOWN"));
            at += minutes(dice, 10);
        }
        _ => {}
    }
    let last = task.turns[task.turns.len() - 1].0;
    task.turns.push((dice.snap(at).max(last + SignedDuration::from_secs(1)), end));
}

fn clusters(dice: &mut Dice, span: Span, people: &[Person], a_week: f64) -> Vec<Cluster> {
    let mut clusters: Vec<Cluster> = (0..span.times(a_week))
        .map(|number| {
            let name = match dice.below(10) {
                0 => format!("sky-jobs-controller-{number:08x}"),
                1 => format!("sky-serve-controller-{number:08x}"),
                _ => format!("{}-dev-{number}", dice.word()),
            };
            let made = span.whenever(dice);
            let mut turns = vec![(made, "INIT"), (made + SignedDuration::from_mins(4), "UP")];
            let mut at = turns[1].0 + dice.about(SignedDuration::from_hours(30));
            if dice.chance(0.3) {
                turns.push((at, if dice.chance(0.3) { "AUTOSTOPPING" } else { "STOPPED" }));
                at += dice.about(SignedDuration::from_hours(20));
            }
            Cluster {
                name,
                user: dice.count(0, people.len() - 1),
                managed: dice.chance(0.15),
                turns,
                removed_at: dice.chance(0.7).then_some(at + SignedDuration::from_secs(1)),
            }
        })
        .collect();
    clusters.sort_by(|a, b| a.name.cmp(&b.name));
    clusters
}
