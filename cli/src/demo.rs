//! `vitals demo`: runs every collector over a simulated day of a pretend organisation, and shows the points.

use crate::entry::{ENTRIES, Run};
use crate::output;
use crate::view::{Number, View};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::{SignedDuration, Timestamp};
use sandbox::datadog::Series;
use sandbox::{Clock, Options, Sandbox, Seed};
use shared::{Env, Error, Event, GRID, Report, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// The examples in the help.
pub const EXAMPLES: &str = "Examples:
  vitals demo                               a day of the first organisation
  vitals demo --hours 2 --seed 7            two hours of another one
  vitals demo --size 10 --out /tmp/vitals   a larger one, kept in another folder";

#[derive(clap::Args)]
pub struct Args {
    /// The organisation: each number generates a different one.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Its size, as a multiple of the smallest, e.g. 10 or 100.
    #[arg(long, default_value_t = 1)]
    size: u32,
    /// The length of the simulated time in hours, with four runs an hour.
    #[arg(long, default_value_t = 24)]
    hours: u32,
    /// The folder for points and state: a new or empty one, or one of an earlier demo, which is replaced.
    #[arg(long, default_value = ".vitals/demo", value_name = "FOLDER")]
    out: PathBuf,
}

/// The time at which the organisation's generated history ends, in Unix seconds.
const EPOCH: i64 = 1_767_873_600;

pub async fn run(args: Args, verbose: bool) -> Result<ExitCode> {
    let started = Instant::now();
    let epoch = Timestamp::from_second(EPOCH).map_err(|error| Error::local("set the time of the demo", error))?;
    prepare(&args.out)?;
    let database = args.out.join("datadog.sqlite");
    let seed = Seed { number: args.seed, size: args.size, epoch };
    let clock = Clock::at(epoch - SignedDuration::from_hours(i64::from(args.hours)));
    let options = Options { database: Some(database.clone()), ..Options::new(seed, clock.clone()) };
    let sandbox =
        Sandbox::start(options).await.map_err(|error| Error::local("start the pretend organisation", error))?;
    // A simulated day takes about a minute, and would exceed Asana's requests per minute.
    sandbox.asana().set_quota(usize::MAX);
    eprintln!(
        "A pretend organisation of {} people and {} repositories is up.",
        sandbox.organisation().people.len(),
        sandbox.organisation().repositories.len()
    );
    let mut settings = sandbox.env();
    settings.insert("STATE_DIR".to_owned(), args.out.join("state").display().to_string());
    let totals = run_all(&Env::load(settings).await?, &clock, args.hours).await?;
    show(&sandbox, verbose)?;
    totals.print(args.hours, started);
    eprintln!("The points are in {}; any SQLite tool opens it.", database.display());
    Ok(ExitCode::SUCCESS)
}

/// Totals over all runs of a demo.
#[derive(Default)]
struct Totals {
    runs: u64,
    samples: usize,
    calls: u64,
    down: usize,
    /// How many runs each part failed in, with the reason.
    gaps: BTreeMap<String, usize>,
}

/// Runs the collectors four times an hour, concurrently as on Lambda.
async fn run_all(env: &Env, clock: &Clock, hours: u32) -> Result<Totals> {
    let collectors: Vec<_> = ENTRIES.iter().map(|entry| (entry, env.apart())).collect();
    let (start, quarters) = (clock.now(), i32::try_from(hours).unwrap_or(i32::MAX / 4) * 4);
    let bar = ProgressBar::new((u64::from(hours) * 4 + 1) * ENTRIES.len() as u64);
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} runs, {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let mut totals = Totals::default();
    for quarter in 0..=quarters {
        let time = start + GRID * quarter;
        clock.set(time);
        bar.set_message(time.to_string());
        let mut reports = JoinSet::new();
        for (entry, env) in collectors.clone() {
            reports.spawn(async move {
                let run = Run { push: true, time: Duration::from_mins(2) };
                (entry.run)(&env, &Event::new(time, time), run).await
            });
        }
        while let Some(report) = reports.join_next().await {
            totals.add(&report.map_err(|error| Error::local("run a collector to its end", error))??);
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    Ok(totals)
}

impl Totals {
    fn add(&mut self, report: &Report) {
        self.runs += 1;
        self.samples += report.samples.len();
        self.calls += report.calls;
        self.down += usize::from(!report.is_up());
        for share in &report.shares {
            for (part, why) in &share.findings.gaps {
                *self.gaps.entry(format!("{} {} {part}: {why}", report.collector, share.target)).or_default() += 1;
            }
        }
    }

    fn print(&self, hours: u32, started: Instant) {
        let Self { runs, samples, calls, down, gaps } = self;
        let seconds = started.elapsed().as_secs_f64();
        eprintln!(
            "{runs} runs over {hours} simulated hours in {seconds:.1} s: {samples} samples, {calls} calls to upstreams, \
             {down} runs with gaps."
        );
        for (gap, runs) in gaps {
            eprintln!("  in {} {}", output::counted(runs, "run"), output::printable(gap));
        }
    }
}

/// The file that marks a folder as made by a demo.
const MARK: &str = ".vitals-demo";

/// Creates the folder, or empties it if a demo made it. Nothing else is removed: the name may be a mistake.
fn prepare(folder: &Path) -> Result<()> {
    let failed = |error| Error::local(format!("create the folder {}", folder.display()), error);
    match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
        Ok(mut entries) => {
            let is_own = folder.join(MARK).is_file();
            if !is_own && entries.next().is_some() {
                let problem =
                    format!("{} is not empty and was not made by a demo; name a new folder", folder.display());
                return Err(Error::config("--out", format!("{problem}, e.g. --out /tmp/demo")));
            }
            for name in
                ["datadog.sqlite", "datadog.sqlite-wal", "datadog.sqlite-shm", "state"].iter().filter(|_| is_own)
            {
                let path = folder.join(name);
                let removed = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
                match removed {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
                    _ => {}
                }
            }
        }
    }
    std::fs::create_dir_all(folder).and_then(|()| std::fs::write(folder.join(MARK), b"")).map_err(failed)
}

/// Prints each series with the last of its points, and how many points it has.
fn show(sandbox: &Sandbox, verbose: bool) -> Result<()> {
    let all = sandbox.store().series("*").map_err(|error| Error::local("read the points", error))?;
    output::print_page(&page(&groups(&all, verbose), View::of_terminal(verbose)))
}

/// One line for each series, grouped by collector.
fn groups(all: &[Series], verbose: bool) -> BTreeMap<&str, Vec<Number>> {
    let mut groups: BTreeMap<&str, Vec<Number>> = BTreeMap::new();
    for series in all {
        let collector = series.tags.iter().find_map(|tag| tag.strip_prefix("collector:")).unwrap_or_default();
        groups.entry(collector).or_default().push(number(series, verbose));
    }
    groups
}

/// The line of a series, without the tags that all series have. Only a verbose page has the keys of the tags.
fn number(series: &Series, verbose: bool) -> Number {
    const BASE: [&str; 5] = ["source:", "env:", "service:", "collector:", "workflow_category:"];
    let own = series.tags.iter().map(String::as_str).filter(|tag| !BASE.iter().any(|base| tag.starts_with(base)));
    let own = own.map(|tag| if verbose { tag } else { tag.split_once(':').map_or(tag, |(_, value)| value) });
    let what: Vec<&str> = std::iter::once(series.metric.as_str()).chain(own).collect();
    let last = series.points.last().map(|(_, value)| output::number(*value)).unwrap_or_default();
    let points = output::counted(series.points.len(), "point");
    Number { name: what.join(" "), value: last, unit: format!("last of {points}") }
}

fn page(groups: &BTreeMap<&str, Vec<Number>>, view: View) -> String {
    let blocks = groups.iter().map(|(collector, lines)| view.heading(&[collector]) + &view.numbers(lines));
    let series: usize = groups.values().map(Vec::len).sum();
    blocks.collect::<Vec<_>>().join("\n") + "\n" + &view.remark(&format!("{series} series"), 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(metric: &str, tags: &[&str], points: &[(i64, f64)]) -> Series {
        let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        Series { metric: metric.to_owned(), tags, points: points.to_vec() }
    }

    #[test]
    fn each_series_is_a_line_in_the_block_of_its_collector() {
        let all = [
            series("github.prs.open", &["collector:github", "env:demo", "repo:acme/web"], &[(0, 3.0), (900, 4.0)]),
            series("asana.tasks", &["collector:asana", "workspace:acme", "source:cron"], &[(0, 2.5)]),
            series(
                "github.ci.duration_p50_minutes",
                &["collector:github", "repo:acme/web", "workflow:nightly"],
                &[(0, 1.0)],
            ),
        ];
        let shown = |width, verbose| page(&groups(&all, verbose), View::new(width, false, verbose));
        let wide = "asana
  asana.tasks acme  2.500 last of 1 point

github
  github.prs.open acme/web                         4 last of 2 points
  github.ci.duration_p50_minutes acme/web nightly  1 last of 1 point

3 series
";
        assert_eq!(shown(80, false), wide);
        let narrow = "asana
  asana.tasks workspace:acme  2.500 last of 1 point

github
  github.prs.open repo:acme/web         4 last of 2 points
  github.ci.duration_p50_minutes        1 last of 1 point
    repo:acme/web workflow:nightly

3 series
";
        assert_eq!(shown(58, true), narrow);
    }
}
