//! CI: the runs of the window continued from those known, the workflows, and the runs that decided before the window.

use super::client::Client;
use super::runs::{Listed, Lister, Read, Stretch, reads};
use crate::kept::Kept;
use crate::snapshot::{Rules, Run, Workflow};
use futures::{StreamExt, TryStreamExt, future, stream};
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde::Deserialize;
use shared::{Error, Result, http::escape};
use std::collections::{BTreeMap, BTreeSet};

/// How far back runs are asked for again, so that their re-runs are seen.
const BACK: SignedDuration = SignedDuration::from_hours(2);

/// How long the list of workflows is good.
pub(super) const DAY: SignedDuration = SignedDuration::from_hours(24);

/// How far back a decisive run still says how a workflow is.
const OLDEST: SignedDuration = SignedDuration::from_hours(14 * 24);

/// How many workflows are asked at the same time.
const ABREAST: usize = 8;

/// The most workflows whose older runs are asked for.
const WORKFLOWS: usize = 40;

/// Up to so many unfinished runs are asked for one by one; more of them by listing those that are still unfinished.
const FEW: usize = 3;

/// What is asked for runs: stretches of creation times, and single ones that were unfinished before those.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    stretches: Vec<Stretch>,
    single: Vec<u64>,
    /// The words that say why the single ones are unfinished, where those are many.
    statuses: BTreeSet<String>,
}

impl Plan {
    /// All of the window.
    pub fn whole(now: Timestamp) -> Self {
        Self { stretches: vec![(now - super::WEEK, now - 1.second())], ..Self::default() }
    }

    /// What may have changed since the known runs were read, in as few calls as that takes.
    pub fn continued(known: &[Run], missing: &[Stretch], at: Timestamp, now: Timestamp) -> Self {
        let latest = at - super::OVERLAP;
        let unfinished: Vec<&Run> =
            known.iter().filter(|run| run.conclusion.is_none() && run.created_at < latest).collect();
        let fresh = known.iter().filter(|run| run.created_at >= at - now.duration_since(at)).count();
        let cost = |from: Timestamp| {
            let listed = known.iter().filter(|run| run.created_at >= from).count() + fresh;
            let older: Vec<&Run> = unfinished.iter().copied().filter(|run| run.created_at < from).collect();
            listed.div_ceil(100).max(1) + if older.len() > FEW { statuses(&older).len() } else { older.len() }
        };
        let starts = unfinished.iter().map(|run| run.created_at).chain([latest, latest.min(now - BACK)]);
        let from = starts.min_by_key(|from| (cost(*from), *from)).unwrap_or(latest).max(now - super::WEEK);
        let mut stretches = vec![(from, now - 1.second())];
        stretches.extend(
            missing.iter().map(|(start, end)| ((*start).max(now - super::WEEK), (*end).min(from - 1.second()))),
        );
        stretches.retain(|(start, end)| start <= end);
        let older = |run: &&Run| run.created_at < from && !inside(&stretches, run.created_at);
        let older: Vec<&Run> = unfinished.into_iter().filter(older).collect();
        let statuses = if older.len() > FEW { statuses(&older) } else { BTreeSet::new() };
        Self { single: older.into_iter().map(|run| run.id).collect(), statuses, stretches }
    }
}

fn statuses(runs: &[&Run]) -> BTreeSet<String> {
    runs.iter().filter_map(|run| run.open.clone()).collect()
}

fn inside(stretches: &[Stretch], at: Timestamp) -> bool {
    stretches.iter().any(|(start, end)| *start <= at && at < *end + 1.second())
}

/// Runs as they were read, before it is known which branch counts.
pub(super) struct Answer {
    plan: Plan,
    read: Read,
    single: Vec<(u64, Result<Option<super::runs::Wire>>)>,
}

/// Asks what the plan says.
pub(super) async fn ask(lister: &Lister<'_>, plan: Plan) -> Answer {
    let (read, single) = future::join(lister.read(plan.stretches.clone()), singles(lister, &plan)).await;
    Answer { plan, read, single }
}

/// The single runs: those still unfinished from the lists of them, the others one by one.
async fn singles(lister: &Lister<'_>, plan: &Plan) -> Vec<(u64, Result<Option<super::runs::Wire>>)> {
    let lists = future::join_all(plan.statuses.iter().map(|status| lister.with_status(status))).await;
    // A list that fails or is too long says nothing; whoever is not listed is asked for.
    let unfinished = lists.into_iter().filter_map(|list| list.ok().flatten()).flatten();
    let mut known: BTreeMap<u64, super::runs::Wire> = unfinished.map(|run| (run.id, run)).collect();
    let answers = plan.single.iter().map(|id| {
        let known = known.remove(id);
        async move {
            let answer = match known {
                Some(run) => Ok(Some(run)),
                None => lister.by_id(*id).await,
            };
            (*id, answer)
        }
    });
    future::join_all(answers.collect::<Vec<_>>()).await
}

/// The runs of the window, known as a whole or not.
pub(super) struct Runs {
    /// By creation.
    pub inside: Vec<Run>,
    /// Those that left the window.
    pub dropped: Vec<Run>,
    /// Stretches that are still to be read.
    pub missing: Vec<Stretch>,
    /// Why some of them could not be read.
    pub why: Option<Error>,
}

impl Answer {
    /// Puts what was read in the place of what was known, and remembers what earlier attempts ended with.
    pub fn join(self, known: Vec<Run>, branch: &str, now: Timestamp, kept: &mut Kept) -> Runs {
        let mut why = self.read.why;
        let mut runs: BTreeMap<u64, Run> = known.into_iter().map(|run| (run.id, run)).collect();
        let before = runs.clone();
        let (asked, missing) = (&self.plan.stretches, &self.read.missing);
        runs.retain(|_, run| !inside(asked, run.created_at) || inside(missing, run.created_at));
        let mut wires: Vec<super::runs::Wire> = self.read.runs.into_values().collect();
        for (id, answer) in self.single {
            match answer {
                Ok(Some(run)) => wires.push(run),
                Ok(None) => drop(runs.remove(&id)),
                Err(error) => why = Some(why.unwrap_or(error)),
            }
        }
        runs.extend(reads(wires, branch).map(|run| (run.id, run)));
        for run in runs.values() {
            let earlier = before.get(&run.id).filter(|earlier| earlier.attempt < run.attempt);
            if let Some((earlier, conclusion)) =
                earlier.and_then(|earlier| Some((earlier, earlier.conclusion.as_deref()?)))
            {
                kept.attempts.entry(run.id).or_default().insert(earlier.attempt, failed(Some(conclusion)));
            }
        }
        let (start, mut sorted) = (now - super::WEEK, runs.into_values().collect::<Vec<_>>());
        sorted.sort_by_key(|run| (run.created_at, run.id));
        sorted.retain(|run| run.created_at < now);
        let inside = sorted.split_off(sorted.partition_point(|run| run.created_at < start));
        Runs { inside, dropped: sorted, missing: self.read.missing, why }
    }
}

/// Whether a conclusion is a failure.
pub(super) fn failed(conclusion: Option<&str>) -> bool {
    matches!(conclusion, Some("failure" | "timed_out" | "startup_failure"))
}

/// Whether a run says something about its workflow on the branch.
fn decides(run: &Run) -> bool {
    run.on_branch && (failed(run.conclusion.as_deref()) || run.conclusion.as_deref() == Some("success"))
}

#[derive(Deserialize)]
struct Workflows {
    workflows: Vec<Wire>,
}

#[derive(Deserialize)]
struct Wire {
    id: u64,
    name: String,
    path: String,
    state: String,
}

/// The workflows, unless those known are of today and name every workflow that ran; with the time they are of.
pub(super) async fn workflows(
    client: &Client,
    repo: &str,
    known: Option<(&Vec<Workflow>, Timestamp)>,
    runs: &[Run],
    now: Timestamp,
) -> Result<(Vec<Workflow>, Timestamp)> {
    if let Some((workflows, at)) = known.filter(|(_, at)| now.duration_since(*at) < DAY) {
        let ids: BTreeSet<u64> = workflows.iter().map(|workflow| workflow.id).collect();
        let told = |run: &&Run| run.created_at < at || ids.contains(&run.workflow);
        if runs.iter().all(|run| told(&run)) {
            return Ok((workflows.clone(), at));
        }
    }
    let pages: Vec<Workflows> = client.all(&format!("/repos/{repo}/actions/workflows?per_page=100")).await?;
    let wires = pages.into_iter().flat_map(|page| page.workflows);
    let mut workflows: Vec<Workflow> = wires
        .map(|wire| Workflow {
            id: wire.id,
            file: wire.path.rsplit('/').next().unwrap_or_default().to_owned(),
            name: wire.name,
            active: wire.state == "active",
        })
        .collect();
    workflows.sort_by_key(|workflow| workflow.id);
    Ok((workflows, now))
}

/// The workflows that have no decisive run on the branch in the window and may need an older one.
fn undecided<'w>(workflows: &'w [Workflow], runs: &[Run], rules: &Rules) -> Vec<&'w Workflow> {
    let decided: BTreeSet<u64> = runs.iter().filter(|run| decides(run)).map(|run| run.workflow).collect();
    let named = |list: &Option<Vec<String>>, workflow: &Workflow| {
        list.as_ref().is_none_or(|list| {
            list.iter()
                .any(|word| word.eq_ignore_ascii_case(&workflow.name) || word.eq_ignore_ascii_case(&workflow.file))
        })
    };
    // Without a list, whatever was pushed to the branch in fourteen days is blocking: that takes a look at each.
    let wanted = |workflow: &&Workflow| {
        let benchmark = match &rules.benchmark {
            Some(_) => named(&rules.benchmark, workflow),
            None => workflow.name.to_lowercase().contains("benchmark"),
        };
        !decided.contains(&workflow.id) && (benchmark || named(&rules.blocking, workflow))
    };
    // A disabled workflow was pushed to as well, but where not all can be asked the others come first.
    let mut wanted: Vec<&Workflow> = workflows.iter().filter(wanted).collect();
    wanted.sort_by_key(|workflow| !workflow.active);
    wanted
}

/// For the undecided workflows: their newest decisive run before the window, where fourteen days hold one.
pub(super) async fn older(
    client: &Client,
    repo: &str,
    branch: &str,
    (workflows, runs, rules): (&[Workflow], &[Run], &Rules),
    known: Option<(&BTreeMap<u64, Run>, &[Run])>,
    now: Timestamp,
) -> Result<BTreeMap<u64, Run>> {
    let undecided = undecided(workflows, runs, rules);
    let fits = |run: &Run| run.on_branch && now - OLDEST <= run.created_at && run.created_at < now - super::WEEK;
    if let Some((older, dropped)) = known {
        // What left the window since is newer than what was found before it.
        let telling = |workflow: &Workflow| {
            let all = dropped.iter().chain(older.values());
            telling(&all.filter(|run| run.workflow == workflow.id && fits(run)).cloned().collect::<Vec<_>>())
        };
        return Ok(undecided.into_iter().flat_map(telling).collect());
    }
    let ids: Vec<u64> = undecided.into_iter().take(WORKFLOWS).map(|workflow| workflow.id).collect();
    let asked = ids.into_iter().map(|id| async move {
        let path =
            format!("/repos/{repo}/actions/workflows/{id}/runs?branch={}&status=completed&per_page=20", escape(branch));
        let listed: Listed = client.get(&path).await?;
        Ok::<_, Error>(telling(&reads(listed.workflow_runs, branch).filter(fits).collect::<Vec<_>>()))
    });
    let found: Vec<Vec<(u64, Run)>> = stream::iter(asked).buffer_unordered(ABREAST).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

/// Of a workflow's older runs those that say something, by their ids: the newest decisive one, and the newest push, which
/// makes the workflow a blocking one whatever became of it.
fn telling(runs: &[Run]) -> Vec<(u64, Run)> {
    let newest =
        |wanted: fn(&Run) -> bool| runs.iter().filter(|run| wanted(run)).max_by_key(|run| (run.number, run.attempt));
    [newest(decides), newest(|run| run.push)].into_iter().flatten().map(|run| (run.id, run.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Stage, World, ago, run};
    use super::*;
    use serde_json::json;

    fn known(id: u64, minutes: i64, conclusion: Option<&str>) -> Run {
        let wire: super::super::runs::Wire = serde_json::from_value(run(id, minutes, conclusion)).unwrap();
        reads([wire], "main").next().unwrap()
    }

    #[test]
    fn two_hours_are_asked_again_where_that_costs_no_more() {
        let runs: Vec<Run> = (0..50).map(|id| known(id, 20 + i64::try_from(id).unwrap(), Some("success"))).collect();
        let plan = Plan::continued(&runs, &[], ago(15), ago(0));
        assert_eq!(plan, Plan { stretches: vec![(ago(120), ago(0) - 1.second())], ..Plan::default() });
    }

    #[test]
    fn a_busy_repository_is_asked_for_less_and_a_few_old_ones_by_id() {
        let mut runs: Vec<Run> =
            (0..900).map(|id| known(id, 15 + i64::try_from(id).unwrap() / 8, Some("success"))).collect();
        runs.push(known(5000, 3000, None));
        let plan = Plan::continued(&runs, &[], ago(15), ago(0));
        assert_eq!((plan.stretches[0].0, plan.single), (ago(30), vec![5000]));
    }

    #[tokio::test]
    async fn many_unfinished_runs_are_found_in_the_list_of_those_and_only_what_ended_is_asked_for() {
        // As many runs that ended since lie between as make one listing of all of them dear.
        let ended = |id: u64| (id == 7 || id > 30).then_some("success");
        let runs: Vec<_> = (1..=930).map(|id| run(id, 3000 - i64::try_from(id).unwrap(), ended(id))).collect();
        let before: Vec<Run> =
            (1..=930).map(|id| known(id, 3000 - i64::try_from(id).unwrap(), (id > 30).then_some("success"))).collect();
        let plan = Plan::continued(&before, &[], ago(15), ago(0));
        assert_eq!((plan.single.len(), plan.statuses.clone()), (30, ["in_progress".to_owned()].into()));
        let stage = Stage::new(World { runs, ..World::default() }, &[]).await;
        let answer = ask(&Lister::new(&stage.upstream.client, "acme/web"), plan).await;
        assert_eq!(stage.calls(), 3, "a page of the newest, the list, and the one that is not in it");
        let after = answer.join(before, "main", ago(0), &mut Kept::default());
        let ended = after.inside.iter().filter(|run| run.id <= 30 && run.conclusion.is_some()).map(|run| run.id);
        assert_eq!((ended.collect::<Vec<_>>(), after.inside.len(), after.why.is_none()), (vec![7], 930, true));
    }

    #[test]
    fn what_was_missing_is_asked_too_as_far_as_it_is_still_of_interest() {
        let missing = [(ago(8 * 1440), ago(6 * 1440)), (ago(9 * 1440), ago(8 * 1440)), (ago(200), ago(1))];
        let plan = Plan::continued(&[], &missing, ago(15), ago(0));
        let expected =
            [(ago(120), ago(0) - 1.second()), (ago(7 * 1440), ago(6 * 1440)), (ago(200), ago(120) - 1.second())];
        assert_eq!(plan.stretches, expected);
    }

    #[test]
    fn a_run_that_is_not_listed_any_more_is_gone_and_an_earlier_attempt_is_remembered() {
        let before =
            vec![known(1, 60, Some("failure")), known(2, 50, Some("success")), known(3, 7 * 1440 + 5, Some("success"))];
        let mut again = run(1, 60, Some("success"));
        again["run_attempt"] = 2.into();
        let again: super::super::runs::Wire = serde_json::from_value(again).unwrap();
        let read = Read { runs: [(1, again)].into(), missing: vec![], why: None };
        let plan = Plan { stretches: vec![(ago(120), ago(0) - 1.second())], ..Plan::default() };
        let mut kept = Kept::default();
        let runs = Answer { plan, read, single: vec![] }.join(before, "main", ago(0), &mut kept);
        assert_eq!(runs.inside.iter().map(|run| (run.id, run.attempt)).collect::<Vec<_>>(), [(1, 2)]);
        assert_eq!(runs.dropped.iter().map(|run| run.id).collect::<Vec<_>>(), [3]);
        assert_eq!(kept.attempts, [(1, [(1, true)].into())].into());
    }

    #[test]
    fn what_could_not_be_read_stays_as_it_was_and_missing() {
        let stretch = (ago(120), ago(0) - 1.second());
        let read = Read { missing: vec![stretch], why: Some(Error::incomplete("runs")), ..Read::default() };
        let plan = Plan { stretches: vec![stretch], ..Plan::default() };
        let answer = Answer { plan, read, single: vec![] };
        let runs = answer.join(vec![known(1, 60, None)], "main", ago(0), &mut Kept::default());
        assert_eq!((runs.inside.len(), runs.missing, runs.why.is_some()), (1, vec![stretch], true));
    }

    #[tokio::test]
    async fn an_undecided_workflow_is_judged_by_its_newest_decisive_run_of_fourteen_days() {
        let rules = Rules::default();
        let workflow =
            |id: u64, name: &str, active| Workflow { id, name: name.into(), file: format!("{id}.yml"), active };
        let workflows = [workflow(1, "Test", true), workflow(2, "Lint", true), workflow(3, "Old", false)];
        let mut runs = vec![known(1, 60, Some("success")), known(2, 50, Some("cancelled"))];
        runs[1].workflow = 2;
        let mut older_run = run(9, 10 * 1440, Some("failure"));
        older_run["workflow_id"] = 2.into();
        let mut cancelled = run(10, 9 * 1440, Some("cancelled"));
        cancelled["workflow_id"] = 2.into();
        let listed = json!({ "total_count": 2, "workflow_runs": [cancelled, older_run] });
        let path = "/repos/acme/web/actions/workflows/2/runs?branch=main&status=completed&per_page=20";
        let world =
            World { others: vec![(path.into(), shared::testing::Reply::json(200, &listed))], ..World::default() };
        let stage = Stage::new(world, &[]).await;
        let client = &stage.upstream.client;
        let facts: (&[Workflow], &[Run], &Rules) = (&workflows, &runs, &rules);
        let found = older(client, "acme/web", "main", facts, None, ago(0)).await.unwrap();
        let ids = |runs: &BTreeMap<u64, Run>| runs.values().map(|run| (run.workflow, run.id)).collect::<Vec<_>>();
        assert_eq!(ids(&found), [(2, 9), (2, 10)], "the newest decisive run, and the newest push");
        // Continued: no call, and what left the window since comes first.
        let mut dropped = known(11, 7 * 1440 + 3, Some("success"));
        dropped.workflow = 2;
        let calls = stage.calls();
        let next = older(client, "acme/web", "main", facts, Some((&found, &[dropped])), ago(0)).await.unwrap();
        assert_eq!((ids(&next), stage.calls()), (vec![(2, 11)], calls));
        let later = older(client, "acme/web", "main", facts, Some((&found, &[])), ago(-5 * 1440)).await.unwrap();
        assert_eq!(ids(&later), [(2, 10)], "a run of fifteen days ago says nothing");
    }

    #[tokio::test]
    async fn the_workflows_of_today_are_used_again_until_an_unknown_one_runs() {
        let stage = Stage::new(World::default(), &[]).await;
        let client = &stage.upstream.client;
        let (known_ones, at) = workflows(client, "acme/web", None, &[], ago(60)).await.unwrap();
        assert_eq!((known_ones[0].file.as_str(), at, stage.calls()), ("test.yml", ago(60), 1));
        let mut stranger = known(5, 30, None);
        for (runs, now, calls) in
            [(vec![], ago(0), 1), (vec![stranger.clone()], ago(0), 1), (vec![], ago(60 - 1440), 2)]
        {
            workflows(client, "acme/web", Some((&known_ones, at)), &runs, now).await.unwrap();
            assert_eq!(stage.calls(), calls);
        }
        stranger.workflow = 77;
        workflows(client, "acme/web", Some((&known_ones, at)), &[stranger], ago(0)).await.unwrap();
        assert_eq!(stage.calls(), 3);
    }
}
