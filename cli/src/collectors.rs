//! `vitals collectors`: lists the collectors, and how the last run of each target went.

use crate::config::{self, Settings};
use crate::entry::{self, ENTRIES, LastRun};
use crate::output;
use crate::progress::Progress;
use crate::view::{self, Item, Verdict, View};
use futures::future;
use jiff::{SignedDuration, Timestamp};
use shared::{Env, Result, Store};
use std::process::ExitCode;

/// The examples in the help.
pub const EXAMPLES: &str = "Examples:
  vitals collectors      every target, and how its last run went
  vitals collectors -v   also when each was last fetched in full, and how many metrics there are";

/// A target without a run for this long is late. A run that fails as a whole keeps no snapshot, so it looks the same.
const LATE: SignedDuration = SignedDuration::from_mins(30);

/// A collector with its targets.
struct State {
    name: &'static str,
    metrics: usize,
    checks: usize,
    /// An error if it is not configured.
    targets: Result<Vec<Target>>,
}

/// A target with its last run, if there was one.
struct Target {
    name: String,
    last: Result<Option<LastRun>>,
}

pub async fn run(settings: Settings, verbose: bool) -> Result<ExitCode> {
    let wall = config::wall(&settings)?;
    let env = Env::load(settings).await?;
    let store = Store::open(&env).await?;
    let progress = Progress::new("reading the last runs of");
    let states = ENTRIES.iter().map(|entry| progress.during(entry.name, state(entry, &env, &store, wall)));
    let states = future::join_all(states).await;
    drop(progress);
    output::print_page(&page(&states, wall, View::of_terminal(verbose)))?;
    let mut targets = states.iter().filter_map(|state| state.targets.as_ref().ok()).flatten();
    Ok(if targets.any(|target| target.last.is_err()) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn state(entry: &entry::Entry, env: &Env, store: &Store, wall: Timestamp) -> State {
    let targets = match (entry.targets)(env).await {
        Err(error) => Err(error),
        Ok(names) => {
            let mut targets = Vec::new();
            for name in names {
                let last = (entry.last)(store, &name, wall).await;
                targets.push(Target { name, last });
            }
            Ok(targets)
        }
    };
    State { name: entry.name, metrics: entry.metrics.len(), checks: entry.checks.len(), targets }
}

/// A block for each collector, and a summary.
fn page(states: &[State], wall: Timestamp, view: View) -> String {
    let (mut text, mut verdicts) = (String::new(), Vec::new());
    for state in states {
        text.push_str(&view.heading(&[state.name]));
        if view.verbose {
            let has = [output::counted(state.metrics, "metric"), output::counted(state.checks, "check")];
            text.push_str(&view.remark(&has.join(", "), 2));
        }
        let items = match &state.targets {
            Ok(targets) => targets.iter().map(|target| item(state.name, target, wall, view.verbose)).collect(),
            Err(error) => vec![Item::new(Verdict::Open("off"), "not configured", vec![error.with_causes()])],
        };
        text.push_str(&[view.list(&items), "\n".to_owned()].concat());
        if state.targets.is_ok() {
            verdicts.extend(items.iter().map(Item::verdict));
        }
    }
    text + &summary(states, &verdicts, view)
}

/// How many targets need attention or have not run yet, and which collectors are not configured.
fn summary(states: &[State], verdicts: &[Verdict], view: View) -> String {
    let count = |wanted: fn(&Verdict) -> bool| verdicts.iter().filter(|verdict| wanted(verdict)).count();
    let bad = count(|verdict| matches!(verdict, Verdict::Bad(_)));
    let good = count(|verdict| matches!(verdict, Verdict::Good(_)));
    let open = verdicts.len() - bad - good;
    let Some(worst) = verdicts.iter().min() else {
        let text = "no target is configured; `vitals check` says what is missing";
        return view.summary(text, Verdict::Open("off"));
    };
    let mut texts = vec![view::attention(bad, good, verdicts.len())];
    if open > 0 {
        texts.push(format!("{open} without a run"));
    }
    let off: Vec<&str> = states.iter().filter(|state| state.targets.is_err()).map(|state| state.name).collect();
    if !off.is_empty() {
        texts.push(format!("not configured: {}", off.join(", ")));
    }
    view.summary(&texts.join("; "), *worst)
}

/// The item of a target.
fn item(collector: &str, target: &Target, wall: Timestamp, verbose: bool) -> Item {
    let (verdict, texts) = match &target.last {
        Err(error) => (Verdict::Bad("unknown"), vec![error.with_causes()]),
        Ok(None) => (Verdict::Open("no run"), vec![format!("run it: vitals collect {collector}")]),
        Ok(Some(last)) => {
            let verdict = if wall.duration_since(last.at) > LATE {
                Verdict::Bad("late")
            } else if last.gaps.is_empty() {
                Verdict::Good("up")
            } else {
                Verdict::Bad("failed")
            };
            (verdict, details(last, wall, verbose))
        }
    };
    Item::new(verdict, &target.name, texts)
}

/// When the last run was, which parts failed, and which are still filling.
fn details(last: &LastRun, wall: Timestamp, verbose: bool) -> Vec<String> {
    let mut texts = vec![format!("last run {}, {}", output::time(last.at), age(wall.duration_since(last.at)))];
    if verbose {
        texts.push(format!("last full fetch {}", output::time(last.whole_at)));
    }
    texts.extend(last.gaps.iter().map(|(part, why)| output::failed_part(part, why)));
    let pending = last.pending.iter().filter(|(_, missing)| **missing > 0);
    texts.extend(pending.map(|(part, missing)| output::filling_part(part, *missing)));
    texts
}

/// How long ago that is, in minutes, hours or days.
fn age(age: SignedDuration) -> String {
    match (age.as_mins(), age.as_hours()) {
        (minutes, _) if minutes < 120 => format!("{minutes} min ago"),
        (_, hours) if hours < 48 => format!("{hours} h ago"),
        (_, hours) => format!("{} days ago", hours / 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::Error;
    use shared::testing::at;

    fn last(time: &str, gaps: &[(&str, &str)], pending: &[(&str, u64)]) -> LastRun {
        LastRun {
            at: at(time),
            whole_at: at("2026-01-08T06:00:00Z"),
            gaps: gaps.iter().map(|(part, why)| ((*part).to_owned(), (*why).to_owned())).collect(),
            pending: pending.iter().map(|(part, missing)| ((*part).to_owned(), *missing)).collect(),
        }
    }

    fn states() -> Vec<State> {
        let target = |name: &str, last| Target { name: name.to_owned(), last };
        let targets = vec![
            target("acme/web", Ok(Some(last("2026-01-08T12:00:00Z", &[], &[("files", 12), ("dora", 0)])))),
            target(
                "acme/api",
                Ok(Some(last(
                    "2026-01-08T12:00:00Z",
                    &[("pulls", "github answered 503 to /repos/acme/api/pulls")],
                    &[],
                ))),
            ),
            target("acme/old", Ok(Some(last("2026-01-05T12:00:00Z", &[], &[])))),
            target("acme/new", Ok(None)),
            target("acme/bad", Err(Error::store("read snapshots/github/acme%2Fbad/latest", "no such bucket"))),
        ];
        vec![
            State { name: "github", metrics: 58, checks: 12, targets: Ok(targets) },
            State {
                name: "asana",
                metrics: 20,
                checks: 3,
                targets: Err(Error::config("ASANA_WORKSPACES", "not set, e.g. ASANA_WORKSPACES=acme=1200000000000001")),
            },
        ]
    }

    fn shown(states: &[State], width: usize, verbose: bool) -> String {
        page(states, at("2026-01-08T12:04:00Z"), View::new(width, false, verbose))
    }

    #[test]
    fn each_target_shows_its_last_run_and_the_last_line_sums_up() {
        assert_eq!(
            shown(&states(), 80, false),
            "\
github
  up      acme/web  last run 2026-01-08 12:00 UTC, 4 min ago
                    files is filling: 12 answers still missing; the next run
                    continues
  failed  acme/api  last run 2026-01-08 12:00 UTC, 4 min ago
                    pulls failed: github answered 503 to /repos/acme/api/pulls
  late    acme/old  last run 2026-01-05 12:00 UTC, 3 days ago
  no run  acme/new  run it: vitals collect github
  unknown acme/bad  the store could not read snapshots/github/acme%2Fbad/latest:
                    no such bucket

asana
  off     not configured  ASANA_WORKSPACES: not set, e.g.
                          ASANA_WORKSPACES=acme=1200000000000001

3 of 5 need attention; 1 without a run; not configured: asana
"
        );
    }

    #[test]
    fn a_narrow_verbose_page_shows_more_and_loses_no_word() {
        let mut states = states();
        if let Ok(targets) = &mut states[0].targets {
            targets.truncate(2);
        }
        assert_eq!(
            shown(&states, 40, true),
            "\
github
  58 metrics, 12 checks
  up      acme/web
            last run 2026-01-08 12:00
            UTC, 4 min ago
            last full fetch 2026-01-08
            06:00 UTC
            files is filling: 12 answers
            still missing; the next run
            continues
  failed  acme/api
            last run 2026-01-08 12:00
            UTC, 4 min ago
            last full fetch 2026-01-08
            06:00 UTC
            pulls failed: github
            answered 503 to
            /repos/acme/api/pulls

asana
  20 metrics, 3 checks
  off     not configured
            ASANA_WORKSPACES: not set,
            e.g. ASANA_WORKSPACES=acme=
            1200000000000001

1 of 2 needs attention; not
  configured: asana
"
        );
    }

    #[test]
    fn a_run_is_late_after_half_an_hour_and_not_before() {
        let of = |minutes: i64| {
            let wall = at("2026-01-08T12:00:00Z") + SignedDuration::from_mins(minutes);
            let last = Ok(Some(last("2026-01-08T12:00:00Z", &[], &[])));
            let target = Target { name: "acme/web".to_owned(), last };
            item("github", &target, wall, false).verdict()
        };
        assert_eq!([of(30), of(31)], [Verdict::Good("up"), Verdict::Bad("late")]);
    }

    #[test]
    fn an_age_is_in_minutes_hours_or_days() {
        for (minutes, expected) in [(0, "0 min ago"), (119, "119 min ago"), (120, "2 h ago"), (2880, "2 days ago")] {
            assert_eq!(age(SignedDuration::from_mins(minutes)), expected);
        }
    }

    #[test]
    fn a_target_without_a_run_is_neither_ok_nor_in_need_of_attention() {
        let mut states = states();
        states.truncate(1);
        if let Ok(targets) = &mut states[0].targets {
            targets.retain(|target| ["acme/web", "acme/new"].contains(&target.name.as_str()));
        }
        let text = shown(&states, 80, false);
        assert!(text.ends_with("\n1 of 2 ok; 1 without a run\n"), "{text}");
    }

    #[test]
    fn without_a_target_the_summary_points_to_check() {
        let text = shown(&states()[1..], 80, false);
        assert!(text.ends_with("\nno target is configured; `vitals check` says what is missing\n"), "{text}");
    }
}
