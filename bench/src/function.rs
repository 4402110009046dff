//! Measures the deployed binary with a fake of Lambda's runtime: its size, its start and its memory.

use crate::{Failure, Row, organisation};
use flate2::{Compression, write::DeflateEncoder};
use sandbox::{Clock, Options, Sandbox};
use shared::stats;
use shared::testing::{Fake, Folder, Reply};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

#[expect(clippy::disallowed_methods, reason = "the benchmark gives a run its time, as EventBridge does")]
fn wall() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// A deployed function.
struct Binary {
    name: &'static str,
    path: PathBuf,
}

/// The figures of a function; `one_target` reduces the settings to one target.
pub async fn rows(name: &'static str, one_target: impl Fn(&mut BTreeMap<String, String>)) -> Result<Vec<Row>, Failure> {
    let function = Binary { name, path: std::env::current_exe()?.with_file_name(name) };
    if !function.path.exists() {
        return Err(format!("{} is missing; `make bench` builds it", function.path.display()).into());
    }
    let mut rows = vec![function.size()?];
    rows.push(function.start(&one_target, false).await?);
    rows.push(function.start(&one_target, true).await?);
    for (size, budget) in [(1, 64.0), (100, 128.0)] {
        rows.push(function.memory(&one_target, size, budget).await?);
    }
    Ok(rows)
}

/// A sandbox whose history ends now, and settings with one of its targets.
async fn start_sandbox(
    size: u32,
    now: jiff::Timestamp,
    one_target: &impl Fn(&mut BTreeMap<String, String>),
) -> Result<(Sandbox, BTreeMap<String, String>), Failure> {
    // The function reads the real clock, so the history has to end now.
    let seed = sandbox::Seed { epoch: now, ..organisation(size) };
    let sandbox = Sandbox::start(Options::new(seed, Clock::real())).await?;
    let mut settings = sandbox.env();
    one_target(&mut settings);
    crate::lift_quota(&sandbox);
    Ok((sandbox, settings))
}

impl Binary {
    fn size(&self) -> Result<Row, Failure> {
        let mut zip = DeflateEncoder::new(Vec::new(), Compression::best());
        zip.write_all(&std::fs::read(&self.path)?)?;
        let megabytes = stats::count(zip.finish()?.len()) / 1e6;
        Ok(Row::at_most(format!("{}, zipped function", self.name), megabytes, 8.0, "MB")
            .note("deflated as a zip would"))
    }

    fn spawn(&self, runtime: &Fake, settings: &BTreeMap<String, String>) -> Result<Child, Failure> {
        let api = runtime.url().trim_start_matches("http://");
        let child = Command::new(&self.path)
            .env_clear()
            .envs(settings)
            .env("AWS_LAMBDA_RUNTIME_API", api)
            .env("AWS_LAMBDA_FUNCTION_NAME", self.name)
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .stdout(Stdio::null())
            .spawn()?;
        Ok(child)
    }

    /// The time from the start of the process to its first poll of the runtime, as the median of 21 starts.
    async fn start(&self, one_target: &impl Fn(&mut BTreeMap<String, String>), with_aws: bool) -> Result<Row, Failure> {
        let (_sandbox, mut settings) = start_sandbox(0, shared::floor(wall()), one_target).await?;
        if with_aws {
            for (key, value) in [
                ("STATE_BUCKET", "state"),
                ("AWS_REGION", "eu-west-1"),
                ("AWS_ACCESS_KEY_ID", "a"),
                ("AWS_SECRET_ACCESS_KEY", "s"),
            ] {
                settings.insert(key.to_owned(), value.to_owned());
            }
        }
        let mut times = Vec::new();
        for _ in 0..21 {
            let polled: Arc<Mutex<Vec<Instant>>> = Arc::default();
            // The second poll blocks. No event is needed here, so the list starts with a poll that never was.
            polled.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
            let runtime = fake_lambda("{}", Arc::clone(&polled)).await;
            let started = Instant::now();
            let mut child = self.spawn(&runtime, &settings)?;
            let first = loop {
                if let Some(first) = polled.lock().unwrap_or_else(PoisonError::into_inner).get(1) {
                    break *first;
                }
                if let Some(status) = child.try_wait()? {
                    return Err(format!("{} ended before its first poll: {status}", self.name).into());
                }
                tokio::time::sleep(Duration::from_micros(200)).await;
            };
            times.push(first.duration_since(started).as_secs_f64() * 1e3);
            child.kill()?;
            child.wait()?;
        }
        let median = stats::percentile(&times, 0.5).unwrap_or(f64::NAN);
        let (what, budget) = if with_aws { ("with an AWS client", 60.0) } else { ("without an AWS client", 25.0) };
        let what = format!("{}, start to first poll, {what}", self.name);
        Ok(Row::at_most(what, median, budget, "ms").note("median of 21 starts"))
    }

    /// The peak resident memory while one event is handled: a full fetch, and its points sent.
    async fn memory(
        &self,
        one_target: &impl Fn(&mut BTreeMap<String, String>),
        size: u32,
        budget: f64,
    ) -> Result<Row, Failure> {
        let now = shared::floor(wall());
        let (sandbox, mut settings) = start_sandbox(size, now, one_target).await?;
        let state = Folder::new("memory");
        settings.insert("STATE_DIR".to_owned(), state.path().display().to_string());
        let polled: Arc<Mutex<Vec<Instant>>> = Arc::default();
        let runtime = fake_lambda(&format!("{{\"time\": \"{now}\"}}"), Arc::clone(&polled)).await;
        let mut child = self.spawn(&runtime, &settings)?;
        let status = format!("/proc/{}/status", child.id());
        let mut peak = 0.0_f64;
        while polled.lock().unwrap_or_else(PoisonError::into_inner).len() < 2 {
            if let Some(ended) = child.try_wait()? {
                return Err(format!("{} ended before its second poll: {ended}", self.name).into());
            }
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            let kibibytes = text
                .lines()
                .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<f64>().ok());
            peak = peak.max(kibibytes.unwrap_or(0.0) / 1024.0);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        child.kill()?;
        child.wait()?;
        let answered = runtime.seen().iter().any(|seen| seen.path.ends_with("/response"));
        let note = completeness(&sandbox, answered)?;
        Ok(Row::at_most(format!("{}, peak memory at {size} times the reference", self.name), peak, budget, "MB")
            .note(note))
    }
}

/// Says whether everything was read: parts that failed or are still filling took no memory.
fn completeness(sandbox: &Sandbox, answered: bool) -> Result<String, Failure> {
    let mut missing = Vec::new();
    for row in ["collector.gap", "collector.pending"] {
        let series = sandbox.store().series(row)?;
        let parts = series.iter().filter(|series| series.points.iter().any(|(_, value)| *value > 0.0));
        let parts = parts.filter_map(|series| series.tags.iter().find_map(|tag| tag.strip_prefix("part:")));
        missing.extend(parts.map(str::to_owned));
    }
    Ok(match (answered, missing.is_empty()) {
        (false, _) => "the run ended with an error; see its log".to_owned(),
        (true, true) => "one event, full fetch, points sent".to_owned(),
        (true, false) => format!("one event, full fetch, points sent; incomplete: {}", missing.join(", ")),
    })
}

/// A fake of Lambda's runtime API: it hands out the event once, and then blocks.
async fn fake_lambda(event: &str, polled: Arc<Mutex<Vec<Instant>>>) -> Fake {
    let event = event.to_owned();
    Fake::start(move |_, seen| {
        if !seen.path.ends_with("/next") {
            return Reply::status(202);
        }
        let mut polled = polled.lock().unwrap_or_else(PoisonError::into_inner);
        polled.push(Instant::now());
        if polled.len() > 1 {
            return Reply::Slow(Duration::from_mins(10));
        }
        Reply::Answer(200, vec![], event.clone().into_bytes())
            .header("lambda-runtime-aws-request-id", "00000000-0000-4000-8000-000000000000")
            .header("lambda-runtime-deadline-ms", "4102444800000")
            .header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-west-1:123456789012:function:github")
    })
    .await
}
