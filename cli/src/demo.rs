//! `vitals demo`: a pretend organisation behind real HTTP APIs, a day of runs with the code of production, and the result.

use crate::output;
use crate::registry::{REGISTRY, Run};
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

/// What people type, for the help.
pub const EXAMPLES: &str = "Examples:
  vitals demo                               a day of the organisation with the number 1
  vitals demo --hours 2 --seed 7            two hours of another one
  vitals demo --size 10 --out /tmp/vitals   a larger one, kept in another folder";

#[derive(clap::Args)]
pub struct Args {
    /// Which organisation: each number grows another one.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How large it is: 1, 10 or 100.
    #[arg(long, default_value_t = 1)]
    size: u32,
    /// How many hours to run through, four runs an hour.
    #[arg(long, default_value_t = 24)]
    hours: u32,
    /// Where the points and the state are kept: a new or empty folder, or that of an earlier demo, which is replaced.
    #[arg(long, default_value = ".vitals/demo", value_name = "FOLDER")]
    out: PathBuf,
}

/// The instant the story of the pretend organisation is told around.
const EPOCH: i64 = 1_767_873_600;

pub async fn run(args: Args, verbose: bool) -> Result<ExitCode> {
    let started = Instant::now();
    let epoch = Timestamp::from_second(EPOCH).map_err(|error| Error::local("place the story in time", error))?;
    clear(&args.out)?;
    let database = args.out.join("datadog.sqlite");
    let seed = Seed { number: args.seed, size: args.size, epoch };
    let clock = Clock::at(epoch - SignedDuration::from_hours(i64::from(args.hours)));
    let options = Options { database: Some(database.clone()), ..Options::new(seed, clock.clone()) };
    let sandbox =
        Sandbox::start(options).await.map_err(|error| Error::local("start the pretend organisation", error))?;
    // A day in a minute is more than Asana bears in a minute.
    sandbox.asana().set_quota(usize::MAX);
    eprintln!(
        "A pretend organisation of {} people and {} repositories is up.",
        sandbox.organisation().people.len(),
        sandbox.organisation().repositories.len()
    );
    let mut settings = sandbox.env();
    settings.insert("STATE_DIR".to_owned(), args.out.join("state").display().to_string());
    let story = live(&Env::load(settings).await?, &clock, args.hours).await?;
    show(&sandbox, verbose)?;
    story.sum_up(args.hours, started);
    eprintln!("The points are in {}; any SQLite tool opens it.", database.display());
    Ok(ExitCode::SUCCESS)
}

/// What the runs of a demo came to.
#[derive(Default)]
struct Story {
    runs: u64,
    samples: usize,
    calls: u64,
    down: usize,
    /// How often each part failed, with the reason.
    gaps: BTreeMap<String, usize>,
}

/// Runs every collector four times an hour, side by side as on Lambda.
async fn live(env: &Env, clock: &Clock, hours: u32) -> Result<Story> {
    let collectors: Vec<_> = REGISTRY.iter().map(|entry| (entry, env.apart())).collect();
    let (start, quarters) = (clock.now(), i32::try_from(hours).unwrap_or(i32::MAX / 4) * 4);
    let bar = ProgressBar::new((u64::from(hours) * 4 + 1) * REGISTRY.len() as u64);
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} runs, {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let mut story = Story::default();
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
            story.add(&report.map_err(|error| Error::local("run a collector to its end", error))??);
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    Ok(story)
}

impl Story {
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

    fn sum_up(&self, hours: u32, started: Instant) {
        let Self { runs, samples, calls, down, gaps } = self;
        let seconds = started.elapsed().as_secs_f64();
        eprintln!(
            "{runs} runs over {hours} simulated hours in {seconds:.1} s: {samples} samples, {calls} calls to upstreams, \
             {down} runs with gaps."
        );
        for (gap, runs) in gaps {
            eprintln!("  {runs} times {}", output::harmless(gap));
        }
    }
}

/// What marks a folder as a demo's own.
const MARK: &str = ".vitals-demo";

/// Makes the folder of the demo. Only what an earlier demo made is removed: somebody may have meant another folder.
fn clear(folder: &Path) -> Result<()> {
    let failed = |error| Error::local(format!("make the folder {}", folder.display()), error);
    match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
        Ok(mut entries) => {
            let is_own = folder.join(MARK).is_file();
            if !is_own && entries.next().is_some() {
                let problem = format!("{} is not empty and no demo made it; name a new folder", folder.display());
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

/// What is now in the store: each series with the last of its points, and how many there are.
fn show(sandbox: &Sandbox, verbose: bool) -> Result<()> {
    let all = sandbox.store().series("*").map_err(|error| Error::local("read the points", error))?;
    output::print_page(&page(&groups(&all, verbose), View::of_terminal(verbose)))
}

/// The lines of the series, by their collectors.
fn groups(all: &[Series], verbose: bool) -> BTreeMap<&str, Vec<Number>> {
    let mut groups: BTreeMap<&str, Vec<Number>> = BTreeMap::new();
    for series in all {
        let collector = series.tags.iter().find_map(|tag| tag.strip_prefix("collector:")).unwrap_or_default();
        groups.entry(collector).or_default().push(number(series, verbose));
    }
    groups
}

/// The line of a series. What all series say is left out, and so are the keys of its tags, unless somebody wants more.
fn number(series: &Series, verbose: bool) -> Number {
    const BASE: [&str; 5] = ["source:", "env:", "service:", "collector:", "workflow_category:"];
    let own = series.tags.iter().map(String::as_str).filter(|tag| !BASE.iter().any(|base| tag.starts_with(base)));
    let own = own.map(|tag| if verbose { tag } else { tag.split_once(':').map_or(tag, |(_, value)| value) });
    let what: Vec<&str> = std::iter::once(series.metric.as_str()).chain(own).collect();
    let last = series.points.last().map(|(_, value)| output::number(*value)).unwrap_or_default();
    let points = output::counted(series.points.len(), "point");
    Number { what: what.join(" "), value: last, unit: format!("last of {points}") }
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
    fn each_series_is_a_line_with_the_last_of_its_points_in_the_block_of_its_collector() {
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
