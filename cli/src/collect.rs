//! `vitals collect`: run collectors, show what they say, and send it where that is wanted.

use crate::config::{self, Settings};
use crate::output::{self, Format};
use crate::registry::{self, Run};
use indicatif::{ProgressBar, ProgressStyle};
use shared::{Env, Event, Result};
use std::process::ExitCode;
use std::time::Duration;

/// The most time that one collector may take from a terminal.
const TIME: Duration = Duration::from_mins(15);

#[derive(clap::Args)]
pub struct Args {
    /// Which collectors; `all` for every one.
    #[arg(required = true, value_name = "NAME", value_parser = registry::names())]
    names: Vec<String>,
    /// Send the points to Datadog, and remember what was sent.
    #[arg(long)]
    push: bool,
    /// Only this one of the configured targets, such as acme/web.
    #[arg(long, value_name = "TARGET")]
    target: Option<String>,
    /// The time of the run, floored to fifteen minutes; now by default.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// How to show what was collected.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

pub async fn run(args: Args, settings: Settings, verbose: bool) -> Result<ExitCode> {
    let entries = registry::named(&args.names);
    let wall = config::wall(&settings)?;
    let time = args.at.as_deref().map_or(Ok(wall), |text| config::instant("--at", text))?;
    let mut event = Event::new(time, wall);
    event.not_ahead()?;
    if let Some(target) = &args.target {
        event = event.for_target(target);
    }
    let env = Env::load(with_defaults(settings, args.push)).await?;
    let mut reports = Vec::new();
    let mut failed = false;
    for entry in entries {
        let spinner = spinner(entry.name);
        let run = Run { push: args.push, time: TIME };
        let result = (entry.run)(&env.apart(), &event, run).await;
        spinner.finish_and_clear();
        match result {
            Ok(report) => reports.push(report),
            // One collector that cannot start does not keep the others from their work.
            Err(error) if args.names.len() > 1 || args.names[0] == "all" => {
                output::complain(&format!("{}: {}", entry.name, error.with_causes()));
                failed = true;
            }
            Err(error) => return Err(error),
        }
    }
    output::show(&reports, args.format, verbose)?;
    for report in reports {
        output::remarks(&report, args.format);
        failed |= !report.is_up() && !report.late;
        if let Some(error) = report.failure() {
            output::complain(&error.with_causes());
            failed = true;
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Without `--push` nobody is asked for what only the sink needs.
fn with_defaults(mut settings: Settings, push: bool) -> Settings {
    if !push {
        settings.entry("DD_ENV".to_owned()).or_insert_with(|| "local".to_owned());
    }
    settings
}

fn spinner(name: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_message(format!("{name}: asking"));
    bar.set_style(ProgressStyle::default_spinner());
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
