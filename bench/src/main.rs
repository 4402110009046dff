//! `make bench`: measures what the code costs, and compares it with the budgets of the design.

mod encoding;
mod function;
mod outage;
mod upstream;

use futures::future::BoxFuture;
use jiff::Timestamp;
use sandbox::Seed;
use shared::Collector;
use std::collections::BTreeMap;
use std::process::ExitCode;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// One line of the table.
struct Row {
    what: String,
    figure: f64,
    unit: &'static str,
    budget: f64,
    /// Whether the budget is a minimum.
    at_least: bool,
    note: String,
}

impl Row {
    fn at_most(what: impl Into<String>, figure: f64, budget: f64, unit: &'static str) -> Self {
        Self { what: what.into(), figure, unit, budget, at_least: false, note: String::new() }
    }

    fn at_least(what: impl Into<String>, figure: f64, budget: f64, unit: &'static str) -> Self {
        Self { at_least: true, ..Self::at_most(what, figure, budget, unit) }
    }

    fn note(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }

    fn is_within_budget(&self) -> bool {
        if self.at_least { self.figure >= self.budget } else { self.figure <= self.budget }
    }
}

/// The time at which the generated history of the organisations ends.
fn epoch() -> Timestamp {
    Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs(1_767_873_600)
}

fn organisation(size: u32) -> Seed {
    Seed { number: 1, size, epoch: epoch() }
}

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("bench: cannot start the async runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    println!("{}\n", machine());
    eprintln!("encoding");
    let mut rows = vec![encoding::throughput()];
    let measured = runtime.block_on(measure(&mut rows));
    print(&rows);
    match measured {
        Ok(()) if rows.iter().all(Row::is_within_budget) => ExitCode::SUCCESS,
        Ok(()) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures one collector.
type Measure = for<'a> fn(&'a mut Vec<Row>) -> BoxFuture<'a, Result<(), Failure>>;

struct Measures(Vec<Measure>);

impl registry::Visitor for Measures {
    fn visit<C: Collector + 'static>(&mut self) {
        self.0.push(|rows| Box::pin(measure_collector::<C>(rows)));
    }
}

/// Measures each collector against its own budgets.
async fn measure(rows: &mut Vec<Row>) -> Result<(), Failure> {
    let mut measures = Measures(Vec::new());
    registry::visit(&mut measures);
    for measure in measures.0 {
        measure(rows).await?;
    }
    if is_wanted("outage") {
        eprintln!("an hour without Datadog");
        rows.extend(Box::pin(outage::rows()).await?);
    }
    Ok(())
}

/// Whether this part was named on the command line, as in `bench asana`; without names, every part is measured.
fn is_wanted(part: &str) -> bool {
    let mut named = std::env::args().skip(1).peekable();
    named.peek().is_none() || named.any(|name| name == part)
}

/// Measures one collector.
async fn measure_collector<C: Collector>(rows: &mut Vec<Row>) -> Result<(), Failure> {
    if !is_wanted(C::NAME) {
        return Ok(());
    }
    let one_target = |settings: &mut BTreeMap<String, String>| keep_first_target(settings, C::BUDGET.targets);
    eprintln!("{}: its calls and its time", C::NAME);
    rows.extend(Box::pin(upstream::rows::<C>(one_target)).await?);
    eprintln!("{}: the function as it is deployed", C::NAME);
    rows.extend(Box::pin(function::rows(C::NAME, one_target)).await?);
    Ok(())
}

/// Lifts Asana's limit of requests per minute: the time of the collector is measured, and not how long it waits.
fn lift_quota(sandbox: &sandbox::Sandbox) {
    sandbox.asana().set_quota(usize::MAX);
}

/// Keeps only the first target, because budgets are for one, and lets one run read all of it.
fn keep_first_target(settings: &mut BTreeMap<String, String>, list: &str) {
    if let Some(targets) = settings.get_mut(list) {
        *targets = targets.split(',').next().unwrap_or_default().to_owned();
    }
    settings.insert("ASANA_BUDGET".to_owned(), "100000".to_owned());
}

/// Describes the machine: without it the figures mean nothing.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .unwrap_or("unknown")
        .trim_start_matches(['\t', ':', ' ']);
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let load = read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" ");
    format!("{cores} cores, {model}; load before the run {load}; upstreams and collectors share these cores")
}

fn print(rows: &[Row]) {
    println!("| what | figure | budget | | |\n|---|---|---|---|---|");
    for row in rows {
        let sign = if row.at_least { ">=" } else { "<=" };
        let verdict = if row.is_within_budget() { "met" } else { "MISSED" };
        let digits = usize::from(row.figure.fract() != 0.0 && row.figure < 1000.0) * 2;
        println!(
            "| {} | {:.digits$} {} | {sign} {} {} | {verdict} | {} |",
            row.what, row.figure, row.unit, row.budget, row.unit, row.note
        );
    }
}
