//! `vitals collectors`: what there is, when it last ran, how it went.

use crate::config::{self, Settings};
use crate::output;
use crate::registry::{Entry, LastRun, REGISTRY};
use jiff::{SignedDuration, Timestamp};
use shared::{Env, Result, Store};
use std::process::ExitCode;

const HEADER: [&str; 9] =
    ["collector", "target", "last run", "age", "up", "gaps", "pending", "last whole fetch", "metrics"];

/// A run that fails as a whole keeps nothing: it shows as one that has been missing for so long.
const LATE: SignedDuration = SignedDuration::from_mins(30);

pub async fn run(settings: Settings) -> Result<ExitCode> {
    let wall = config::wall(&settings)?;
    let env = Env::load(settings).await?;
    let store = Store::open(&env).await?;
    let mut table = output::new_table(&HEADER);
    let mut code = ExitCode::SUCCESS;
    for entry in REGISTRY {
        match (entry.targets)(&env).await {
            Err(error) => drop(table.add_row(row(entry, &format!("not configured: {error}"), None, wall))),
            Ok(targets) => {
                for target in targets {
                    let last = (entry.last)(&store, &target, wall).await;
                    let last = last.unwrap_or_else(|error| {
                        output::complain(&format!("{} {target}: {}", entry.name, error.with_causes()));
                        code = ExitCode::FAILURE;
                        None
                    });
                    table.add_row(row(entry, &target, last, wall));
                }
            }
        }
    }
    output::print(&format!("{table}\n"))?;
    Ok(code)
}

fn row(entry: &Entry, target: &str, last: Option<LastRun>, wall: Timestamp) -> [String; 9] {
    let metrics = entry.metrics.len().to_string();
    let Some(LastRun { at, whole_at, gaps, pending }) = last else {
        let none = || "-".to_owned();
        return [entry.name.to_owned(), target.to_owned(), none(), none(), none(), none(), none(), none(), metrics];
    };
    let is_late = wall.duration_since(at) > LATE;
    let up = if gaps.is_empty() && !is_late { "yes" } else { "no" };
    let late = is_late.then(|| "no run since".to_owned());
    let gaps: Vec<String> = gaps.into_keys().chain(late).collect();
    let pending = pending.into_iter().filter(|(_, missing)| *missing > 0);
    let pending: Vec<String> = pending.map(|(part, missing)| format!("{part} {missing}")).collect();
    [
        entry.name.to_owned(),
        target.to_owned(),
        at.to_string(),
        format!("{} min", wall.duration_since(at).as_mins()),
        up.to_owned(),
        gaps.join(", "),
        pending.join(", "),
        whole_at.to_string(),
        metrics,
    ]
}
