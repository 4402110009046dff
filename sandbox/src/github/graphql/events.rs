//! The timelines of pull requests and issues.

use super::connection::{Key, connect};
use super::entity::{Entity, Out, actor, instant, key, leaf, maybe, one, silence, texts, time};
use crate::github::ids::{Kind, node_id};
use crate::github::views::{Issue, Pull, Repo};
use apollo_compiler::resolvers::ObjectValue as _;
use apollo_compiler::resolvers::ResolveInfo;
use jiff::Timestamp;

/// What something happened to.
#[derive(Clone, Copy)]
enum Subject<'w> {
    Pull(Pull<'w>),
    Issue(Issue<'w>),
}

/// What happened.
#[derive(Clone, Copy)]
enum What<'w> {
    Ready,
    Draft,
    Labelled(&'w str),
    Merged,
    Closed,
    HeadDeleted,
}

/// Something that happened.
#[derive(Clone, Copy)]
pub struct Event<'w> {
    subject: Subject<'w>,
    what: What<'w>,
    at: Timestamp,
    place: usize,
}

impl<'w> Subject<'w> {
    fn repo(self) -> Repo<'w> {
        match self {
            Self::Pull(pull) => pull.repo,
            Self::Issue(issue) => issue.repo,
        }
    }

    fn number(self) -> u64 {
        match self {
            Self::Pull(pull) => pull.data().number,
            Self::Issue(issue) => issue.data().number,
        }
    }

    fn entity(self) -> Entity<'w> {
        match self {
            Self::Pull(pull) => Entity::Pull(pull),
            Self::Issue(issue) => Entity::Issue(issue),
        }
    }

    fn path(self) -> String {
        let kind = if matches!(self, Self::Pull(_)) { "pull" } else { "issues" };
        format!("{}/{kind}/{}", self.repo().full_name(), self.number())
    }
}

/// Everything on the timeline of a pull request, ascending.
pub fn of_pull(pull: Pull<'_>) -> Vec<(Key, Entity<'_>)> {
    let mut items: Vec<_> = events_of_pull(pull).into_iter().map(|event| (event.at, Entity::Event(event))).collect();
    items.extend(pull.commits().into_iter().map(|commit| (commit.committed_at(), Entity::PullCommit(pull, commit))));
    items.extend(pull.comments().map(|comment| (comment.data().created_at, Entity::Comment(comment))));
    items.extend(pull.reviews().map(|review| (review.submitted_at(), Entity::Review(review))));
    keyed(items)
}

/// Everything on the timeline of an issue, ascending.
pub fn of_issue(issue: Issue<'_>) -> Vec<(Key, Entity<'_>)> {
    keyed(events_of_issue(issue).into_iter().map(|event| (event.at, Entity::Event(event))).collect())
}

fn keyed(items: Vec<(Timestamp, Entity<'_>)>) -> Vec<(Key, Entity<'_>)> {
    let mut keyed: Vec<_> = items.into_iter().zip(0_u64..).map(|((at, item), nth)| (key(at, nth), item)).collect();
    keyed.sort_by(|a, b| a.0.cmp(&b.0));
    keyed
}

fn events_of_pull(pull: Pull<'_>) -> Vec<Event<'_>> {
    let mut told = Vec::new();
    told.extend(pull.draft_turns().map(|(_, (at, draft))| (at, if draft { What::Draft } else { What::Ready })));
    told.extend(pull.labels().map(|label| (label.1, What::Labelled(&label.0))));
    told.extend(pull.merged_at().map(|at| (at, What::Merged)));
    told.extend(pull.closed_at().map(|at| (at, What::Closed)));
    let data = pull.repo.data();
    let places = pull.repo.world.index.repositories[pull.repo.at].branches.get(&pull.data().head);
    let places = places.filter(|_| !pull.data().from_fork && pull.closed_at().is_some());
    let gone = places.into_iter().flatten().filter_map(|at| data.branches[*at].deleted_at);
    told.extend(gone.filter(|at| pull.repo.world.past(*at)).map(|at| (at, What::HeadDeleted)));
    events(Subject::Pull(pull), told)
}

fn events_of_issue(issue: Issue<'_>) -> Vec<Event<'_>> {
    let labels = issue.data().labels.iter().map(|label| (issue.data().created_at, What::Labelled(label)));
    let closed = issue.closed_at().map(|at| (at, What::Closed));
    events(Subject::Issue(issue), labels.chain(closed).collect())
}

fn events<'w>(subject: Subject<'w>, told: Vec<(Timestamp, What<'w>)>) -> Vec<Event<'w>> {
    told.into_iter().zip(0..).map(|((at, what), place)| Event { subject, what, at, place }).collect()
}

/// An event by the numbers of its global id.
pub fn find(repo: Repo<'_>, number: u64, place: usize) -> Option<Entity<'_>> {
    let events = match (repo.pull(number), repo.issue(number)) {
        (Some(pull), _) => events_of_pull(pull),
        (None, Some(issue)) => events_of_issue(issue),
        (None, None) => return None,
    };
    events.into_iter().nth(place).map(Entity::Event)
}

/// The kind by which the arguments ask for something: `MergedEvent` is `MERGED_EVENT`.
fn kind(type_name: &str) -> String {
    let mut kind = String::new();
    for letter in type_name.chars() {
        if letter.is_uppercase() && !kind.is_empty() {
            kind.push('_');
        }
        kind.push(letter.to_ascii_uppercase());
    }
    kind
}

/// Those items of a timeline that the arguments ask for.
pub fn list<'a>(mut items: Vec<(Key, Entity<'a>)>, info: &'a ResolveInfo<'a>) -> Out<'a> {
    if let Some(kinds) = texts(info, "itemTypes").filter(|kinds| !kinds.is_empty()) {
        items.retain(|item| kinds.contains(&kind(item.1.type_name()).as_str()));
    }
    if let Some(since) = instant(info, "since")? {
        items.retain(|item| item.0.0 >= since.as_second());
    }
    let skip = info
        .arguments()
        .get("skip")
        .and_then(apollo_compiler::response::serde_json_bytes::Value::as_u64)
        .unwrap_or_default();
    let skip = usize::try_from(skip).unwrap_or(usize::MAX).min(items.len());
    let kept = items.split_off(skip);
    connect(info, kept, false)
}

impl<'w> Event<'w> {
    /// Its type.
    pub fn type_name(&self) -> &'static str {
        match self.what {
            What::Ready => "ReadyForReviewEvent",
            What::Draft => "ConvertToDraftEvent",
            What::Labelled(_) => "LabeledEvent",
            What::Merged => "MergedEvent",
            What::Closed => "ClosedEvent",
            What::HeadDeleted => "HeadRefDeletedEvent",
        }
    }

    /// One of its fields.
    pub fn resolve<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Out<'a>
    where
        'w: 'a,
    {
        let (subject, repo) = (self.subject, self.subject.repo());
        match (info.field_name(), subject) {
            ("id", _) => leaf(node_id(Kind::Event, &[repo.id(), subject.number(), self.place as u64], "")),
            ("createdAt", _) => time(self.at),
            ("actor", Subject::Pull(pull)) => {
                let merge = matches!(self.what, What::Merged | What::Closed).then(|| pull.merged_by()).flatten();
                actor(repo.world, merge.or(pull.data().author))
            }
            ("pullRequest" | "closable" | "labelable", _) => one(subject.entity()),
            ("label", _) => match self.what {
                What::Labelled(name) => one(Entity::Label(repo, name)),
                _ => silence(info),
            },
            ("commit", Subject::Pull(pull)) => maybe(pull.merge_commit().map(Entity::Commit)),
            ("closer", Subject::Pull(_)) => maybe(None),
            ("stateReason", Subject::Issue(_)) => leaf("COMPLETED"),
            ("mergeRefName", Subject::Pull(pull)) => leaf(pull.data().base.as_str()),
            ("mergeRef", Subject::Pull(pull)) => maybe(repo.branch(&pull.data().base).map(Entity::Ref)),
            ("headRefName", Subject::Pull(pull)) => leaf(pull.data().head.as_str()),
            ("resourcePath", _) => leaf(format!("/{}#event-{}", subject.path(), self.place + 1)),
            ("url", _) => leaf(format!("https://github.com/{}#event-{}", subject.path(), self.place + 1)),
            _ => silence(info),
        }
    }
}
