//! A small workspace whose every number can be counted by hand.

use super::{Due, Field, FieldKind, FieldValue, Membership, Project, Section, Status, Tag, Task, User, Workspace};
use jiff::Timestamp;

/// An instant in words.
pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn user(gid: &str, email: &str) -> User {
    User { gid: gid.to_owned(), name: "Ann Lee".to_owned(), email: email.to_owned() }
}

fn project(gid: &str, created_at: &str, sections: &[(&str, &str)]) -> Project {
    let created_at = time(created_at);
    let section = |(gid, name): &(&str, &str)| Section { gid: (*gid).to_owned(), name: (*name).to_owned() };
    Project {
        gid: gid.to_owned(),
        name: format!("Project {gid}"),
        created_at,
        deleted_at: None,
        archived: vec![(created_at, false)],
        completed: vec![(created_at, false)],
        statuses: Vec::new(),
        sections: sections.iter().map(section).collect(),
        owner: Some(0),
        fields: Vec::new(),
    }
}

fn status(gid: &str, created_at: &str, kind: &'static str) -> Status {
    let (title, text) = (format!("Title {gid}"), format!("Text {gid}"));
    Status { gid: gid.to_owned(), created_at: time(created_at), kind: Some(kind), title, text, author: 1 }
}

fn task(gid: &str, created_at: &str, places: &[(usize, usize)]) -> Task {
    let created_at = time(created_at);
    let places = places.iter().map(|(project, section)| Membership { project: *project, section: *section });
    Task {
        gid: gid.to_owned(),
        name: format!("Task {gid}"),
        notes: String::new(),
        subtype: "default_task",
        parent: None,
        created_at,
        deleted_at: None,
        completed: vec![(created_at, false)],
        assignee: vec![(created_at, None)],
        due: vec![(created_at, Due::Never)],
        memberships: vec![(created_at, places.collect())],
        tags: vec![(created_at, Vec::new())],
        fields: vec![(created_at, Vec::new())],
        touches: Vec::new(),
    }
}

impl Task {
    fn done(mut self, at: &str) -> Self {
        self.completed.push((time(at), true));
        self
    }

    fn of(mut self, user: usize) -> Self {
        self.assignee[0].1 = Some(user);
        self
    }

    fn due(mut self, due: Due) -> Self {
        self.due[0].1 = due;
        self
    }

    fn tagged(mut self, tag: usize) -> Self {
        self.tags[0].1.push(tag);
        self
    }

    fn area(mut self, option: usize) -> Self {
        self.fields[0].1 = vec![(0, FieldValue::Option(option))];
        self
    }
}

/// The workspace; it is meant to be looked at on 8 January 2026 at noon.
pub(crate) fn workspace() -> Workspace {
    let old = "2025-06-01T00:00:00Z";
    let sections = [("31", "Untitled section"), ("32", "Triage & review"), ("33", "ACTIVE now"), ("34", "Icebox")];
    let mut projects = vec![
        project("21", old, &sections),
        project("22", old, &[("35", "Triage")]),
        project("23", old, &[("36", "Doing")]),
        project("24", "2026-01-09T00:00:00Z", &[("37", "Doing")]),
        project("25", old, &[("38", "Doing")]),
    ];
    projects[0].statuses = vec![
        status("71", "2026-01-01T00:00:00Z", "on_track"),
        status("72", "2026-01-05T00:00:00Z", "at_risk"),
        status("73", "2026-01-09T00:00:00Z", "off_track"),
    ];
    projects[2].archived.push((time("2026-01-02T00:00:00Z"), true));
    projects[4].completed.push((time("2026-01-03T00:00:00Z"), true));
    projects[4].statuses = vec![status("74", "2026-01-03T00:00:00Z", "on_track")];
    let on = |day: &str| Due::On(day.parse().unwrap());
    let until = |text: &str, day: &str| Due::At(time(text), day.parse().unwrap());
    let mut tasks = vec![
        task("101", "2025-12-29T12:00:00Z", &[(1, 0), (0, 3)]).of(0).tagged(0),
        task("102", "2026-01-02T12:00:00Z", &[(0, 1)]).of(1).done("2026-01-03T12:00:00Z"),
        task("103", "2026-01-06T12:00:00Z", &[(0, 2)]).tagged(1).area(1).due(on("2026-01-08")),
        task("104", "2025-12-01T12:00:00Z", &[(1, 0)]).of(0).done("2026-01-01T12:00:00Z"),
        task("105", "2025-12-01T12:00:00Z", &[(1, 0)]).of(0).done("2026-01-01T11:59:59Z"),
        task("106", old, &[(2, 0)]),
        task("107", old, &[]),
        task("108", old, &[(1, 0)]),
        task("109", "2025-12-20T12:00:00Z", &[(1, 0)])
            .due(until("2026-01-08T11:00:00Z", "2026-01-08"))
            .done("2026-01-04T00:00:00Z"),
        task("110", "2025-12-20T12:00:00Z", &[(4, 0), (1, 0)]).of(1).due(until("2026-01-08T23:30:00Z", "2026-01-09")),
        task("111", "2026-01-07T12:00:00Z", &[(0, 1)]).of(0).area(0).due(on("2026-01-07")),
        task("112", "2026-01-08T12:00:00Z", &[(1, 0)]).due(on("2026-01-15")),
        task("113", "2026-01-07T12:00:00Z", &[(0, 3)]).done("2026-01-08T12:00:00Z"),
    ];
    tasks[6].parent = Some(0);
    tasks[7].deleted_at = Some(time("2026-01-07T00:00:00Z"));
    tasks[8].completed.push((time("2026-01-05T00:00:00Z"), false));
    tasks[0].touches.push(time("2026-01-06T00:00:00.250Z"));
    let words = |words: [(&str, &str); 2]| words.map(|(gid, name)| (gid.to_owned(), name.to_owned())).to_vec();
    Workspace {
        gid: "1".to_owned(),
        alias: "acme".to_owned(),
        name: "Acme".to_owned(),
        is_organization: true,
        users: vec![user("11", "ann@example.org"), user("12", "bob@example.org")],
        projects,
        tags: words([("41", "TRAINING"), ("42", "training ")])
            .into_iter()
            .map(|(gid, name)| Tag { gid, name })
            .collect(),
        fields: vec![Field {
            gid: "51".to_owned(),
            name: "Area".to_owned(),
            kind: FieldKind::Enum(words([("61", "Training"), ("62", "Data")])),
        }],
        tasks,
        bugs: Some(0),
    }
}
