//! `vitals collectors`: what there is, when it last ran, how it went.

use crate::config::{self, Settings};
use crate::output;
use crate::registry::REGISTRY;
use shared::{Env, Result, Store};
use std::process::ExitCode;

pub async fn run(settings: Settings) -> Result<ExitCode> {
    let wall = config::wall(&settings)?;
    let env = Env::load(settings).await?;
    let store = Store::open(&env).await?;
    let mut table =
        output::new_table(&["collector", "target", "last snapshot", "age", "last whole fetch", "metrics", "checks"]);
    for entry in REGISTRY {
        let (metrics, checks) = (entry.metrics.len().to_string(), entry.checks.len().to_string());
        let none = |text: &str| {
            [
                entry.name.to_owned(),
                text.to_owned(),
                "-".into(),
                "-".into(),
                "-".into(),
                metrics.clone(),
                checks.clone(),
            ]
        };
        match (entry.last)(&env, &store).await {
            Err(error) => drop(table.add_row(none(&format!("not configured: {error}")))),
            Ok(targets) => {
                for last in targets {
                    let mut row = none(&last.target);
                    if let Some((at, whole)) = last.at {
                        row[2] = at.to_string();
                        row[3] = format!("{} min", wall.duration_since(at).as_mins());
                        row[4] = whole.map_or_else(|| "-".to_owned(), |whole| whole.to_string());
                    }
                    table.add_row(row);
                }
            }
        }
    }
    output::print(&format!("{table}\n"))?;
    Ok(ExitCode::SUCCESS)
}
