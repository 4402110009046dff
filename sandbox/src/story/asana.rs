//! Workspaces on Asana: projects that come and go, and tasks that wander between them.

mod tasks;

use super::{Dice, Span, capital};
use crate::model::Seed;
use crate::model::asana::{Field, FieldKind, Project, Section, Status, Tag, User, Workspace};
use jiff::{SignedDuration, Timestamp};

/// How many projects are active at the epoch of the reference.
const ACTIVE: f64 = 118.0;

/// Sections as people name them; a definition that looks for words in them must bear all of these.
const SECTIONS: [&[&str]; 4] = [
    &["To do", "Doing", "Done"],
    &["Untitled section"],
    &["Triage", "Active", "Backlog"],
    &["Backlog (triage later)", "In review"],
];

/// Those of the project of bugs: no two ways of counting them agree by chance.
const BUG_SECTIONS: [&str; 8] = [
    "Untitled section",
    "Triage & review",
    "ACTIVE now",
    "Icebox",
    "backlog 2026",
    "Backlog (triage later)",
    "Reactivated",
    "Waiting",
];

/// The option lists of the fields that speak of areas.
const AREAS: [&str; 5] = ["Training", "training ", "Inference", "TRAINING", "Data"];

/// Chance, and identifiers that no two things share.
struct Teller {
    dice: Dice,
    span: Span,
    last: u64,
}

impl Teller {
    /// The next identifier. They grow with time on the whole, and nobody may rely on it.
    fn gid(&mut self) -> String {
        self.last += self.dice.next() % 900 + 1;
        self.last.to_string()
    }

    fn ago(&mut self, days: i64) -> Timestamp {
        self.span.start - SignedDuration::from_secs(self.dice.below(days * 86_400) + 1)
    }

    fn whenever(&mut self) -> Timestamp {
        let time = self.span.whenever(&mut self.dice);
        let time = self.dice.snap(time);
        // Asana tells milliseconds.
        if self.dice.chance(0.3) { time + SignedDuration::from_millis(self.dice.below(1000)) } else { time }
    }

    fn title(&mut self) -> String {
        format!("{} {} {}", capital(&self.dice.word()), self.dice.word(), self.dice.word())
    }
}

/// The workspaces of this seed, from chance of their own: no other upstream's story depends on them.
pub(super) fn grow(seed: Seed, span: Span) -> Vec<Workspace> {
    let dice = Dice::new(seed.number.wrapping_mul(7_368_787) ^ u64::from(seed.size) ^ 0xA5A_4A00);
    let mut teller = Teller { dice, span, last: 1_200_000_000_000_000 };
    let people = if seed.size == 0 { 7 } else { 24 };
    let mut acme = empty(&mut teller, "acme", people);
    furnish(&mut teller, &mut acme);
    acme.projects = projects(&mut teller, people);
    acme.bugs = Some(bugs(&mut teller, &mut acme.projects, people));
    tasks::grow(&mut teller, &mut acme);
    // Somebody's own workspace, with nothing in it.
    let attic = Workspace { is_organization: false, ..empty(&mut teller, "attic", 1) };
    vec![acme, attic]
}

fn empty(teller: &mut Teller, alias: &str, people: usize) -> Workspace {
    let users = (0..people)
        .map(|number| {
            let (first, last) = (teller.dice.word(), teller.dice.word());
            let name = format!("{} {}", capital(&first), capital(&last));
            User { gid: teller.gid(), name, email: format!("{first}.{last}.{number}@{alias}.example.org") }
        })
        .collect();
    let mut workspace = Workspace {
        gid: teller.gid(),
        alias: alias.to_owned(),
        name: format!("{} {}", capital(alias), teller.title()),
        is_organization: true,
        users,
        projects: Vec::new(),
        tags: Vec::new(),
        fields: Vec::new(),
        tasks: Vec::new(),
        bugs: None,
    };
    // Two people of one name: whoever counts names counts one too few.
    if let [first, .., last] = workspace.users.as_mut_slice() {
        last.name.clone_from(&first.name);
    }
    workspace
}

fn furnish(teller: &mut Teller, workspace: &mut Workspace) {
    let tags = ["training", "Training ", "TRAINING", "Retraining", "urgent", "regression"];
    workspace.tags = tags.map(|name| Tag { gid: teller.gid(), name: name.to_owned() }).into();
    let mut options = |names: &[&str]| names.iter().map(|name| (teller.gid(), (*name).to_owned())).collect::<Vec<_>>();
    let kinds = [
        ("Area", FieldKind::Enum(options(&AREAS))),
        ("Severity", FieldKind::Enum(options(&["Low", "High", "training"]))),
        ("Platforms", FieldKind::MultiEnum(options(&["Training", "Web"]))),
        ("Estimate", FieldKind::Number),
        ("Reporter", FieldKind::Text),
    ];
    workspace.fields =
        kinds.into_iter().map(|(name, kind)| Field { gid: teller.gid(), name: name.to_owned(), kind }).collect();
}

fn projects(teller: &mut Teller, people: usize) -> Vec<Project> {
    let span = teller.span;
    let of_each = if span.factor < 1.0 { 1 } else { 3 };
    let mut projects = Vec::new();
    for round in 0..of_each {
        for kind in 0..7 {
            let mut project = project(teller, people);
            // At least one of each kind turns about the epoch, where most look.
            let near = span.epoch + SignedDuration::from_secs(teller.dice.between(-20 * 86_400, 2 * 86_400));
            let (turn, later) = (teller.whenever(), teller.whenever());
            let turn = if round == 0 { teller.dice.snap(near) } else { turn };
            let (turn, later) = (turn.min(later), turn.max(later) + SignedDuration::from_secs(1));
            let turn = if kind == 6 { turn } else { near.max(turn) };
            let before = project.created_at + SignedDuration::from_hours(1);
            match kind {
                0 => project.archived.push((before, true)),
                1 => project.completed.push((before, true)),
                2 => project.archived.push((turn, true)),
                3 => project.completed.push((turn, true)),
                4 => born(&mut project, turn),
                5 => project.deleted_at = Some(turn),
                // Away and back again.
                _ => project.archived.extend([(turn, true), (later, false)]),
            }
            if kind == 3 {
                let status = status(teller, turn, "complete", people);
                project.statuses.push(status);
                project.statuses.sort_by_key(|status| status.created_at);
            }
            projects.push(project);
        }
    }
    let on = |history: &[(Timestamp, bool)]| *crate::model::asana::at(history, span.epoch).unwrap_or(&false);
    let active = projects
        .iter()
        .filter(|project| project.created_at <= span.epoch && project.deleted_at.is_none_or(|gone| span.epoch < gone))
        .filter(|project| !on(&project.archived) && !on(&project.completed))
        .count();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small positive number")]
    let wanted = (ACTIVE * span.factor).round() as usize;
    for _ in active + 1..wanted {
        projects.push(project(teller, people));
    }
    projects.sort_by_key(|project| project.created_at);
    projects
}

/// Moves a project's beginning, and leaves out what was before it.
fn born(project: &mut Project, at: Timestamp) {
    project.created_at = at;
    for history in [&mut project.archived, &mut project.completed] {
        *history = vec![(at, false)];
    }
    project.statuses.retain(|status| status.created_at > at);
}

fn project(teller: &mut Teller, people: usize) -> Project {
    // Before any task of the story.
    let created_at = teller.ago(400) - SignedDuration::from_hours(24 * 300);
    let names = *teller.dice.pick(&SECTIONS);
    let sections = names.iter().map(|name| Section { gid: teller.gid(), name: (*name).to_owned() }).collect();
    let kinds = ["on_track", "at_risk", "off_track", "on_hold", "complete", "dropped", "on_track", "on_track"];
    // Many projects never had a status update.
    let updates = if teller.dice.chance(0.35) { 0 } else { teller.dice.count(1, 5) };
    let mut times: Vec<Timestamp> = (0..updates).map(|_| teller.whenever()).collect();
    if updates > 0 && teller.dice.chance(0.6) {
        times.push(created_at + SignedDuration::from_hours(2));
    }
    times.sort();
    let statuses = times.into_iter().map(|at| {
        let kind = *teller.dice.pick(&kinds);
        status(teller, at, kind, people)
    });
    let statuses = statuses.collect();
    let owner = teller.dice.chance(0.9).then(|| teller.dice.count(0, people - 1));
    let fields = if teller.dice.chance(0.3) { vec![0, 3] } else { Vec::new() };
    Project {
        gid: teller.gid(),
        name: teller.title(),
        created_at,
        deleted_at: None,
        archived: vec![(created_at, false)],
        completed: vec![(created_at, false)],
        statuses,
        sections,
        owner,
        fields,
    }
}

fn status(teller: &mut Teller, created_at: Timestamp, kind: &'static str, people: usize) -> Status {
    let (author, gid) = (teller.dice.count(0, people - 1), teller.gid());
    // Some say nothing that is counted.
    let kind = (!gid.ends_with('7')).then_some(kind);
    Status { gid, created_at, kind, title: teller.title(), text: teller.title(), author }
}

/// Puts the project of bugs among the others, and says where.
fn bugs(teller: &mut Teller, projects: &mut Vec<Project>, people: usize) -> usize {
    let sections = BUG_SECTIONS.map(|name| Section { gid: teller.gid(), name: name.to_owned() }).into();
    let fields = vec![0, 1, 2, 3, 4];
    let project = Project { name: format!("Bugs {}", teller.title()), sections, fields, ..project(teller, people) };
    let at = projects.partition_point(|other| other.created_at <= project.created_at);
    projects.insert(at, project);
    at
}

#[cfg(test)]
mod tests;
