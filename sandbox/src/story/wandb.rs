//! Training runs at W&B: those that end well, those that do not, and those that nobody ever closed.

mod machines;

use super::{Dice, Span};
use crate::model::Seed;
use crate::model::wandb::{BEAT, Fact, Project, Run};
use jiff::{SignedDuration, Timestamp};
use machines::machines;

/// Runs a week at the reference size.
const A_WEEK: f64 = 1000.0;

/// How long before the epoch runs are told as often as they happen; of what is older, the server's count alone speaks.
const DENSE: SignedDuration = SignedDuration::from_hours(12 * 24);

/// How many older runs there are at most, which is enough for every list to be long.
const OLD: u64 = 20_000;

/// What a run is for, by weight.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Purpose {
    Remote,
    Sweep,
    Stable,
    Local,
    Other,
}

const PURPOSES: [(u32, Purpose); 5] =
    [(40, Purpose::Remote), (25, Purpose::Sweep), (10, Purpose::Stable), (10, Purpose::Local), (15, Purpose::Other)];

/// How a run goes, by weight.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Finished,
    Failed,
    Crashed,
    Killed,
    Preempted,
    Resumed,
    Forgotten,
    Pending,
    Stillborn,
    Skewed,
}

const FATES: [(u32, Fate); 10] = [
    (600, Fate::Finished),
    (110, Fate::Failed),
    (90, Fate::Crashed),
    (60, Fate::Killed),
    (40, Fate::Preempted),
    (40, Fate::Resumed),
    // The server itself closes a run whose heartbeat stopped; hardly any escapes it.
    (2, Fate::Forgotten),
    (15, Fate::Pending),
    (10, Fate::Stillborn),
    (5, Fate::Skewed),
];

/// What is the same for all runs of a project.
#[derive(Debug, Clone, Copy)]
struct Habits {
    people: usize,
    /// How many of the finished runs know their accuracy.
    accuracy: f64,
    /// Whether every run is watched by the GPU.
    watched: bool,
    bare_keys: bool,
}

pub(super) fn grow(span: Span, seed: Seed, people: usize) -> Vec<Project> {
    // Chance of its own, so that the other upstreams tell the same story with and without this one.
    let mut dice = Dice::new(seed.number.wrapping_mul(7_368_787) ^ u64::from(seed.size) ^ 0x77_61_6e_64_62);
    let mut projects = Vec::new();
    for (number, name) in ["arena", "side-project", "fresh"].into_iter().enumerate() {
        let habits = Habits {
            people,
            accuracy: if seed.size == 0 { 0.35 } else { 0.05 },
            watched: dice.chance(0.6),
            bare_keys: dice.chance(0.2),
        };
        let factor = if number == 0 { span.factor } else { (span.factor / 4.0).min(0.25) };
        let mut project = empty(span, "acme", name);
        project.public = number == 1;
        if number < 2 {
            project.runs = runs(&mut dice, Span { factor, ..span }, habits);
        }
        projects.push(project);
    }
    let mut secret = Project { visible: false, ..empty(span, "rival", "secret") };
    secret.runs = runs(
        &mut dice,
        Span { factor: 0.01, ..span },
        Habits { people, accuracy: 0.5, watched: true, bare_keys: false },
    );
    projects.push(secret);
    projects
}

fn empty(span: Span, entity: &str, name: &str) -> Project {
    Project {
        entity: entity.to_owned(),
        name: name.to_owned(),
        created_at: span.start - SignedDuration::from_hours(24),
        visible: true,
        public: false,
        runs: Vec::new(),
    }
}

fn runs(dice: &mut Dice, span: Span, habits: Habits) -> Vec<Run> {
    let recent = Span { start: span.epoch - DENSE, ..span };
    let old = Span { end: recent.start, ..span };
    let mut times: Vec<Timestamp> = Vec::new();
    for (span, most) in [(old, OLD), (recent, u64::MAX)] {
        times.extend((0..span.times(A_WEEK).min(most)).map(|_| {
            let at = span.whenever(dice);
            dice.snap(at)
        }));
    }
    times.sort();
    let mut runs: Vec<Run> = times.into_iter().map(|at| run(dice, habits, at)).collect();
    for (number, run) in runs.iter_mut().enumerate() {
        let tail = dice.below(1_679_616);
        run.name = format!("{}{}", letters(i64::try_from(number).unwrap_or(0) + 100_000), letters(tail));
    }
    runs
}

/// A number in the digits and letters that W&B makes ids of.
fn letters(mut number: i64) -> String {
    let mut text = String::new();
    for _ in 0..4 {
        text.push(u32::try_from(number % 36).ok().and_then(|digit| char::from_digit(digit, 36)).unwrap_or('0'));
        number /= 36;
    }
    text
}

fn run(dice: &mut Dice, habits: Habits, at: Timestamp) -> Run {
    let purpose = *dice.weighted(&PURPOSES);
    let fate = *dice.weighted(&FATES);
    let (states, beats) = life(dice, fate, at);
    let beaten = beats.last().map_or(SignedDuration::ZERO, |(first, last)| last.duration_since(*first));
    let watched = beaten >= SignedDuration::from_mins(2) && (habits.watched || dice.chance(0.8));
    let ended_well = states.last().is_some_and(|(_, word)| *word == "finished");
    Run {
        name: String::new(),
        display_name: display_name(dice, purpose),
        sweep: (purpose == Purpose::Sweep && dice.chance(0.8)).then(|| letters(dice.below(1_679_616))),
        user: dice.count(0, habits.people - 1),
        created_at: at,
        watched_from: beats.first().map_or(at, |(first, _)| *first + BEAT * 2),
        summary: summary(dice, habits, purpose, ended_well),
        wrapped: dice.chance(0.1),
        machines: watched.then(|| machines(dice, purpose)),
        bare_keys: habits.bare_keys,
        nodes: dice.chance(0.5).then(|| u32::try_from(dice.between(1, 4)).unwrap_or(1)),
        states,
        beats,
    }
}

/// Names as people give them: some mislead whoever looks at their middle or at their spelling.
fn display_name(dice: &mut Dice, purpose: Purpose) -> Option<String> {
    let (who, what, number) = (dice.word(), dice.word(), dice.below(1000));
    let name = match purpose {
        Purpose::Remote => {
            let twist = *dice.weighted(&[(8, ""), (1, ".sweep"), (1, ".stable"), (1, ".local")]);
            format!("github.sky.main.{who}{twist}.{number}")
        }
        Purpose::Sweep => match dice.below(3) {
            0 => format!("{who}.nightly_sweep.{number}"),
            1 => format!("{what}-sweep-stable-{number}"),
            _ => format!("{who}.{what}.{number}"),
        },
        Purpose::Stable => {
            let twist = *dice.weighted(&[(6, ""), (1, ".local")]);
            format!("stable.{what}{twist}.{number}")
        }
        Purpose::Local => format!("local.{who}.{what}.{number}"),
        Purpose::Other => match dice.below(6) {
            0 => return None,
            1 => format!("again.github.sky.{who}.{number}"),
            2 => format!("Stable.{who}.{what}.{number}"),
            _ => format!("{who}.{what}.try.{number}"),
        },
    };
    Some(name)
}

type Life = (Vec<(Timestamp, &'static str)>, Vec<(Timestamp, Timestamp)>);

fn life(dice: &mut Dice, fate: Fate, at: Timestamp) -> Life {
    // A few train for longer than the window, and a few are over before they begin.
    let length = match dice.below(20) {
        0 => SignedDuration::from_hours(dice.between(150, 260)),
        1 => SignedDuration::from_secs(dice.below(40)),
        _ => SignedDuration::from_mins(3) + dice.about(SignedDuration::from_hours(2)),
    };
    let end = dice.snap(at + length).max(at);
    let running = |more: &[(Timestamp, &'static str)]| {
        let mut states = vec![(at, "running")];
        states.extend(more);
        states
    };
    match fate {
        Fate::Finished => (running(&[(end, "finished")]), vec![(at, end)]),
        Fate::Failed => (running(&[(end, "failed")]), vec![(at, end)]),
        Fate::Killed => (running(&[(end, "killed")]), vec![(at, end)]),
        Fate::Crashed => {
            // The server notices a while after the last beat, and hardly ever somebody does after hours.
            let pause = if dice.chance(0.02) { SignedDuration::from_hours(dice.between(1, 40)) } else { BEAT * 10 };
            (running(&[(end + pause, "crashed")]), vec![(at, end)])
        }
        Fate::Preempted => {
            let notice = (end - SignedDuration::from_secs(dice.between(10, 200))).max(at);
            (running(&[(notice, "preempting"), (end, "preempted")]), vec![(at, end)])
        }
        Fate::Resumed => {
            let again = end + SignedDuration::from_mins(1) + dice.about(SignedDuration::from_hours(5));
            let over = again + SignedDuration::from_mins(2) + dice.about(SignedDuration::from_hours(2));
            let over = dice.snap(over).max(again);
            let first = *dice.pick(&["failed", "crashed", "preempted", "killed", "finished"]);
            let mut states = running(&[(end, first)]);
            if dice.chance(0.4) {
                states.push((again - SignedDuration::from_secs(30), "pending"));
            }
            states.extend([(again, "running"), (over, *dice.pick(&["finished", "failed"]))]);
            (states, vec![(at, end), (again, over)])
        }
        Fate::Forgotten => (running(&[]), vec![(at, end)]),
        Fate::Pending => {
            let mut states = vec![(at, "pending")];
            if dice.chance(0.5) {
                return (states, Vec::new());
            }
            let start = at + SignedDuration::from_mins(dice.between(1, 60));
            let end = end.max(start);
            states.extend([(start, "running"), (end, "finished")]);
            (states, vec![(start, end)])
        }
        Fate::Stillborn => (running(&[(end, *dice.pick(&["failed", "crashed", "killed"]))]), Vec::new()),
        Fate::Skewed => {
            let before = at - SignedDuration::from_secs(dice.between(1, 4000));
            (vec![(at, "finished")], vec![(before - BEAT * 20, before)])
        }
    }
}

fn summary(dice: &mut Dice, habits: Habits, purpose: Purpose, ended_well: bool) -> Vec<(String, Fact)> {
    let mut summary = vec![
        ("_step".to_owned(), Fact::Number(whole(dice.below(1_000_000)))),
        ("note".to_owned(), Fact::Text("a \"quoted\" NaN, Infinity".to_owned())),
    ];
    let mut put = |key: &str, fact: Fact| summary.push((key.to_owned(), fact));
    if dice.chance(if ended_well { habits.accuracy } else { habits.accuracy / 2.0 }) {
        let value = (dice.part() * 10_000.0).round() / 10_000.0;
        put("accuracy", odd(dice, value, 0.04));
    }
    if dice.chance(0.7) {
        let value = 0.01 + dice.part() * 2.5;
        put("loss", odd(dice, value, 0.1));
    }
    if dice.chance(0.6) {
        let value = 1000.0 * dice.part() * 60.0;
        put("overview/sps", odd(dice, value, 0.03));
    }
    if dice.chance(0.3) {
        let value = dice.part() * 3.0;
        if dice.chance(0.5) {
            put("env_agent/heart.gained", odd(dice, value, 0.05));
            put("env_agent/heart.amount", Fact::Number(value * 2.0));
        } else {
            let inner =
                vec![("gained".to_owned(), Fact::Number(value)), ("amount".to_owned(), Fact::Number(value / 2.0))];
            put("env_agent/heart", Fact::Nested(inner));
        }
    }
    if purpose == Purpose::Remote && dice.chance(0.2) {
        put("skypilot/queue_latency_s", Fact::Number(whole(dice.below(900))));
    }
    summary
}

#[expect(clippy::cast_precision_loss, reason = "small whole numbers")]
const fn whole(number: i64) -> f64 {
    number as f64
}

/// A number, or now and then what Python leaves in its place.
fn odd(dice: &mut Dice, value: f64, chance: f64) -> Fact {
    if !dice.chance(chance) {
        return Fact::Number(value);
    }
    match dice.below(5) {
        0 => Fact::Word("NaN"),
        1 => Fact::Word("Infinity"),
        2 => Fact::Word("-Infinity"),
        3 => Fact::Text("NaN".to_owned()),
        _ => Fact::Nested(vec![("max".to_owned(), Fact::Number(value))]),
    }
}

#[cfg(test)]
mod tests {
    use super::super::grow;
    use super::*;
    use crate::model::wandb::Machine;
    use std::collections::BTreeSet;

    fn seed(number: u64, size: u32) -> Seed {
        Seed { number, size, epoch: Timestamp::from_second(1_767_873_600).unwrap() }
    }

    #[test]
    fn every_inconvenience_happens() {
        let runs: Vec<Run> =
            (0..5).flat_map(|number| grow(seed(number, 0)).projects).flat_map(|project| project.runs).collect();
        let last =
            |word: &str| runs.iter().filter(|run| run.states.last().is_some_and(|state| state.1 == word)).count();
        let machines = |fits: &dyn Fn(&[Machine]) -> bool| {
            runs.iter().filter(|run| run.machines.as_deref().is_some_and(fits)).count()
        };
        let on_grid = runs.iter().filter(|run| run.beats.last().is_some_and(|beat| beat.1.as_second() % 900 == 0));
        let found = [
            ("pending for ever", last("pending")),
            ("never closed", last("running")),
            ("preempted", last("preempted")),
            ("resumed", runs.iter().filter(|run| run.beats.len() > 1).count()),
            ("without a beat", runs.iter().filter(|run| run.beats.is_empty()).count()),
            (
                "beating before its time",
                runs.iter().filter(|run| run.beats.iter().any(|beat| beat.0 < run.created_at)).count(),
            ),
            ("ended on the grid", on_grid.count()),
            ("without a name", runs.iter().filter(|run| run.display_name.is_none()).count()),
            ("unwatched", runs.iter().filter(|run| run.machines.is_none()).count()),
            ("one card of a shared box", machines(&|all| all[0].used.as_ref().is_some_and(|used| used.len() == 1))),
            ("in a container", machines(&|all| all[0].cards.len() > 1 && all[0].used.is_none())),
            ("on labelled nodes", machines(&|all| all.len() > 1 && all.iter().all(|one| one.label.is_some()))),
            ("without a GPU", machines(&|all| all[0].cards.is_empty())),
            ("on a laptop", machines(&|all| all[0].cards.len() == 1 && all[0].used.is_none())),
            (
                "not a number",
                runs.iter().filter(|run| run.summary.iter().any(|(_, fact)| matches!(fact, Fact::Word(_)))).count(),
            ),
            (
                "nested",
                runs.iter().filter(|run| run.summary.iter().any(|(_, fact)| matches!(fact, Fact::Nested(_)))).count(),
            ),
        ];
        for (what, number) in found {
            assert!(number > 0, "{what} never happens");
        }
        let names: BTreeSet<&str> =
            grow(seed(1, 0)).projects[0].runs.iter().map(|run| &*run.name.clone().leak()).collect();
        assert_eq!(names.len(), grow(seed(1, 0)).projects[0].runs.len(), "an id names one run");
    }

    #[test]
    fn a_reference_week_has_about_a_thousand_runs() {
        let organisation = grow(seed(1, 1));
        let week = organisation.seed.epoch - SignedDuration::from_hours(7 * 24)..organisation.seed.epoch;
        let number = organisation.projects[0].runs.iter().filter(|run| week.contains(&run.created_at)).count();
        assert!((900..1100).contains(&number), "{number}");
    }
}
