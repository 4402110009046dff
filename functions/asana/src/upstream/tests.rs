//! Whole and continued fetches of a pretend workspace.

use super::fake::{Stage, World, ago};
use crate::parts;
use crate::snapshot::{Fetched, Tasks};
use serde_json::json;
use shared::testing::{Journal, Reply};
use shared::{Collector, Findings};
use std::collections::BTreeMap;

/// A hundred and eighteen active projects, two completed ones, and 250 tasks in the first of them.
fn world() -> World {
    let mut world = World::default();
    for project in 0..120 {
        world.projects.insert((1000 + project).to_string(), project >= 118);
    }
    for task in 0..250 {
        let minutes = i64::try_from(task).unwrap() * 10 + 2000;
        world.put(task, minutes, (task % 5 == 0).then_some(minutes - 500), &["1000"], minutes - 500);
    }
    for task in 300..420 {
        let home = (1000 + task - 300).to_string();
        world.put(task, 5000 + i64::try_from(task / 2).unwrap(), None, &[&home, "1001"], 5000);
    }
    world
}

const BUGS: (&str, &str) = ("ASANA_BUGS_PROJECTS", "bugs=1000");

/// Whether nothing failed and nothing is missing.
fn is_well(found: &Findings) -> bool {
    found.gaps.is_empty() && found.pending.values().all(|missing| *missing == 0)
}

/// The parts that failed.
fn gaps(found: &Findings) -> Vec<&'static str> {
    found.gaps.keys().copied().collect()
}

/// The tasks without those whom they are assigned to, whose digests are others for each reader.
fn plain(fetched: &Fetched) -> Option<Tasks> {
    let mut tasks = fetched.snapshot.tasks.clone()?;
    for task in tasks.values_mut() {
        task.assignee = None;
    }
    Some(tasks)
}

#[tokio::test]
async fn a_hundred_and_eighteen_projects_give_a_hundred_and_eighteen_and_every_list_is_read_to_its_end() {
    let stage = Stage::new(world(), &[BUGS]).await;
    let (fetched, found) = stage.fetch(0, None).await;
    let fetched = fetched.unwrap();
    assert!(is_well(&found), "{found:?}");
    assert_eq!(fetched.snapshot.projects.unwrap().len(), 118);
    // All of the tasks, but for none: those of the completed projects are in an active one as well.
    assert_eq!(fetched.snapshot.tasks.unwrap().len(), 370);
    assert_eq!(fetched.snapshot.bugs["bugs"].as_ref().unwrap().len(), 251);
    let asked = stage.asked();
    // Two pages of projects, three of bugs, two of the project that everything is in, and one of each other.
    assert_eq!(asked.len(), 2 + 3 + 2 + 116);
    assert!(asked.iter().all(|path| path.contains("limit=100")));
}

#[tokio::test]
async fn the_fields_are_one_joined_text_and_no_name_of_a_task_is_among_them() {
    let stage = Stage::new(world(), &[BUGS]).await;
    stage.fetch(0, None).await.0.unwrap();
    for path in stage.asked() {
        let fields = path.split('&').find_map(|pair| pair.strip_prefix("opt_fields=")).unwrap();
        let plain =
            |field: &str| !field.is_empty() && field.chars().all(|c| c.is_ascii_lowercase() || "._".contains(c));
        assert!(fields.split(',').all(|field| plain(field) && field != "name" && field != "assignee.name"), "{path}");
        assert_eq!(path.matches("opt_fields=").count(), 1);
    }
    let bugs = stage.asked().into_iter().find(|path| path.contains("tags.name")).unwrap();
    assert!(
        bugs.contains("project=1000&completed_since=2025-12-09T12%3A00%3A00.000Z&opt_fields=created_at,completed,"),
        "{bugs}"
    );
}

#[tokio::test]
async fn a_continued_fetch_asks_for_what_changed_and_knows_what_a_whole_one_knows() {
    let stage = Stage::new(world(), &[BUGS]).await;
    let mut last = stage.fetch(0, None).await.0.unwrap();
    for step in 1..=6_i64 {
        let (minutes, number) = (step * 15, usize::try_from(step).unwrap());
        {
            let mut world = stage.world();
            let changed = -minutes + 5;
            world.put(1000 + number, changed, None, &["1003"], changed);
            world.put(number * 7, 3000, Some(changed), &["1000"], changed);
            // One is moved to another project, one is opened again, one is due elsewhere from now on.
            world.put(300 + number, 5000, None, &["1050"], changed);
            world.put(number * 5, 3000, None, &["1000"], changed);
            // One project is completed, and another one begins.
            world.projects.insert((1110 + step).to_string(), true);
            world.projects.insert((2000 + step).to_string(), false);
            world.put(2000 + number, 9000, None, &[&(2000 + step).to_string()], 9000);
        }
        let before = stage.asked().len();
        let (fetched, found) = stage.fetch(minutes, Some(&last)).await;
        assert!(!found.asked_all && is_well(&found), "{found:?}");
        let asked = stage.asked()[before..].to_vec();
        // Two pages of projects, all three of the bugs, and of the 117 others what changed.
        assert!(asked.len() <= 2 + 3 + 117, "{}", asked.len());
        assert_eq!(asked.iter().filter(|path| path.contains("project=1000&")).count(), 3);
        // What changed since the last run, and once an hour all of a small project.
        let large = asked.iter().find(|path| path.contains("project=1001&")).unwrap();
        assert!(large.contains("&modified_since=2026-01-08T"), "{large}");
        let changes = asked.iter().filter(|path| path.contains("modified_since")).count();
        assert_eq!(changes > 100, step != 4, "{changes}");
        last = fetched.unwrap();
        let whole = stage.fetch(minutes, None).await.0.unwrap();
        assert_eq!(last.snapshot, whole.snapshot, "step {step}");
        assert!(last.kept.listed.keys().eq(whole.kept.listed.keys()) && last.kept.active == whole.kept.active);
    }
}

#[tokio::test]
async fn a_task_that_is_gone_from_a_large_project_is_noticed_by_the_daily_fetch() {
    let stage = Stage::new(world(), &[]).await;
    let mut last = stage.fetch(0, None).await.0.unwrap();
    stage.world().put(310, 5000, None, &[], -5); // taken out of both of its projects
    stage.world().tasks.remove("311"); // deleted from both
    stage.world().tasks.remove("7"); // deleted from the large one
    for step in 1..=4 {
        last = stage.fetch(step * 15, Some(&last)).await.0.unwrap();
    }
    let tasks = last.snapshot.tasks.as_ref().unwrap();
    // Each stood in the large project 1001 as well, which holds 120.
    assert!(["310", "311"].iter().all(|gid| tasks[*gid].projects.iter().eq(["1001"])));
    assert!(tasks.contains_key("7"));
    let (healed, found) = stage.fetch(75, None).await;
    assert!(is_well(&found), "{found:?}");
    let healed = healed.unwrap().snapshot.tasks.unwrap();
    assert!(["310", "311", "7"].iter().all(|gid| !healed.contains_key(*gid)));
}

#[tokio::test]
async fn a_bug_that_was_deleted_or_taken_out_of_its_project_is_not_open_in_the_next_run() {
    let stage = Stage::new(world(), &[BUGS]).await;
    let first = stage.fetch(0, None).await.0.unwrap();
    stage.world().tasks.remove("7");
    stage.world().put(8, 3000, None, &["1002"], -5);
    let (second, found) = stage.fetch(15, Some(&first)).await;
    assert!(is_well(&found) && !found.asked_all, "{found:?}");
    let second = second.unwrap();
    let bugs = second.snapshot.bugs["bugs"].as_ref().unwrap();
    assert!(!bugs.contains_key("7") && !bugs.contains_key("8"), "no daily fetch is waited for");
    assert_eq!(second.snapshot, stage.fetch(15, None).await.0.unwrap().snapshot);
}

#[tokio::test]
async fn a_last_fetch_that_knows_no_tasks_is_not_continued() {
    let stage = Stage::new(world(), &[BUGS]).await;
    let last = stage.fetch(0, None).await.0.unwrap();
    for (last, all) in [(last.clone(), false), (stage.asana.unknown("acme"), true)] {
        let before = stage.asked().len();
        let (fetched, found) = stage.fetch(15, Some(&last)).await;
        assert!(is_well(&found) && fetched.unwrap().snapshot.tasks.is_some(), "{found:?}");
        let changes = stage.asked()[before..].iter().filter(|path| path.contains("modified_since")).count();
        assert_eq!((found.asked_all, changes == 0), (all, all));
    }
}

#[tokio::test]
async fn tasks_deleted_from_a_small_project_are_gone_within_an_hour() {
    let mut small = World::default();
    for project in 0..9 {
        small.projects.insert((10 + project).to_string(), false);
        for task in 0..3 {
            small.put(100 * project + task, 4000, None, &[&(10 + project).to_string()], 4000);
        }
    }
    let stage = Stage::new(small, &[("ASANA_BUGS_PROJECTS", "bugs=10")]).await;
    let mut last = stage.fetch(0, None).await.0.unwrap();
    stage.world().tasks.retain(|gid, _| !gid.ends_with('1'));
    for step in 1..=4 {
        last = stage.fetch(step * 15, Some(&last)).await.0.unwrap();
    }
    assert_eq!(last.snapshot, stage.fetch(60, None).await.0.unwrap().snapshot);
    assert_eq!((last.snapshot.tasks.unwrap().len(), last.snapshot.bugs["bugs"].as_ref().unwrap().len()), (18, 2));
}

/// Two hundred active projects with three tasks each, one of them of bugs.
fn free_domain() -> World {
    let mut world = World::default();
    for project in 0..200 {
        world.projects.insert((1000 + project).to_string(), false);
        for task in 0..3 {
            world.put(3 * project + task, 4000, (task == 2).then_some(3000), &[&(1000 + project).to_string()], 3000);
        }
    }
    world
}

#[tokio::test]
async fn two_hundred_projects_are_whole_after_two_runs_that_a_free_domain_bears() {
    let stage = Stage::new(free_domain(), &[BUGS]).await;
    let mut last: Option<Fetched> = None;
    // Two pages of projects, one of bugs, 134 lists of tasks, and room for projects and bugs; then the 65 others, and 72 of
    // these.
    for (step, missing, whole, calls) in [(0, 65, 135, 137), (1, 0, 66, 140), (2, 0, 1, 140), (3, 0, 1, 140)] {
        let before = stage.asked().len();
        let (fetched, found) = stage.fetch(step * 15, last.as_ref()).await;
        let fetched = fetched.unwrap();
        assert_eq!((gaps(&found), found.pending["tasks"], found.asked_all), (vec![], missing, false), "{step}");
        assert_eq!((fetched.snapshot.tasks.is_some(), fetched.kept.filling.is_some()), (missing == 0, missing > 0));
        assert_eq!(fetched.kept.listed.len() as u64, 200 - missing, "{step}");
        assert_eq!(fetched.snapshot.projects.as_ref().unwrap().len(), 200, "{step}");
        assert_eq!(fetched.snapshot.bugs["bugs"].as_ref().unwrap().len(), 3, "{step}");
        let asked = stage.asked()[before..].to_vec();
        assert_eq!(asked.len(), calls, "{step}");
        let read_whole = |path: &&String| path.contains("/tasks?") && !path.contains("modified_since");
        assert_eq!(asked.iter().filter(read_whole).count(), whole, "{step}: what was read is not read again");
        last = Some(fetched);
    }
    let last = last.unwrap();
    let same = std::mem::take(&mut *stage.world());
    let whole = Stage::new(same, &[BUGS, ("ASANA_BUDGET", "1400")]).await.fetch(45, None).await.0.unwrap();
    assert_eq!((plain(&last), &last.snapshot.bugs), (plain(&whole), &whole.snapshot.bugs));
}

#[tokio::test]
async fn lists_that_were_read_longest_ago_go_first_and_the_others_keep_their_last_answer() {
    let stage = Stage::new(free_domain(), &[("ASANA_BUDGET", "54")]).await;
    let mut last = stage.fetch(0, None).await.0.unwrap();
    for step in 1..4 {
        last = stage.fetch(step * 15, Some(&last)).await.0.unwrap();
    }
    assert!(last.snapshot.tasks.is_some());
    for project in 0..200 {
        stage.world().put(3 * project, 4000, Some(-50), &[&(1000 + project).to_string()], -50);
    }
    let done = |fetched: &Fetched| {
        let tasks = fetched.snapshot.tasks.as_ref().unwrap();
        (0..200).filter(|project: &usize| tasks[(3 * project).to_string().as_str()].life.completed).count()
    };
    for (step, number) in [(4, 52), (5, 104), (6, 156), (7, 200)] {
        let (fetched, found) = stage.fetch(step * 15, Some(&last)).await;
        last = fetched.unwrap();
        assert!(is_well(&found) && found.oldest.is_none(), "{found:?}");
        assert_eq!((done(&last), last.snapshot.tasks.as_ref().unwrap().len()), (number, 600), "{step}");
    }
}

#[tokio::test]
async fn an_answer_that_is_kept_for_more_than_an_hour_has_its_age_told() {
    let stage = Stage::new(free_domain(), &[("ASANA_BUDGET", "32")]).await;
    let mut last = stage.fetch(0, None).await.0.unwrap();
    for step in 1..8 {
        let (fetched, found) = stage.fetch(step * 15, Some(&last)).await;
        last = fetched.unwrap();
        // Some thirty lists a run: the first of them come again when all two hundred were read.
        let age = found.oldest.map(|oldest| ago(-step * 15).duration_since(oldest).as_mins());
        assert_eq!(age, (step > 4).then_some(15 * step.min(6)), "{step}");
    }
}

#[tokio::test]
async fn a_new_project_over_budget_makes_nothing_unknown() {
    let stage = Stage::new(free_domain(), &[("ASANA_BUDGET", "150")]).await;
    let mut last = stage.fetch(0, None).await.0.unwrap();
    last = stage.fetch(15, Some(&last)).await.0.unwrap();
    stage.world().projects.insert("2000".into(), false);
    stage.world().put(5000, 10, None, &["2000"], 10);
    let (fetched, found) = stage.fetch(30, Some(&last)).await;
    assert!(is_well(&found), "{found:?}");
    assert!(fetched.unwrap().snapshot.tasks.unwrap().contains_key("5000"));
}

#[tokio::test]
async fn a_fetch_beside_another_has_what_that_one_left_of_the_budget() {
    let stage = Stage::new(free_domain(), &[BUGS, ("ASANA_BUDGET", "230")]).await;
    let whole = stage.fetch(0, None).await.0.unwrap();
    let last = stage.fetch(15, Some(&whole)).await.0.unwrap();
    stage.fetch(30, None).await.0.unwrap();
    let before = stage.asked().len();
    let (fetched, found) = stage.fetch_beside(30, Some(&last)).await;
    assert!(is_well(&found) && fetched.unwrap().snapshot.tasks.is_some(), "{found:?}");
    let asked = stage.asked()[before..].to_vec();
    // The first took 202 calls; projects and bugs are read in any case.
    assert_eq!(asked.len(), 230 - 202);
}

#[tokio::test]
async fn a_budget_that_projects_and_bugs_use_up_still_reads_a_list_in_each_run() {
    let mut world = World::default();
    for project in 0..4 {
        world.projects.insert((1000 + project).to_string(), false);
        world.put(project, 4000, None, &[&(1000 + project).to_string()], 3000);
    }
    let stage = Stage::new(world, &[BUGS, ("ASANA_BUDGET", "1")]).await;
    let mut last: Option<Fetched> = None;
    for (step, missing) in [(0, 2), (1, 1), (2, 0), (3, 0)] {
        let (fetched, found) = stage.fetch(step * 15, last.as_ref()).await;
        assert_eq!((gaps(&found), found.pending["tasks"]), (vec![], missing));
        last = Some(fetched.unwrap());
    }
}

#[tokio::test]
async fn where_the_quota_does_not_suffice_lists_that_were_read_are_kept_and_the_rest_is_pending() {
    let stage = Stage::new(world(), &[BUGS]).await;
    let minute = || Reply::status(429).header("retry-after", "3600");
    stage.world().others.push(("project=1050&".into(), minute()));
    let (first, found) = stage.fetch(0, None).await;
    let first = first.unwrap();
    assert!(gaps(&found).is_empty() && (50..=68).contains(&found.pending["tasks"]), "{found:?}");
    assert_eq!(first.snapshot.tasks, None);
    assert!(first.snapshot.projects.is_some() && first.snapshot.bugs["bugs"].is_some());
    stage.world().others.clear();
    let before = stage.asked().len();
    let (second, found) = stage.fetch(15, Some(&first)).await;
    assert!(is_well(&found) && !found.asked_all, "{found:?}");
    let again = stage.asked()[before..].iter().filter(|path| path.contains("modified_since")).count();
    assert!(again >= 45, "{again}: what was read is not read whole again");
    let second = second.unwrap();
    assert_eq!(second.snapshot, stage.fetch(15, None).await.0.unwrap().snapshot);
    // Answers of less than an hour are kept where there is no quota at all; then nobody can vouch for them.
    stage.world().others.push(("modified_since".into(), minute()));
    let (third, found) = stage.fetch(30, Some(&second)).await;
    let third = third.unwrap();
    assert!(is_well(&found) && third.snapshot.tasks.is_some(), "{found:?}");
    stage.world().others = vec![("/tasks?project=11".into(), minute()), ("/tasks?project=10".into(), minute())];
    let (_, found) = stage.fetch(90, Some(&third)).await;
    assert_eq!(gaps(&found), ["bugs", "tasks"]);
    assert!(found.gaps["tasks"].contains("429"), "{:?}", found.gaps);
}

#[tokio::test]
async fn where_no_list_at_all_is_answered_for_want_of_quota_the_tasks_are_a_gap() {
    let stage = Stage::new(world(), &[BUGS]).await;
    stage.world().others.push(("/tasks?".into(), Reply::status(429).header("retry-after", "3600")));
    let (_, found) = stage.fetch(0, None).await;
    assert_eq!(gaps(&found), ["bugs", "tasks"]);
    assert_eq!(found.pending["tasks"], 118);
}

#[tokio::test]
async fn what_fails_while_lists_are_missing_costs_none_of_those_that_were_read() {
    let stage = Stage::new(world(), &[("ASANA_BUDGET", "105")]).await;
    let (first, found) = stage.fetch(0, None).await;
    assert_eq!((gaps(&found), found.pending["tasks"]), (vec![], 23));
    stage.world().others.push(("project=1050&".into(), Reply::status(403)));
    let (second, found) = stage.fetch(15, Some(&first.unwrap())).await;
    let second = second.unwrap();
    assert_eq!((gaps(&found), found.pending["tasks"], second.snapshot.tasks.is_some()), (vec!["tasks"], 0, false));
    assert_eq!(second.kept.listed.len(), 117);
    stage.world().others.clear();
    let before = stage.asked().len();
    let (third, found) = stage.fetch(30, Some(&second)).await;
    assert!(is_well(&found) && !found.asked_all, "{found:?}");
    let asked = stage.asked()[before..].to_vec();
    let whole = |path: &&String| path.contains("project=1050&") && !path.contains("modified_since");
    assert_eq!(asked.iter().filter(whole).count(), 1, "the list that failed is read whole");
    assert!(asked.iter().filter(|path| path.contains("modified_since")).count() > 80);
    let same = std::mem::take(&mut *stage.world());
    let whole = Stage::new(same, &[]).await.fetch(30, None).await.0.unwrap();
    assert_eq!(plain(&third.unwrap()), plain(&whole));
}

#[tokio::test]
async fn projects_that_cannot_be_listed_cost_their_own_rows_and_the_tasks_go_on_from_the_last_list() {
    let stage = Stage::new(world(), &[BUGS]).await;
    let mut last = stage.fetch(0, None).await.0.unwrap();
    stage.world().others.push(("/projects?".into(), Reply::status(403)));
    for step in 1..3_i64 {
        stage.world().put(9000 + usize::try_from(step).unwrap(), 0, None, &["1003"], 5 - step * 15);
        let (fetched, found) = stage.fetch(step * 15, Some(&last)).await;
        last = fetched.unwrap();
        assert_eq!((gaps(&found), found.oldest), (vec!["projects"], Some(ago(0))), "{step}");
        assert_eq!(last.snapshot.projects, None);
        let tasks = last.snapshot.tasks.as_ref().unwrap();
        assert_eq!(tasks.len(), 370 + usize::try_from(step).unwrap());
    }
    stage.world().others.clear();
    stage.world().projects.insert("1003".into(), true);
    let (healed, found) = stage.fetch(45, Some(&last)).await;
    assert!(is_well(&found) && found.oldest.is_none(), "{found:?}");
    assert_eq!(healed.unwrap().snapshot, stage.fetch(45, None).await.0.unwrap().snapshot);
}

#[tokio::test]
async fn only_the_configured_projects_count_where_there_are_any() {
    // One of them is completed.
    let stage = Stage::new(world(), &[("ASANA_TASK_PROJECTS", "1002,web=1119")]).await;
    let (fetched, found) = stage.fetch(0, None).await;
    assert!(is_well(&found), "{found:?}");
    let tasks = fetched.unwrap().snapshot.tasks.unwrap();
    assert_eq!(tasks.keys().map(|gid| &**gid).collect::<Vec<_>>(), ["302", "419"]);
    assert_eq!(stage.asked().len(), 2 + 2);
}

#[tokio::test]
async fn without_a_project_of_bugs_there_is_nothing_to_read_and_no_gap() {
    let stage = Stage::new(world(), &[]).await;
    let (fetched, found) = stage.fetch(0, None).await;
    assert!(is_well(&found) && fetched.unwrap().snapshot.bugs.is_empty());
    assert_eq!(parts::configured(&stage.asana.config), [parts::PROJECTS, parts::TASKS]);
}

#[tokio::test]
async fn an_unreadable_list_of_bugs_is_unknown_and_so_are_the_tasks_that_it_holds() {
    let mut broken = world();
    broken.others.push(("project=1000&".into(), Reply::status(403)));
    let stage = Stage::new(broken, &[BUGS]).await;
    let (fetched, found) = stage.fetch(0, None).await;
    let fetched = fetched.unwrap();
    assert_eq!(gaps(&found), ["bugs", "tasks"]);
    assert_eq!((&fetched.snapshot.bugs, &fetched.snapshot.tasks), (&BTreeMap::from([("bugs".into(), None)]), &None));
    assert!(fetched.snapshot.projects.is_some());
    // The next fetch asks for all of it again, and for what changed in the others.
    stage.world().others.clear();
    let before = stage.asked().len();
    let (next, found) = stage.fetch(15, Some(&fetched)).await;
    assert!(is_well(&found), "{found:?}");
    let asked = stage.asked()[before..].to_vec();
    let mut bugs = asked.iter().filter(|path| path.contains("project=1000&"));
    assert!(bugs.all(|path| !path.contains("modified_since") && path.contains("tags.name")));
    assert_eq!(next.unwrap().snapshot, stage.fetch(15, None).await.0.unwrap().snapshot);
}

#[tokio::test]
async fn a_list_that_fails_makes_all_tasks_unknown_and_the_lists_after_it_are_not_asked_for() {
    let mut broken = world();
    broken.others.push(("project=1004&".into(), Reply::json(200, &json!({ "data": [{ "gid": "1" }] }))));
    let stage = Stage::new(broken, &[]).await;
    let (fetched, found) = stage.fetch(0, None).await;
    assert_eq!(fetched.unwrap().snapshot.tasks, None);
    assert!(found.gaps["tasks"].contains("another shape"), "{:?}", found.gaps);
    assert!(stage.asked().len() < 30, "{}", stage.asked().len());
}

#[tokio::test]
async fn unknown_projects_leave_the_tasks_unknown_and_the_bugs_known() {
    let mut broken = world();
    broken.others.push(("/projects?".into(), Reply::status(403)));
    let stage = Stage::new(broken, &[BUGS]).await;
    let (fetched, found) = stage.fetch(0, None).await;
    assert_eq!(gaps(&found), ["projects", "tasks"]);
    assert_eq!(fetched.unwrap().snapshot.bugs["bugs"].as_ref().unwrap().len(), 251);
}

#[tokio::test]
async fn a_search_finds_what_the_lists_tell_and_nothing_of_other_projects() {
    let mut paying = world();
    paying.pays = true;
    paying.put(900, 4000, None, &["1119"], 4000);
    paying.put(901, 4000, None, &[], 4000);
    // More than a page of one time, but for the ninety that fit.
    for task in 0..90 {
        paying.put(3000 + task, 50_000, None, &["1002"], 4000);
    }
    let stage = Stage::new(paying, &[("ASANA_SEARCH", "on")]).await;
    let (searched, found) = stage.fetch(0, None).await;
    assert!(is_well(&found), "{found:?}");
    assert!(stage.asked().iter().all(|path| !path.contains("/tasks?project=")), "no list is read");
    assert!(stage.asked().len() < 20, "{}", stage.asked().len());
    let searched = searched.unwrap();
    assert!(stage.fetch(15, Some(&searched)).await.1.asked_all, "a search is always of everything");
    let path = stage.asked().into_iter().find(|path| path.contains("created_at.after")).unwrap();
    assert!(path.contains("sort_by=created_at&sort_ascending=true&limit=100") && !path.contains("offset"), "{path}");
    let same = std::mem::take(&mut *stage.world());
    let listing = Stage::new(same, &[]).await;
    let listed = listing.fetch(0, None).await.0.unwrap();
    assert_eq!(plain(&searched), plain(&listed));
}

#[tokio::test]
async fn a_search_that_shows_no_more_of_one_time_is_an_error_and_no_end() {
    let mut paying = World { pays: true, ..World::default() };
    for task in 0..150 {
        paying.put(task, 50_000, None, &["1002"], 4000);
    }
    let stage = Stage::new(paying, &[("ASANA_SEARCH", "on")]).await;
    let (_, found) = stage.fetch(0, None).await;
    assert!(found.gaps["tasks"].contains("tasks of one time"), "{:?}", found.gaps);
}

#[tokio::test]
async fn where_searching_is_refused_the_lists_are_read_and_it_is_said_once() {
    let journal = Journal::keep();
    let stage = Stage::new(world(), &[("ASANA_SEARCH", "on")]).await;
    let (first, found) = stage.fetch(0, None).await;
    let first = first.unwrap();
    assert!(is_well(&found) && first.snapshot.tasks.as_ref().unwrap().len() == 370);
    let searches = || stage.asked().iter().filter(|path| path.contains("/search")).count();
    let tried = searches();
    stage.fetch(15, Some(&first)).await.0.unwrap();
    assert_eq!(searches(), tried, "a continued fetch does not try again");
    stage.fetch(30, None).await.0.unwrap();
    assert!(searches() > tried, "a whole one does");
    assert_eq!(journal.text().matches("ASANA_SEARCH").count(), 1);
}

#[tokio::test]
async fn of_several_workspaces_each_reads_the_bugs_that_are_in_it() {
    let mut several = world();
    several.others.push((
        "/projects/1000?".into(),
        Reply::json(200, &json!({ "data": { "gid": "1000", "workspace": { "gid": "2" } } })),
    ));
    let more = [BUGS, ("ASANA_WORKSPACES", "acme=1,other=2")];
    let stage = Stage::new(several, &more).await;
    let (fetched, found) = stage.fetch(0, None).await;
    assert!(is_well(&found) && fetched.as_ref().unwrap().snapshot.bugs.is_empty());
    let before = stage.asked().len();
    stage.fetch(15, Some(&fetched.unwrap())).await.0.unwrap();
    assert!(stage.asked()[before..].iter().all(|path| !path.contains("/projects/1000?")), "it is known by then");
}

#[tokio::test]
async fn each_thing_is_tried_and_a_refused_one_says_what_to_do() {
    let mut told = world();
    let me =
        |workspace: &str| Reply::json(200, &json!({ "data": { "gid": "7", "workspaces": [{ "gid": workspace }] } }));
    told.others.push(("/users/me".into(), me("1")));
    told.others.push(("/projects/1000?".into(), Reply::json(404, &json!({ "errors": [] }))));
    let stage = Stage::new(told, &[BUGS, ("ASANA_SEARCH", "on")]).await;
    let probes = stage.asana.probe("acme").await;
    let said: Vec<String> = probes
        .iter()
        .map(|probe| match &probe.found {
            Ok(found) => format!("{}: {found}", probe.what),
            Err(_) => format!("{} fails: {}", probe.what, probe.fix),
        })
        .collect();
    assert_eq!(said[0], "token: accepted, in the workspace 1", "and of whom is nobody else's business");
    assert_eq!(said[1], "acme: projects: 118 active, 118 of them to be read, in at most 140 calls a run");
    assert_eq!(said[2], "acme: tasks of project 1000: readable");
    assert!(said[3].starts_with("acme: bugs of bugs fails: check bugs=1000 in ASANA_BUGS_PROJECTS"), "{}", said[3]);
    assert!(said[4].starts_with("acme: search fails: set ASANA_SEARCH=off"), "{}", said[4]);
    for (path, what, scope) in [
        ("/projects?", "acme: projects", "projects:read"),
        ("/tasks?project=1001", "acme: tasks of project 1001", "tasks:read"),
        ("/tasks?project=1000", "acme: bugs of bugs", "tasks:read"),
        ("/users/me", "token", "users:read"),
    ] {
        let home = json!({ "data": { "gid": "1000", "workspace": { "gid": "1" } } });
        let own = vec![
            (path.into(), Reply::status(403)),
            ("/users/me".into(), me("1")),
            ("/projects/1000?".into(), Reply::json(200, &home)),
        ];
        let stage = Stage::new(World { others: own, ..world() }, &[BUGS, ("ASANA_TASK_PROJECTS", "1001")]).await;
        let probes = stage.asana.probe("acme").await;
        let refused: Vec<_> = probes.iter().filter(|probe| probe.found.is_err()).collect();
        assert_eq!(refused.iter().map(|probe| probe.what.as_str()).collect::<Vec<_>>(), [what]);
        assert!(refused[0].fix.contains(scope), "{}", refused[0].fix);
    }
    stage.world().others[0].1 = me("3");
    let elsewhere = stage.asana.probe("acme").await;
    let text = elsewhere[0].found.as_ref().unwrap_err().to_string();
    assert!(text.contains("ASANA_WORKSPACES=acme=3"), "{text}");
    stage.world().others[0].1 = Reply::status(401);
    let refused = stage.asana.probe("acme").await;
    assert!(refused.len() == 1 && refused[0].fix.contains("ASANA_TOKEN"), "the token alone is to be mended");
}

#[tokio::test]
async fn what_changed_may_be_more_than_a_page() {
    let stage = Stage::new(world(), &[]).await;
    let first = stage.fetch(0, None).await.0.unwrap();
    for task in 0..230 {
        stage.world().put(task, 9000, Some(-3), &["1000"], -5);
    }
    let (second, found) = stage.fetch(15, Some(&first)).await;
    assert!(!found.asked_all && is_well(&found), "{found:?}");
    assert_eq!(second.unwrap().snapshot, stage.fetch(15, None).await.0.unwrap().snapshot);
    let pages =
        stage.asked().iter().filter(|path| path.contains("project=1000&") && path.contains("modified_since")).count();
    assert_eq!(pages, 3);
}
