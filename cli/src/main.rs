//! `vitals`: the vital signs of an engineering organisation, from a terminal.

mod catalogue;
mod check;
mod collect;
mod collectors;
mod config;
mod demo;
mod metrics;
mod output;
mod page;
mod progress;
mod readback;
mod registry;
mod view;

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// The vital signs of an engineering organisation: read them, judge them, send them to Datadog.
///
/// Settings come from the environment and from vitals.toml; the environment wins. Exit codes: 0 fine, 1 something failed
/// and the rest was done, 2 wrong use, 78 wrong configuration.
#[derive(Parser)]
#[command(name = "vitals", version, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    /// The settings file.
    #[arg(long, global = true, value_name = "FILE", default_value = "vitals.toml")]
    config: PathBuf,
    /// Show and log more: -v more rows and what is done, -vv every detail.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run every collector over a day of a pretend organisation, and show what is then in the store
    Demo(demo::Args),
    /// Run collectors once and show what they measured; nothing goes to Datadog without --push
    Collect(collect::Args),
    /// List the collectors, and how the last run of each target went
    #[command(alias = "list-collectors")]
    Collectors,
    /// List the metrics, and what each of them means
    Metrics(metrics::Args),
    /// Check configuration, credentials, reachability and permissions, and say what to do about each failure
    Check(check::Args),
    /// Write what is generated from the metrics
    #[command(subcommand)]
    Catalogue(catalogue::Command),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("vitals: no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(cli)) {
        Ok(code) => code,
        Err(error) => {
            output::complain(&error.with_causes());
            ExitCode::from(error.exit_code())
        }
    }
}

async fn run(cli: Cli) -> shared::Result<ExitCode> {
    let settings = config::read(&cli.config)?;
    let quiet = shared::Env::of(settings.clone());
    let verbose = cli.verbose > 0;
    let level = ["error", "info", "debug"][usize::from(cli.verbose).min(2)];
    shared::logs(&quiet, shared::Logs::Text, level)?;
    match cli.command {
        Command::Demo(args) => demo::run(args, verbose).await,
        Command::Collect(args) => collect::run(args, settings, verbose).await,
        Command::Collectors => collectors::run(settings, verbose).await,
        Command::Metrics(args) => metrics::run(&args, verbose),
        Command::Check(args) => check::run(args, settings, verbose).await,
        Command::Catalogue(command) => catalogue::run(&command),
    }
}
