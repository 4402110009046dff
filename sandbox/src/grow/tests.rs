use super::*;
use crate::model::github::Repository;
use jiff::SignedDuration;

const EPOCH: &str = "2026-01-08T12:03:20Z";
const DAY: SignedDuration = SignedDuration::from_hours(24);

fn seed(number: u64, size: u32) -> Seed {
    Seed { number, size, epoch: EPOCH.parse().unwrap() }
}

fn now() -> Timestamp {
    "2026-01-08T12:00:00Z".parse().unwrap()
}

/// Open, merged a week, commits a week, runs a week, branches, closed a week.
fn figures(repository: &Repository, now: Timestamp) -> [usize; 6] {
    let week = |at: Timestamp| now - DAY * 7 <= at && at < now;
    let ended = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
    let pulls = || repository.pulls.iter();
    let branches = repository.branches.iter().filter(|it| it.tips[0].1 <= now && !ended(it.deleted_at));
    [
        pulls().filter(|it| it.created_at <= now && !ended(it.closed_at)).count(),
        pulls().filter(|it| it.merged_at.is_some_and(week)).count(),
        repository.commits.iter().filter(|it| week(it.committed_at) && it.landed_at <= now).count(),
        repository.runs.iter().filter(|it| week(it.created_at)).count(),
        branches.count(),
        pulls().filter(|it| it.merged_at.is_none() && it.closed_at.is_some_and(week)).count(),
    ]
}

fn in_range(repository: &Repository, ranges: [(usize, usize); 6], at: Timestamp, seed: u64) {
    let figures = figures(repository, at);
    for (figure, (least, most)) in figures.into_iter().zip(ranges) {
        assert!((least..=most).contains(&figure), "seed {seed} at {at}: {figures:?} are not within {ranges:?}");
    }
}

#[test]
fn one_seed_tells_one_story_and_another_seed_another() {
    let told = |number| format!("{:?}", grow(seed(number, 0)));
    assert_eq!(told(7), told(7));
    assert_ne!(told(7), told(8));
}

#[test]
fn the_reference_organisation_has_the_size_that_the_budgets_speak_of() {
    for number in 0..3 {
        let organisation = grow(seed(number, 1));
        let ranges = [(105, 160), (70, 120), (65, 110), (1750, 2500), (150, 260), (5, 22)];
        for days in [-3, 0, 3] {
            in_range(&organisation.repositories[0], ranges, now() + DAY * days, number);
        }
        assert!((6..=8).contains(&organisation.repositories[0].workflows.len()));
        assert_eq!(organisation.people.iter().filter(|person| !person.bot).count(), 26);
    }
}

#[test]
fn a_small_organisation_is_about_a_tenth_of_it() {
    let figures: Vec<[usize; 6]> =
        (0..41).map(|number| figures(&grow(seed(number, 0)).repositories[0], now())).collect();
    let medians: [usize; 6] = std::array::from_fn(|place| {
        let mut values: Vec<usize> = figures.iter().map(|figures| figures[place]).collect();
        values.sort_unstable();
        values[20]
    });
    for (median, (least, most)) in medians.into_iter().zip([(10, 20), (5, 15), (5, 15), (60, 120), (15, 60), (1, 4)]) {
        assert!((least..=most).contains(&median), "{medians:?}");
    }
}

#[test]
fn a_hundredfold_organisation_is_a_hundred_times_as_busy_with_the_same_people() {
    let (one, hundred) = (grow(seed(5, 1)), grow(seed(5, 100)));
    assert_eq!(hundred.people.len(), one.people.len());
    let figures = figures(&hundred.repositories[0], now());
    assert!((9_000..16_000).contains(&figures[0]), "{figures:?}");
    assert!((170_000..260_000).contains(&figures[3]), "{figures:?}");
}

#[test]
fn facts_stand_in_the_order_that_their_times_and_numbers_promise() {
    for number in 0..10 {
        for repository in grow(seed(number, 0)).repositories {
            let mut numbers: Vec<(u64, Timestamp)> =
                repository.pulls.iter().map(|it| (it.number, it.created_at)).collect();
            numbers.extend(repository.issues.iter().map(|it| (it.number, it.created_at)));
            numbers.sort_unstable();
            assert!(numbers.windows(2).all(|pair| pair[0].0 + 1 == pair[1].0 && pair[0].1 <= pair[1].1));
            assert!(repository.pulls.is_sorted_by_key(|it| it.number));
            assert!(repository.runs.is_sorted_by_key(|it| (it.created_at, it.id)));
            assert!(repository.deployments.is_sorted_by_key(|it| (it.created_at, it.id)));
            assert!(repository.commits.is_sorted_by_key(|it| it.landed_at));
            assert!(
                repository
                    .commits
                    .iter()
                    .all(|it| it.authored_at <= it.committed_at && it.committed_at <= it.landed_at)
            );
            attempts_are_in_order(&repository);
            tips_are_never_older_than_what_they_contain(&repository);
            for pull in &repository.pulls {
                assert!(pull.draft_turns.is_sorted());
                let draft = pull.draft_turns.last().map_or(pull.born_draft, |turn| turn.1);
                assert!(pull.merged_at.is_none() || !draft, "a draft was merged: {pull:?}");
                assert!(pull.closed_at.is_none_or(|at| at >= pull.created_at));
            }
        }
    }
}

fn attempts_are_in_order(repository: &Repository) {
    for run in &repository.runs {
        assert_eq!(run.attempts[0].started_at, run.created_at);
        let ends: Vec<_> = run.attempts.iter().map(|it| (it.started_at, it.running_at, it.completed_at)).collect();
        assert!(ends.iter().all(|(started, running, end)| started <= running && end.is_none_or(|end| *running <= end)));
        assert!(ends.windows(2).all(|pair| pair[0].2.is_some_and(|end| end <= pair[1].0)), "{ends:?}");
        for attempt in &run.attempts {
            let within = |at: Timestamp| attempt.started_at <= at && attempt.completed_at.is_none_or(|end| at <= end);
            for job in &attempt.jobs {
                let times = [Some(job.created_at), job.started_at, job.completed_at];
                assert!(times.into_iter().flatten().all(within), "{attempt:?}");
            }
        }
    }
}

fn tips_are_never_older_than_what_they_contain(repository: &Repository) {
    for pair in repository.commits.windows(2) {
        let is_tip = pair[1].landed_at > pair[0].landed_at;
        if is_tip {
            let landed = repository.commits.iter().filter(|it| it.landed_at <= pair[0].landed_at);
            assert!(landed.into_iter().all(|it| it.committed_at <= pair[0].committed_at), "{:?}", pair[0]);
        }
    }
}

#[test]
fn every_inconvenience_happens_in_some_story() {
    let stories: Vec<Organisation> = (0..50).map(|number| grow(seed(number, 0))).collect();
    let repositories = || stories.iter().flat_map(|story| &story.repositories);
    let never: Vec<&str> = INCONVENIENCES
        .iter()
        .filter(|(_, happens)| {
            !stories.iter().any(|story| story.repositories.iter().any(|repository| happens(story, repository)))
        })
        .map(|(name, _)| *name)
        .collect();
    assert!(never.is_empty(), "never happens: {never:?}");
    for branch in ["main", "master", "trunk"] {
        assert!(repositories().any(|repository| repository.default_branch == branch && !repository.empty));
    }
}

type Happens = fn(&Organisation, &Repository) -> bool;

fn pull(repository: &Repository, test: impl Fn(&crate::model::github::Pull) -> bool) -> bool {
    repository.pulls.iter().any(test)
}

fn title(repository: &Repository, start: &str) -> bool {
    pull(repository, |it| it.title.starts_with(start))
        && repository.commits.iter().any(|it| it.message.starts_with(start) || it.pull.is_some())
}

fn attempts(repository: &Repository, conclusions: &[&str]) -> bool {
    repository.runs.iter().any(|run| run.attempts.iter().map(|it| it.conclusion).eq(conclusions.iter().copied()))
}

fn ran(repository: &Repository, part: i64, more: i64) -> bool {
    let jobs = repository.runs.iter().flat_map(|run| run.attempts.iter().flat_map(|attempt| &attempt.jobs));
    let length = SignedDuration::from_secs(216 * part + more);
    jobs.filter(|job| job.conclusion == "cancelled").any(|job| {
        job.started_at.zip(job.completed_at).is_some_and(|(from, until)| until.duration_since(from) == length)
    })
}

fn edge(days: i64, seconds: i64) -> Timestamp {
    now() - DAY * i32::try_from(days).unwrap() - SignedDuration::from_secs(seconds)
}

const INCONVENIENCES: &[(&str, Happens)] = &[
    ("an empty repository", |_, it| it.empty),
    ("a deleted account's pull request", |_, it| pull(it, |it| it.author.is_none())),
    ("a bot's pull request", |o, it| pull(it, |it| it.author.is_some_and(|id| o.people[id].bot))),
    ("a machine's pull request", |o, it| {
        pull(it, |it| it.author.is_some_and(|id| o.people[id].login == SERVICE_ACCOUNT))
    }),
    ("a draft made ready", |_, it| pull(it, |it| it.born_draft && it.draft_turns.len() == 1)),
    ("ready, draft, ready", |_, it| pull(it, |it| !it.born_draft && it.draft_turns.len() == 2)),
    ("an open draft", |_, it| pull(it, |it| it.born_draft && it.draft_turns.is_empty() && it.closed_at.is_none())),
    ("a comment on a draft", |_, it| {
        pull(it, |it| {
            let ready = it.draft_turns.first().filter(|turn| !turn.1).map(|turn| turn.0);
            ready.is_some_and(|ready| it.merged_at.is_some() && it.comments.iter().any(|c| c.created_at < ready))
        })
    }),
    ("an author's own comment", |_, it| {
        pull(it, |it| it.comments.iter().any(|c| c.author == it.author && c.author.is_some()))
    }),
    ("an author's own review", |_, it| {
        pull(it, |it| it.reviews.iter().any(|r| r.author == it.author && r.author.is_some()))
    }),
    ("a bot's review", |o, it| pull(it, |it| it.reviews.iter().any(|r| r.author.is_some_and(|id| o.people[id].bot)))),
    ("a deleted account's comment", |_, it| pull(it, |it| it.comments.iter().any(|c| c.author.is_none()))),
    ("a pending review", |_, it| {
        pull(it, |it| it.reviews.iter().any(|r| r.submitted_at.is_none() && r.state == "PENDING"))
    }),
    ("a dismissed review", |_, it| pull(it, |it| it.reviews.iter().any(|r| r.state == "DISMISSED"))),
    ("a silent approval", |_, it| {
        pull(it, |it| it.reviews.iter().any(|r| r.state == "APPROVED" && r.body.is_empty() && r.inline_comments == 0))
    }),
    ("a review of lines alone", |_, it| {
        pull(it, |it| it.reviews.iter().any(|r| r.body.is_empty() && r.inline_comments > 0))
    }),
    ("a first answer after the merge", |_, it| {
        pull(it, |it| {
            it.reviews.is_empty() && it.comments.first().zip(it.merged_at).is_some_and(|(c, at)| c.created_at > at)
        })
    }),
    ("another base", |_, it| pull(it, |own| own.base != it.default_branch && own.merged_at.is_some())),
    ("a fork's pull request", |_, it| pull(it, |it| it.from_fork)),
    ("a late touch", |_, it| {
        pull(it, |it| it.touches.iter().any(|at| it.merged_at.is_some_and(|end| *at > end + DAY * 7)))
    }),
    ("Hotfix:", |_, it| title(it, "Hotfix: ")),
    ("hot-fix", |_, it| title(it, "hot-fix ")),
    ("hotfixed", |_, it| pull(it, |it| it.title.contains("hotfixed"))),
    ("hotfix_", |_, it| pull(it, |it| it.title.contains("hotfix_"))),
    ("Revert", |_, it| title(it, "Revert \"Add ")),
    ("a revert of a revert", |_, it| title(it, "Revert \"Revert ")),
    ("do not revert", |_, it| pull(it, |it| it.title.contains("do not revert"))),
    ("revert:", |_, it| title(it, "revert: ")),
    ("revert(api):", |_, it| title(it, "revert(api): ")),
    ("a body that reverts", |_, it| {
        pull(it, |it| it.body.lines().any(|line| line.starts_with("This reverts commit ")))
    }),
    ("a body that quotes a revert", |_, it| pull(it, |it| it.body.starts_with("> This reverts commit "))),
    ("a hotfix by label", |_, it| pull(it, |it| it.labels.iter().any(|l| l.0 == "hotfix"))),
    ("a revert by label", |_, it| pull(it, |it| it.labels.iter().any(|l| l.0 == "revert"))),
    ("force-merge", |_, it| pull(it, |it| it.labels.iter().any(|l| l.0 == "force-merge"))),
    ("force_merge", |_, it| pull(it, |it| it.labels.iter().any(|l| l.0 == "force_merge"))),
    ("a label after the merge", |_, it| {
        pull(it, |it| it.labels.iter().any(|l| it.merged_at.is_some_and(|at| l.1 > at)))
    }),
    ("more than 20 labels", |_, it| pull(it, |it| it.labels.len() > 20)),
    ("more than 50 comments", |_, it| pull(it, |it| it.comments.len() > 50)),
    ("more than 50 reviews", |_, it| pull(it, |it| it.reviews.len() > 50)),
    ("more than 100 files", |_, it| pull(it, |it| it.files.len() > 100)),
    ("merged as the week begins", |_, it| pull(it, |it| it.merged_at == Some(edge(7, 0)))),
    ("merged a second before the week", |_, it| pull(it, |it| it.merged_at == Some(edge(7, 1)))),
    ("merged now", |_, it| pull(it, |it| it.merged_at == Some(now()))),
    ("merged a second ago", |_, it| pull(it, |it| it.merged_at == Some(edge(0, 1)))),
    ("merged as the slot begins", |_, it| pull(it, |it| it.merged_at == Some(edge(0, 900)))),
    ("merged a second before the slot", |_, it| pull(it, |it| it.merged_at == Some(edge(0, 901)))),
    ("merged after exactly 48 h", |_, it| {
        pull(it, |it| it.merged_at.is_some_and(|at| at.duration_since(it.created_at) == DAY * 2))
    }),
    ("closed as the week begins", |_, it| pull(it, |it| it.merged_at.is_none() && it.closed_at == Some(edge(7, 0)))),
    ("open for exactly 14 days", |_, it| pull(it, |it| it.created_at == edge(14, 0))),
    ("open for a second more", |_, it| pull(it, |it| it.created_at == edge(14, 1))),
    ("a direct commit", |_, it| it.commits.iter().skip(1).any(|it| it.pull.is_none() && it.parents.len() == 1)),
    ("a merge commit of nobody's", |_, it| it.commits.iter().any(|it| it.pull.is_none() && it.parents.len() == 2)),
    ("a merge commit of a pull request", |_, it| {
        it.commits.iter().any(|it| it.pull.is_some() && it.parents.len() == 2)
    }),
    ("a commit that landed days later", |_, it| it.commits.iter().any(|it| it.landed_at > it.committed_at + DAY * 7)),
    ("several commits of one pull request", |_, it| {
        it.commits
            .windows(2)
            .any(|two| two[0].pull.is_some() && two[0].pull == two[1].pull && two[1].parents.len() == 1)
    }),
    ("a commit as the week begins", |_, it| it.commits.iter().any(|it| it.committed_at == edge(7, 0))),
    ("a commit now", |_, it| it.commits.iter().any(|it| it.committed_at == now())),
    ("a bot's commit", |o, it| it.commits.iter().any(|it| o.people[it.author].bot)),
    ("two addresses of one account", |o, it| {
        it.commits.iter().any(|it| o.people[it.author].linked && o.people[it.author].emails.get(1) == Some(&it.email))
    }),
    ("capital letters of nobody's address", |o, it| {
        it.commits.iter().any(|it| !o.people[it.author].linked && it.email.starts_with(char::is_uppercase))
    }),
    ("more than 300 files of a commit", |_, it| it.commits.iter().any(|it| it.files.len() > 300 && it.pull.is_none())),
    ("a renamed file", |_, it| it.commits.iter().any(|it| it.files.iter().any(|file| file.1.is_some()))),
    ("files of several changes", |_, it| {
        let paths = |place: usize| it.commits.get(place).map(|it| &it.files);
        (1..it.commits.len())
            .any(|place| paths(place - 1).zip(paths(place)).is_some_and(|(a, b)| a.iter().any(|f| b.contains(f))))
    }),
    ("a branch with slashes", |_, it| it.branches.iter().any(|it| it.name.contains('/'))),
    ("a deleted branch", |_, it| it.branches.iter().any(|it| it.deleted_at.is_some_and(|at| at < now()))),
    ("a tip as the month begins", |_, it| it.branches.iter().any(|it| it.tips.iter().any(|tip| tip.0 == edge(30, 0)))),
    ("a tip a second before the month", |_, it| {
        it.branches.iter().any(|it| it.tips.iter().any(|tip| tip.0 == edge(30, 1)))
    }),
    ("an old commit pushed lately", |_, it| {
        it.branches.iter().any(|it| it.tips.iter().any(|tip| tip.1 > tip.0 + DAY * 7))
    }),
    ("a disabled workflow that ran", |_, it| {
        it.workflows.iter().any(|w| w.state == "disabled_manually" && it.runs.iter().any(|run| run.workflow == w.id))
    }),
    ("a schedule", |_, it| it.runs.iter().any(|it| it.event == "schedule")),
    ("a merge queue", |_, it| it.runs.iter().any(|it| it.event == "merge_group")),
    ("a pull request's target", |_, it| it.runs.iter().any(|it| it.event == "pull_request_target")),
    ("a fork's branch of our name", |_, it| {
        it.runs
            .iter()
            .any(|run| run.from_fork && run.head_branch == it.default_branch && run.event == "pull_request_review")
    }),
    ("a pull request of the default branch", |_, it| {
        it.runs.iter().any(|run| !run.from_fork && run.head_branch == it.default_branch && run.event == "pull_request")
    }),
    ("failed, then passed", |_, it| attempts(it, &["failure", "success"])),
    ("failed, then failed", |_, it| attempts(it, &["failure", "failure"])),
    ("cancelled, then passed", |_, it| attempts(it, &["cancelled", "success"])),
    ("passed, then passed", |_, it| attempts(it, &["success", "success"])),
    ("timed out", |_, it| attempts(it, &["timed_out"])),
    ("startup failure", |_, it| attempts(it, &["startup_failure"])),
    ("skipped", |_, it| attempts(it, &["skipped"])),
    ("neutral", |_, it| attempts(it, &["neutral"])),
    ("stale", |_, it| attempts(it, &["stale"])),
    ("action required", |_, it| attempts(it, &["action_required"])),
    ("over at once", |_, it| it.runs.iter().any(|it| it.attempts[0].completed_at == Some(it.created_at))),
    ("failed, then passed by another run", |_, it| {
        it.runs.iter().any(|a| {
            a.attempts.last().is_some_and(|last| last.conclusion == "failure")
                && it.runs.iter().any(|b| {
                    let passed = b.attempts.last().is_some_and(|last| last.conclusion == "success");
                    b.workflow == a.workflow && b.head_sha == a.head_sha && b.run_number > a.run_number && passed
                })
        })
    }),
    ("running now", |_, it| {
        it.runs
            .iter()
            .any(|it| it.attempts.iter().any(|a| a.running_at <= now() && a.completed_at.is_some_and(|at| at > now())))
    }),
    ("queued now", |_, it| it.runs.iter().any(|it| it.created_at <= now() && it.attempts[0].running_at > now())),
    ("never over", |_, it| it.runs.iter().any(|it| it.attempts.iter().any(|a| a.completed_at.is_none()))),
    ("longer than 35 days", |_, it| {
        it.runs
            .iter()
            .any(|it| it.attempts.iter().any(|a| a.completed_at.is_some_and(|at| at > a.started_at + DAY * 35)))
    }),
    ("more than 1000 runs in ten minutes", |_, it| {
        it.runs
            .windows(1001)
            .any(|some| some[1000].created_at.duration_since(some[0].created_at) <= SignedDuration::from_mins(10))
    }),
    ("two runs in one second", |_, it| it.runs.windows(2).any(|two| two[0].created_at == two[1].created_at)),
    ("a run as the week begins", |_, it| it.runs.iter().any(|it| it.created_at == edge(7, 0))),
    ("a run a second before the week", |_, it| it.runs.iter().any(|it| it.created_at == edge(7, 1))),
    ("a run over as the slot begins", |_, it| {
        it.runs.iter().any(|it| it.attempts[0].completed_at == Some(edge(0, 900)))
    }),
    ("a run over now", |_, it| it.runs.iter().any(|it| it.attempts[0].completed_at == Some(now()))),
    ("cancelled at 95 % of the limit", |_, it| ran(it, 95, 0)),
    ("cancelled a second before that", |_, it| ran(it, 95, -1)),
    ("cancelled at 94 % of the limit", |_, it| ran(it, 94, 0)),
    ("a job nobody took", |_, it| {
        it.runs.iter().any(|it| it.attempts.iter().any(|a| a.jobs.iter().any(|j| j.started_at.is_none())))
    }),
    ("a failed deployment", |_, it| it.deployments.iter().any(|it| it.statuses.iter().any(|s| s.0 == "FAILURE"))),
    ("a success made inactive", |_, it| it.deployments.iter().any(|it| it.statuses.iter().any(|s| s.0 == "INACTIVE"))),
    ("several environments", |_, it| {
        it.deployments.iter().any(|a| it.deployments.iter().any(|b| a.environment != b.environment))
    }),
    ("an older commit deployed again", |_, it| {
        let landed = |sha: &str| it.commits.iter().find(|it| it.sha == sha).map(|it| it.landed_at);
        let of_one = it.deployments.iter().filter(|it| it.environment == "production");
        let order: Vec<_> = of_one.map(|it| landed(&it.sha)).collect();
        !order.is_sorted()
    }),
    ("an incident within a day of a deployment", |_, it| {
        it.issues.iter().filter(|it| it.labels.iter().any(|label| label == "incident")).any(|issue| {
            let ends = it.deployments.iter().filter_map(|it| it.statuses.iter().find(|s| s.0 == "SUCCESS"));
            ends.into_iter().any(|(_, at)| *at <= issue.created_at && issue.created_at < *at + DAY)
        })
    }),
    ("a force push to the default branch", |_, it| it.force_pushes.iter().any(|push| push.branch == it.default_branch)),
    ("a force push elsewhere", |_, it| it.force_pushes.iter().any(|push| push.branch != it.default_branch)),
    ("a bypassed rule", |_, it| it.rule_suites.iter().any(|suite| suite.result == "bypass")),
    ("an idle and an offline runner", |_, it| {
        it.runners.iter().any(|it| it.online && !it.busy) && it.runners.iter().any(|it| !it.online)
    }),
];
