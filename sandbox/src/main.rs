//! The pretend organisation as a program, for clients in any language.

use jiff::Timestamp;
use sandbox::{Clock, Options, Sandbox, Seed};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

const HELP: &str = "\
sandbox: a pretend organisation behind real HTTP APIs

  --seed N         which organisation (1)
  --size N         how large: 0 for a tenth, 1, 10, 100 (1)
  --at TIME        the time it stands at (2026-01-08T12:00:00Z)
  --real-time      it lives now, by the clock on the wall
  --db FILE        where Datadog's points are kept (in memory)
  --port-base N    the first port; the upstreams follow each other (any free ones)
  --latency MS     how long each answer of an upstream takes (0)

It prints the variables that a collector needs, one NAME=value a line, then an empty line, and serves until it is ended.
";

/// What the arguments say; each name with its value, an empty one for a switch.
fn arguments() -> Result<BTreeMap<String, String>, String> {
    let mut arguments = BTreeMap::new();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = match word.as_str() {
            "--real-time" | "--help" | "-h" => String::new(),
            "--seed" | "--size" | "--at" | "--db" | "--port-base" | "--latency" => {
                words.next().ok_or_else(|| format!("{word} wants a value"))?
            }
            other => return Err(format!("there is no argument {other}")),
        };
        arguments.insert(word, value);
    }
    Ok(arguments)
}

fn parsed<T: std::str::FromStr>(arguments: &BTreeMap<String, String>, name: &str, default: T) -> Result<T, String> {
    arguments.get(name).map_or(Ok(default), |text| text.parse().map_err(|_| format!("{name}: `{text}` cannot be read")))
}

fn main() -> ExitCode {
    let result = arguments().and_then(|arguments| {
        if arguments.contains_key("--help") || arguments.contains_key("-h") {
            print!("{HELP}");
            return Ok(());
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.map_err(|error| error.to_string())?.block_on(serve(&arguments))
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("sandbox: {problem}\n\n{HELP}");
            ExitCode::from(2)
        }
    }
}

async fn serve(arguments: &BTreeMap<String, String>) -> Result<(), String> {
    let real = Clock::real();
    let still: Timestamp =
        parsed(arguments, "--at", Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs(1_767_873_600))?;
    let (clock, epoch) =
        if arguments.contains_key("--real-time") { (real.clone(), real.now()) } else { (Clock::at(still), still) };
    let seed = Seed { number: parsed(arguments, "--seed", 1)?, size: parsed(arguments, "--size", 1)?, epoch };
    let mut options = Options::new(seed, clock);
    options.database = arguments.get("--db").map(Into::into);
    if arguments.contains_key("--port-base") {
        options.first_port = Some(parsed(arguments, "--port-base", 0)?);
    }
    let sandbox = Sandbox::start(options).await.map_err(|error| error.to_string())?;
    let latency = Duration::from_millis(parsed(arguments, "--latency", 0)?);
    for upstream in ["github", "skypilot", "skypilot_old", "asana", "wandb"] {
        sandbox.faults().base_latency(upstream, latency);
    }
    for (name, value) in sandbox.env() {
        println!("{name}={value}");
    }
    for upstream in ["secrets", "s3", "control"] {
        println!("SANDBOX_{}_URL={}", upstream.to_uppercase(), sandbox.url(upstream));
    }
    println!();
    std::future::pending::<()>().await;
    Ok(())
}
