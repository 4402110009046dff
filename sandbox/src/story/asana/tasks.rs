//! Tasks and their lives.

use super::Teller;
use crate::model::asana::{Due, FieldKind, FieldValue, Membership, Project, Task, Workspace};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, tz};

/// Open work from before the story, at the reference size.
const BACKLOG: f64 = 2000.0;
/// What was done long before the story, at the reference size.
const DONE: f64 = 400.0;
/// Kinds of tasks, the usual one first.
const SUBTYPES: [&str; 8] = [USUAL, USUAL, USUAL, USUAL, USUAL, USUAL, "milestone", "approval"];
const USUAL: &str = "default_task";
/// New work a week.
const A_WEEK: f64 = 135.0;

/// What kind of a life a task is to have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Life {
    Backlog,
    Done,
    Flow,
}

pub(super) fn grow(teller: &mut Teller, workspace: &mut Workspace) {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small positive number")]
    let times = |often: f64, factor: f64| (often * factor).round() as u64;
    let factor = teller.span.factor;
    let lives = [
        (Life::Backlog, times(BACKLOG, factor)),
        (Life::Done, times(DONE, factor)),
        (Life::Flow, teller.span.times(A_WEEK)),
    ];
    for (life, number) in lives {
        for _ in 0..number {
            let task = task(teller, workspace, life);
            workspace.tasks.push(task);
        }
    }
    workspace.tasks.sort_by_key(|task| task.created_at);
    parts(teller, workspace);
}

fn task(teller: &mut Teller, workspace: &Workspace, life: Life) -> Task {
    let created_at = match life {
        Life::Backlog => teller.ago(250),
        Life::Done => teller.ago(300),
        Life::Flow => teller.whenever(),
    };
    let mut task = Task {
        gid: teller.gid(),
        name: teller.title(),
        notes: if teller.dice.chance(0.5) { teller.title() } else { String::new() },
        subtype: teller.dice.pick::<&str>(&SUBTYPES),
        parent: None,
        created_at,
        deleted_at: None,
        completed: completed(teller, created_at, life),
        assignee: assignees(teller, workspace, created_at),
        due: dues(teller, created_at),
        memberships: memberships(teller, workspace, created_at),
        tags: Vec::new(),
        fields: Vec::new(),
        touches: Vec::new(),
    };
    if teller.dice.chance(0.015) {
        task.deleted_at = Some(created_at.max(teller.span.start) + teller.dice.about(SignedDuration::from_hours(500)));
    }
    if teller.dice.chance(0.3) {
        let later = teller.whenever();
        task.touches.extend((later > created_at).then_some(later));
    }
    describe(teller, workspace, &mut task);
    task
}

fn completed(teller: &mut Teller, created_at: Timestamp, life: Life) -> Vec<(Timestamp, bool)> {
    let mut history = vec![(created_at, false)];
    let done = match life {
        Life::Backlog => teller.dice.chance(0.12).then(|| teller.whenever()),
        Life::Done => {
            let left = teller.span.start.duration_since(created_at).as_secs();
            Some(created_at + SignedDuration::from_secs(teller.dice.below(left)))
        }
        Life::Flow => teller.dice.chance(0.6).then(|| {
            let later = created_at + teller.dice.about(SignedDuration::from_hours(110)) + SignedDuration::from_secs(1);
            // Some are opened and closed by a machine in one instant.
            if teller.dice.chance(0.03) { created_at } else { teller.dice.snap(later) }
        }),
    };
    // Whoever looks at an instant sees whole days before it: some things happen whole days before the epoch.
    let days = SignedDuration::from_hours(24 * *teller.dice.pick(&[0, 1, 7, 30]));
    let edge = teller.span.epoch - days - SignedDuration::from_secs(teller.dice.below(2));
    let edge = (life != Life::Done && teller.dice.chance(0.04)).then_some(edge);
    let Some(done) = edge.or(done).map(|done| done.max(created_at)) else { return history };
    history.push((done, true));
    if teller.dice.chance(0.06) {
        let again = done + teller.dice.about(SignedDuration::from_hours(60)) + SignedDuration::from_secs(1);
        history.push((again, false));
        if teller.dice.chance(0.5) {
            history
                .push((again + teller.dice.about(SignedDuration::from_hours(60)) + SignedDuration::from_secs(1), true));
        }
    }
    history
}

fn assignees(teller: &mut Teller, workspace: &Workspace, created_at: Timestamp) -> Vec<(Timestamp, Option<usize>)> {
    let people = workspace.users.len();
    let mut history = vec![(created_at, teller.dice.chance(0.7).then(|| teller.dice.count(0, people - 1)))];
    if teller.dice.chance(0.25) {
        let (later, whom) = (teller.whenever(), teller.dice.chance(0.7).then(|| teller.dice.count(0, people - 1)));
        history.extend((later > created_at).then_some((later, whom)));
    }
    history
}

fn dues(teller: &mut Teller, created_at: Timestamp) -> Vec<(Timestamp, Due)> {
    let mut history = vec![(created_at, due(teller))];
    if teller.dice.chance(0.15) {
        let (later, moved) = (teller.whenever(), due(teller));
        history.extend((later > created_at).then_some((later, moved)));
    }
    history
}

/// Half of all due dates lie about the epoch, and many instants lie about midnight, wherever that is.
fn due(teller: &mut Teller) -> Due {
    let epoch = teller.span.epoch;
    let about = SignedDuration::from_hours(24 * teller.dice.between(-9, 9));
    let day = |time: Timestamp| -> Date { time.to_zoned(tz::TimeZone::UTC).date() };
    let time = match teller.dice.below(3) {
        0 => return Due::Never,
        1 => epoch + about,
        _ => teller.whenever() + SignedDuration::from_hours(24 * 6),
    };
    if teller.dice.chance(0.6) {
        return Due::On(day(time));
    }
    let hours = *teller.dice.pick(&[0, 0, 5, 8, 12, 22]);
    let past = time.as_second().rem_euclid(86_400);
    let midnight = time - SignedDuration::from_secs(past) - SignedDuration::from_nanos(time.subsec_nanosecond().into());
    let seconds = *teller.dice.pick(&[-1, 0, 0, 1, 1800]);
    let at = match teller.dice.below(4) {
        0 => epoch + about + SignedDuration::from_secs(seconds),
        _ => midnight + SignedDuration::from_secs(hours * 3600 + seconds),
    };
    // Whoever set it may live half a day away.
    let zone = SignedDuration::from_hours(*teller.dice.pick(&[0, 0, -8, 9, 13]));
    Due::At(at, day(at + zone))
}

fn alive(project: &Project, at: Timestamp) -> bool {
    project.created_at <= at && project.deleted_at.is_none_or(|gone| at < gone)
}

/// A place in some project that is there at this time; one in six is the project of bugs.
fn place(teller: &mut Teller, workspace: &Workspace, at: Timestamp) -> Option<Membership> {
    let last = workspace.projects.len() - 1;
    let bugs = workspace.bugs.filter(|_| teller.dice.chance(0.16));
    let project = bugs.unwrap_or_else(|| teller.dice.count(0, last));
    alive(&workspace.projects[project], at).then(|| {
        let sections = workspace.projects[project].sections.len();
        Membership { project, section: teller.dice.count(0, sections - 1) }
    })
}

fn memberships(teller: &mut Teller, workspace: &Workspace, created_at: Timestamp) -> Vec<(Timestamp, Vec<Membership>)> {
    let mut places: Vec<Membership> = Vec::new();
    // Some tasks are in no project, where nobody can list them; some are in several.
    for _ in 0..*teller.dice.weighted(&[(1, 0), (24, 1), (4, 2), (1, 3)]) {
        if let Some(place) = place(teller, workspace, created_at)
            && places.iter().all(|other| other.project != place.project)
        {
            places.push(place);
        }
    }
    let mut history = vec![(created_at, places.clone())];
    if teller.dice.chance(0.12) {
        let later = teller.whenever();
        match teller.dice.below(4) {
            // Moved within a project, out of one, into another, or out of all of them.
            0 => {
                if let Some(first) = places.first_mut() {
                    first.section = teller.dice.count(0, workspace.projects[first.project].sections.len() - 1);
                }
            }
            1 => places.truncate(1),
            2 => places = place(teller, workspace, later).into_iter().chain(places.into_iter().skip(1)).collect(),
            _ => places.clear(),
        }
        let mut seen = Vec::new();
        places.retain(|place| {
            !seen.contains(&place.project) && {
                seen.push(place.project);
                true
            }
        });
        history.extend((later > created_at).then_some((later, places)));
    }
    history
}

/// Tags and fields: labels as people set them.
fn describe(teller: &mut Teller, workspace: &Workspace, task: &mut Task) {
    let in_bugs =
        task.memberships.iter().any(|(_, places)| places.iter().any(|place| Some(place.project) == workspace.bugs));
    let eager = if in_bugs { 0.3 } else { 0.1 };
    let mut tags = Vec::new();
    for tag in 0..workspace.tags.len() {
        if teller.dice.chance(eager / 4.0) {
            tags.push(tag);
        }
    }
    task.tags = vec![(task.created_at, tags)];
    if teller.dice.chance(eager / 2.0) {
        let (later, tag) = (teller.whenever(), teller.dice.count(0, workspace.tags.len() - 1));
        task.tags.extend((later > task.created_at).then(|| (later, vec![tag])));
    }
    let now = task.memberships.first().map(|(_, places)| places.as_slice()).unwrap_or_default();
    let mut fields: Vec<usize> =
        now.iter().flat_map(|place| workspace.projects[place.project].fields.clone()).collect();
    fields.sort_unstable();
    fields.dedup();
    let values = |dice: &mut crate::story::Dice| -> Vec<(usize, FieldValue)> {
        let mut value = |kind: &FieldKind| match kind {
            _ if dice.chance(0.6) => FieldValue::Null,
            FieldKind::Enum(options) => FieldValue::Option(dice.count(0, options.len() - 1)),
            FieldKind::MultiEnum(options) => FieldValue::Options((0..options.len()).collect()),
            FieldKind::Number => FieldValue::Number(f64::from(u32::try_from(dice.below(40)).unwrap_or(0)) / 2.0),
            FieldKind::Text => FieldValue::Text(dice.word()),
        };
        fields.iter().map(|field| (*field, value(&workspace.fields[*field].kind))).collect()
    };
    task.fields = vec![(task.created_at, values(&mut teller.dice))];
    if teller.dice.chance(0.1) {
        let (later, values) = (teller.whenever(), values(&mut teller.dice));
        task.fields.extend((later > task.created_at).then_some((later, values)));
    }
}

/// Some tasks become a part of another: they are in no project then, unless somebody put them in one as well.
fn parts(teller: &mut Teller, workspace: &mut Workspace) {
    for number in 1..workspace.tasks.len() {
        if teller.dice.chance(0.05) {
            let parent = teller.dice.count(0, number - 1);
            let alone = teller.dice.chance(0.75);
            let gone = workspace.tasks[parent].deleted_at;
            let task = &mut workspace.tasks[number];
            task.parent = Some(parent);
            // A whole that is deleted takes its parts along.
            task.deleted_at = task.deleted_at.into_iter().chain(gone).min();
            if alone {
                task.memberships = vec![(task.created_at, Vec::new())];
            }
        }
    }
}
