//! `vitals check`: is everything configured, reachable and permitted, and what to do where it is not.

use crate::config::{self, Settings};
use crate::output;
use crate::readback;
use crate::registry;
use shared::datadog::Intake;
use shared::{Env, Error, Probe, Result, Store};
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct Args {
    /// Which collectors; all by default.
    #[arg(value_name = "NAME", value_parser = registry::names())]
    names: Vec<String>,
    /// Only this one of the configured targets.
    #[arg(long, value_name = "TARGET")]
    target: Option<String>,
    /// Also send one point and read it back, which needs `DD_APP_KEY`: an accepted point is not yet a stored one.
    #[arg(long)]
    readback: bool,
}

pub async fn run(args: Args, settings: Settings) -> Result<ExitCode> {
    let entries = registry::named(&args.names);
    let wall = config::wall(&settings)?;
    let env = Env::load(settings).await?;
    let mut list = List::default();
    list.add("datadog", "-", sink(&env, args.readback, wall).await);
    list.add("store", "-", vec![store(&env).await]);
    for entry in entries {
        match (entry.probe)(&env, args.target.as_deref()).await {
            Ok(targets) => {
                for (target, probes) in targets {
                    list.add(entry.name, &target, probes);
                }
            }
            Err(error) => list.add(
                entry.name,
                "-",
                vec![failed("configuration", error, "set the variable in the environment or in vitals.toml")],
            ),
        }
    }
    list.print()?;
    Ok(list.verdict)
}

struct List {
    rows: Vec<[String; 5]>,
    verdict: ExitCode,
}

impl Default for List {
    fn default() -> Self {
        Self { rows: Vec::new(), verdict: ExitCode::SUCCESS }
    }
}

impl List {
    fn add(&mut self, name: &str, target: &str, probes: Vec<Probe>) {
        for probe in probes {
            let (mark, text) = match probe.found {
                Ok(text) => ("ok", text),
                Err(error) => {
                    // A configuration that is wrong outweighs an upstream that is away.
                    if error.exit_code() == 78 || self.verdict == ExitCode::SUCCESS {
                        self.verdict = ExitCode::from(error.exit_code());
                    }
                    ("FAILED", format!("{}\nfix: {}", error.with_causes(), probe.fix))
                }
            };
            self.rows.push([name.to_owned(), target.to_owned(), probe.what, mark.to_owned(), text]);
        }
    }

    fn print(&self) -> Result<()> {
        let mut table = output::new_table(&["what", "target", "tried", "", "found"]);
        table.add_rows(self.rows.clone());
        output::print(&format!("{table}\n"))
    }
}

fn failed(what: &str, error: Error, fix: &str) -> Probe {
    Probe { what: what.to_owned(), found: Err(error), fix: fix.to_owned() }
}

async fn sink(env: &Env, read_back: bool, wall: jiff::Timestamp) -> Vec<Probe> {
    const FIX: &str = "make an API key under Organization Settings, API Keys, of the site that DD_SITE names, and set DD_API_KEY; DD_ENV is a word such as production";
    let configured = env.required(shared::ENV).map(|env| format!("env:{env}"));
    let mut probes = vec![Probe { what: "environment tag".to_owned(), found: configured, fix: FIX.to_owned() }];
    let intake = match Intake::connect(env) {
        Ok(intake) => intake,
        Err(error) => {
            probes.push(failed("configuration", error, FIX));
            return probes;
        }
    };
    let found = intake.validate().await.map(|()| "the key is good".to_owned());
    probes.push(Probe { what: "API key".to_owned(), found, fix: FIX.to_owned() });
    if read_back {
        let found = readback::readback(env, &intake, wall)
            .await
            .map(|seconds| format!("a point was read back after {seconds} s"));
        let fix = "make an application key with the scope timeseries_query and set DD_APP_KEY";
        probes.push(Probe { what: "storage".to_owned(), found, fix: fix.to_owned() });
    }
    probes
}

/// All that a run does with its store.
async fn store(env: &Env) -> Probe {
    const KEY: &str = "check/probe";
    let tried = async {
        let store = Store::open(env).await?;
        store.put(KEY, b"probe".to_vec()).await?;
        let other = || Error::store("read back what was written", "it is another content");
        let first = store.get(KEY, 100).await?.filter(|object| object.bytes == b"probe").ok_or_else(other)?;
        let stale = store.put_if(KEY, b"other".to_vec(), None).await?;
        let exchanged = store.put_if(KEY, b"again".to_vec(), Some(&first.version)).await?;
        if stale.is_some() || exchanged.is_none() {
            return Err(Error::store("write only what was not changed", "it takes no conditions"));
        }
        let listed = store.list("check/", 10).await?;
        store.delete(KEY).await?;
        if !listed.iter().any(|key| key == KEY) {
            return Err(Error::store("list what was written", "it is not in the list"));
        }
        Ok(env.get("STATE_BUCKET").map_or("a directory", |_| "a bucket").to_owned())
    };
    let fix = "STATE_BUCKET names a bucket that these credentials may read, write, list and delete in; without it STATE_DIR is a writable directory";
    Probe { what: "write, read, list, delete".to_owned(), found: tried.await, fix: fix.to_owned() }
}
