//! What happens on Asana: workspaces with people, projects, sections, tags, fields and tasks.
//!
//! Whatever changes is told as the times at which it became something else; before the first of them it did not exist.

use jiff::Timestamp;
use jiff::civil::Date;

/// What became of something and when, ascending.
pub type History<T> = Vec<(Timestamp, T)>;

/// What something is at an instant.
#[must_use]
pub fn at<T>(history: &[(Timestamp, T)], now: Timestamp) -> Option<&T> {
    history.iter().rev().find(|(since, _)| *since <= now).map(|(_, value)| value)
}

/// A workspace and everything in it. Places of people, projects, tags, fields and tasks are those in its lists.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// Identifier: digits.
    pub gid: String,
    /// The word that the configuration knows it by.
    pub alias: String,
    /// Its name, which people gave it.
    pub name: String,
    /// Whether it is an organisation rather than a plain workspace.
    pub is_organization: bool,
    /// Its members; the first one's is the token.
    pub users: Vec<User>,
    /// Its projects, oldest first.
    pub projects: Vec<Project>,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// Its custom fields.
    pub fields: Vec<Field>,
    /// Its tasks, oldest first.
    pub tasks: Vec<Task>,
    /// The project that bugs are kept in.
    pub bugs: Option<usize>,
}

/// A member.
#[derive(Debug, Clone)]
pub struct User {
    /// Identifier: digits.
    pub gid: String,
    /// Name; two people may have the same.
    pub name: String,
    /// Address.
    pub email: String,
}

/// A project.
#[derive(Debug, Clone)]
pub struct Project {
    /// Identifier: digits.
    pub gid: String,
    /// Its name, which people gave it.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was deleted for good.
    pub deleted_at: Option<Timestamp>,
    /// Whether it is archived.
    pub archived: History<bool>,
    /// Whether it is completed.
    pub completed: History<bool>,
    /// Status updates, ascending; the newest is the current one.
    pub statuses: Vec<Status>,
    /// Its sections in their order.
    pub sections: Vec<Section>,
    /// The member it belongs to.
    pub owner: Option<usize>,
    /// The custom fields that its tasks have.
    pub fields: Vec<usize>,
}

/// A status update of a project.
#[derive(Debug, Clone)]
pub struct Status {
    /// Identifier: digits.
    pub gid: String,
    /// When it was written.
    pub created_at: Timestamp,
    /// `on_track`, `at_risk`, `off_track`, `on_hold`, `complete` or `dropped`, where it says anything of the kind.
    pub kind: Option<&'static str>,
    /// Its headline.
    pub title: String,
    /// What it says.
    pub text: String,
    /// Who wrote it.
    pub author: usize,
}

/// A section of a project.
#[derive(Debug, Clone)]
pub struct Section {
    /// Identifier: digits.
    pub gid: String,
    /// Its name, which people gave it.
    pub name: String,
}

/// A tag of a workspace.
#[derive(Debug, Clone)]
pub struct Tag {
    /// Identifier: digits.
    pub gid: String,
    /// Its name, which people gave it.
    pub name: String,
}

/// A custom field.
#[derive(Debug, Clone)]
pub struct Field {
    /// Identifier: digits.
    pub gid: String,
    /// Its name, which people gave it.
    pub name: String,
    /// What it may hold.
    pub kind: FieldKind,
}

/// What a custom field may hold.
#[derive(Debug, Clone)]
pub enum FieldKind {
    /// One of these options, each with its identifier and name.
    Enum(Vec<(String, String)>),
    /// Any number of such options.
    MultiEnum(Vec<(String, String)>),
    /// A number.
    Number,
    /// A text.
    Text,
}

/// What a custom field of a task holds.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldValue {
    /// Nothing.
    Null,
    /// The option at this place.
    Option(usize),
    /// The options at these places.
    Options(Vec<usize>),
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
}

/// When a task is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// At no time.
    Never,
    /// On a day, whatever the zone.
    On(Date),
    /// At an instant; beside it stands the day that Asana shows, which is that of the zone of whoever set it.
    At(Timestamp, Date),
}

/// That a task is in a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership {
    /// The project's place.
    pub project: usize,
    /// The section's place in that project.
    pub section: usize,
}

/// A task and its life.
#[derive(Debug, Clone)]
pub struct Task {
    /// Identifier: digits.
    pub gid: String,
    /// Its name: text of a person, never to leave the collector.
    pub name: String,
    /// Its description: the same.
    pub notes: String,
    /// `default_task`, `milestone` or `approval`.
    pub subtype: &'static str,
    /// The task it is a part of. A part is in no project by that alone.
    pub parent: Option<usize>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was deleted.
    pub deleted_at: Option<Timestamp>,
    /// Whether it is completed; the latest turn is what `completed_at` tells of.
    pub completed: History<bool>,
    /// Who it is assigned to.
    pub assignee: History<Option<usize>>,
    /// When it is due.
    pub due: History<Due>,
    /// The projects it is in, in the order in which the API tells of them.
    pub memberships: History<Vec<Membership>>,
    /// Its tags.
    pub tags: History<Vec<usize>>,
    /// What its custom fields hold.
    pub fields: History<Vec<(usize, FieldValue)>>,
    /// Comments and other changes that nothing else tells of.
    pub touches: Vec<Timestamp>,
}

#[cfg(test)]
pub(crate) mod sample;
