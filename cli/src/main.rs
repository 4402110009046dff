//! `vitals`: the vital signs of an engineering organisation, on a terminal.

mod catalogue;
mod check;
mod collect;
mod collectors;
mod config;
mod demo;
mod entry;
mod metrics;
mod output;
mod page;
mod progress;
mod readback;
mod view;

use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

const EXAMPLES: &str = "Examples:
  vitals demo             a day of a pretend organisation; needs no account
  vitals check github     what is missing, and where to get it
  vitals collect github   the numbers; nothing is sent";

/// The vital signs of an engineering organisation: read, checked, and sent to Datadog.
///
/// Settings come from the environment and from vitals.toml; the environment wins. Exit codes: 0 success, 1 something
/// failed and everything else was done, 2 wrong usage, 78 wrong configuration.
#[derive(Parser)]
#[command(name = "vitals", version, propagate_version = true, arg_required_else_help = true, after_help = EXAMPLES)]
struct Cli {
    /// The settings file.
    #[arg(long, global = true, value_name = "FILE", default_value = "vitals.toml")]
    config: PathBuf,
    /// Show more and log more: -v shows more rows and logs each step, -vv logs every detail.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run every collector over a simulated day of a pretend organisation, and show the points
    #[command(after_help = demo::EXAMPLES)]
    Demo(demo::Args),
    /// Run collectors once and show what they measured; nothing goes to Datadog without --push
    #[command(after_help = collect::EXAMPLES)]
    Collect(collect::Args),
    /// List the collectors, and how the last run of each target went
    #[command(alias = "list-collectors", after_help = collectors::EXAMPLES)]
    Collectors,
    /// List the metrics and their meaning
    #[command(after_help = metrics::EXAMPLES)]
    Metrics(metrics::Args),
    /// Check configuration, credentials, reachability and permissions, and say what to do about each failure
    #[command(after_help = check::EXAMPLES)]
    Check(check::Args),
    /// Write the documents that are generated from the metrics
    #[command(subcommand, after_help = catalogue::EXAMPLES)]
    Catalogue(catalogue::Command),
}

/// Parses the arguments. An error is printed with an example of the command.
fn arguments() -> Cli {
    Cli::try_parse().unwrap_or_else(|mut error| {
        if error.get(ContextKind::Suggested).is_none()
            && let Some(example) = example(std::env::args().skip(1))
        {
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![format!("e.g. {example}").into()]));
        }
        error.exit()
    })
}

/// The first example of the command that these words name.
fn example(words: impl Iterator<Item = String>) -> Option<String> {
    let named = words.fold(Cli::command(), |command, word| command.find_subcommand(&word).cloned().unwrap_or(command));
    let help = named.get_after_help()?.to_string();
    help.lines().nth(1)?.trim().split("  ").next().map(str::to_owned)
}

fn main() -> ExitCode {
    let cli = arguments();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("vitals: cannot start the async runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(cli)) {
        Ok(code) => code,
        Err(error) => {
            output::print_error(&error.with_causes());
            ExitCode::from(error.exit_code())
        }
    }
}

async fn run(cli: Cli) -> shared::Result<ExitCode> {
    let settings = config::read(&cli.config)?;
    let env = shared::Env::of(settings.clone());
    let verbose = cli.verbose > 0;
    let level = ["error", "info", "debug"][usize::from(cli.verbose).min(2)];
    shared::logs(&env, shared::Logs::Text, level)?;
    match cli.command {
        Command::Demo(args) => demo::run(args, verbose).await,
        Command::Collect(args) => collect::run(args, settings, verbose).await,
        Command::Collectors => collectors::run(settings, verbose).await,
        Command::Metrics(args) => metrics::run(&args, verbose),
        Command::Check(args) => check::run(args, settings, verbose).await,
        Command::Catalogue(command) => catalogue::run(&command),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_and_argument_has_a_help_text_and_the_examples_parse() {
        fn visit(command: &clap::Command, names: &str, seen: &mut usize) {
            let name = format!("{names} {}", command.get_name()).trim().to_owned();
            assert!(command.get_about().is_some(), "{name}");
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{name} {}", argument.get_id());
            }
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            for line in help.lines().skip(1) {
                let words = line.trim().split("  ").next().unwrap_or_default().split(' ');
                let words: Vec<String> = words.map(|word| word.trim_matches('\'').to_owned()).collect();
                assert!(words.join(" ").starts_with(&name), "{line}");
                assert!(Cli::try_parse_from(&words).is_ok(), "{line}");
                *seen += 1;
            }
            command.get_subcommands().for_each(|command| visit(command, &name, seen));
        }
        let mut seen = 0;
        visit(&Cli::command(), "", &mut seen);
        assert!(seen > 15, "{seen}");
    }

    #[test]
    fn the_example_is_one_of_the_command_that_was_typed() {
        for (line, expected) in [
            ("collect", "vitals collect github"),
            ("catalogue docs --wrong", "vitals catalogue docs"),
            ("-v check nothing", "vitals check github"),
            ("nothing", "vitals demo"),
        ] {
            let words = line.split(' ').map(str::to_owned);
            assert_eq!(example(words).as_deref(), Some(expected), "{line}");
        }
    }
}
