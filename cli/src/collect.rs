//! `vitals collect`: runs collectors once, shows what they measured, and sends it with `--push`.

use crate::config::{self, Settings};
use crate::entry::{self, Entry, Run};
use crate::output::{self, Format};
use crate::progress::Progress;
use jiff::Timestamp;
use shared::{Env, Error, Event, Report, Result, floor};
use std::process::ExitCode;
use std::time::Duration;

/// The time limit of one collector.
const TIME_LIMIT: Duration = Duration::from_mins(15);

/// The examples in the help.
pub const EXAMPLES: &str = "Examples:
  vitals collect github                     the numbers; nothing is sent
  vitals collect all --push                 every collector, and send what was measured
  vitals collect github --target acme/web   one target
  vitals collect github --format json       for a program";

#[derive(clap::Args)]
pub struct Args {
    /// The collectors to run; `all` means every one.
    #[arg(required = true, value_name = "NAME", value_parser = entry::names())]
    names: Vec<String>,
    /// Send the points to Datadog, and keep a record of what was sent.
    #[arg(long)]
    push: bool,
    /// Run only this target, e.g. acme/web.
    #[arg(long, value_name = "TARGET")]
    target: Option<String>,
    /// The time of the run, rounded down to fifteen minutes, e.g. 2026-01-08T12:00:00Z; now by default.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// The output format.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

pub async fn run(args: Args, settings: Settings, verbose: bool) -> Result<ExitCode> {
    let event = event(&args, config::wall(&settings)?)?;
    let env = Env::load(with_defaults(settings, args.push)).await?;
    let entries = entry::with_target(entry::named(&args.names), &env, args.target.as_deref()).await?;
    let (reports, mut failed) = reports(&entries, &env, &event, args.push).await?;
    output::show(&reports, args.format, verbose)?;
    for report in reports {
        output::print_summary(&report, args.format);
        failed |= !report.is_up() && !report.late;
        if let Some(error) = report.failure() {
            output::print_error(&error.with_causes());
            failed = true;
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The event that starts this run.
fn event(args: &Args, wall: Timestamp) -> Result<Event> {
    let time = args.at.as_deref().map_or(Ok(wall), |text| config::instant("--at", text))?;
    let event = Event::new(time, wall);
    event.check_not_ahead().map_err(|_| {
        let problem = format!("{time} lies in the future, and it is {wall} now");
        Error::config("--at", format!("{problem}, e.g. --at {}", floor(wall)))
    })?;
    Ok(args.target.iter().fold(event, Event::for_target))
}

/// Runs each collector, and says whether one of several could not start.
async fn reports(entries: &[&Entry], env: &Env, event: &Event, push: bool) -> Result<(Vec<Report>, bool)> {
    let progress = Progress::new("asking");
    let (mut reports, mut failed) = (Vec::new(), false);
    for entry in entries {
        let (env, run) = (env.apart(), Run { push, time: TIME_LIMIT });
        match progress.during(entry.name, (entry.run)(&env, event, run)).await {
            Ok(report) => reports.push(report),
            // If several collectors were named, one that cannot start does not stop the others.
            Err(error) if entries.len() > 1 => {
                output::print_error(&format!("{}: {}", entry.name, error.with_causes()));
                failed = true;
            }
            Err(error) => return Err(error),
        }
    }
    Ok((reports, failed))
}

/// Without `--push`, `DD_ENV` has a default: only what is sent needs a real one.
fn with_defaults(mut settings: Settings, push: bool) -> Settings {
    if !push {
        settings.entry("DD_ENV".to_owned()).or_insert_with(|| "local".to_owned());
    }
    settings
}
