//! `vitals check`: is everything configured, reachable and permitted, and what to do where it is not.

use crate::config::{self, Settings};
use crate::output;
use crate::progress::Progress;
use crate::readback;
use crate::registry::{self, Entry, Probed};
use crate::view::{self, Verdict, View};
use futures::future;
use jiff::Timestamp;
use shared::datadog::Intake;
use shared::{Env, Error, Probe, Result, Store};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// What people type, for the help.
pub const EXAMPLES: &str = "Examples:
  vitals check github                     one collector
  vitals check                            every collector
  vitals check github --target acme/web   one target of it
  vitals check github --readback          also send a point and wait for it";

#[derive(clap::Args)]
pub struct Args {
    /// Which collectors; all by default.
    #[arg(value_name = "NAME", value_parser = registry::names())]
    names: Vec<String>,
    /// Only this one of the configured targets, such as acme/web.
    #[arg(long, value_name = "TARGET")]
    target: Option<String>,
    /// Also send one point and read it back, which needs `DD_APP_KEY`: an accepted point is not yet a stored one.
    #[arg(long)]
    readback: bool,
}

/// What was tried of one target, or of what all collectors share.
struct Block {
    name: &'static str,
    target: Option<String>,
    probes: Vec<Probe>,
}

/// What the questions to one upstream cost.
struct Cost {
    name: &'static str,
    requests: u64,
    took: Duration,
}

pub async fn run(args: Args, settings: Settings, verbose: bool) -> Result<ExitCode> {
    let wall = config::wall(&settings)?;
    let env = Env::load(settings).await?;
    let entries = registry::having(registry::named(&args.names), &env, args.target.as_deref()).await?;
    let progress = Progress::new("asking");
    let collectors =
        entries.iter().map(|entry| progress.during(entry.name, probe(entry, &env, args.target.as_deref())));
    let (datadog, store, collectors) = future::join3(
        progress.during("datadog", Box::pin(sink(&env, args.readback, wall))),
        progress.during("store", Box::pin(store(&env))),
        future::join_all(collectors),
    )
    .await;
    drop(progress);
    let mut blocks = vec![
        Block { name: "datadog", target: None, probes: datadog },
        Block { name: "store", target: None, probes: vec![store] },
    ];
    let (found, costs): (Vec<Vec<Block>>, Vec<Cost>) = collectors.into_iter().unzip();
    blocks.extend(found.into_iter().flatten());
    output::print_page(&page(&blocks, &costs, View::of_terminal(verbose)))?;
    Ok(verdict(&blocks))
}

/// The blocks of a collector, and what they cost.
async fn probe(entry: &Entry, env: &Env, target: Option<&str>) -> (Vec<Block>, Cost) {
    const FIX: &str = "set it in the environment or in vitals.toml; `vitals check NAME` checks only the collectors that it \
                       names";
    let (env, started) = (env.apart(), Instant::now());
    let blocks = match (entry.probe)(&env, target).await {
        Ok(targets) => targets.into_iter().map(|found| block(entry.name, found)).collect(),
        Err(error) => {
            vec![Block { name: entry.name, target: None, probes: vec![failed("configuration", error, FIX)] }]
        }
    };
    let cost = Cost { name: entry.name, requests: env.meter().calls(), took: started.elapsed() };
    (blocks, cost)
}

/// The block of a target, whose heading says already what some probes begin with.
fn block(name: &'static str, (target, mut probes): Probed) -> Block {
    for probe in &mut probes {
        if let Some(rest) = probe.what.strip_prefix(&target).and_then(|rest| rest.strip_prefix(": ")) {
            probe.what = rest.to_owned();
        }
    }
    Block { name, target: Some(target), probes }
}

/// A configuration that is wrong outweighs an upstream that is away.
fn verdict(blocks: &[Block]) -> ExitCode {
    let errors = blocks.iter().flat_map(|block| &block.probes).filter_map(|probe| probe.found.as_ref().err());
    errors.map(Error::exit_code).max().map_or(ExitCode::SUCCESS, ExitCode::from)
}

/// A block for each target, and what they come to.
fn page(blocks: &[Block], costs: &[Cost], view: View) -> String {
    let mut text = String::new();
    for block in blocks {
        let words: Vec<&str> = std::iter::once(block.name).chain(block.target.as_deref()).collect();
        let lines = lines(&block.probes, view.verbose);
        text.push_str(&[view.heading(&words), view.entries(&lines), "\n".to_owned()].concat());
    }
    if view.verbose {
        for Cost { name, requests, took } in costs {
            let requests = output::counted(requests, "request");
            text.push_str(&view.remark(&format!("{name}: {requests} in {:.1} s", took.as_secs_f64()), 0));
        }
    }
    let probes = || blocks.iter().flat_map(|block| &block.probes);
    let (all, bad) = (probes().count(), probes().filter(|probe| probe.found.is_err()).count());
    let worst = if bad == 0 { Verdict::Good("ok") } else { Verdict::Bad("failed") };
    text + &view.conclusion(&view::attention(bad, all - bad, all), worst)
}

/// A line for each probe. Where nothing works after the first ones, because the credentials are wrong or nobody is there,
/// one line stands for all that fail the same way: what would fix each of them alone fixes nothing.
fn lines(probes: &[Probe], verbose: bool) -> Vec<view::Entry> {
    let first = probes.iter().position(|probe| probe.found.is_err()).unwrap_or(probes.len());
    let (shown, others) = probes.split_at(probes.len().min(first + 1));
    let kind = |probe: &Probe| probe.found.as_ref().err().and_then(Error::kind);
    let same = |probe: &Probe| kind(probe).is_some() && kind(probe) == kind(&probes[first]);
    if verbose || first > 1 || others.len() < 2 || !others.iter().all(same) {
        return probes.iter().map(line).collect();
    }
    let names: Vec<&str> = others.iter().map(|probe| probe.what.as_str()).collect();
    let text = format!("for the same reason: {}", names.join(", "));
    let rest = view::Entry::new(Verdict::Bad("failed"), &format!("{} others", others.len()), vec![text]);
    shown.iter().map(line).chain([rest]).collect()
}

fn line(probe: &Probe) -> view::Entry {
    match &probe.found {
        Ok(found) => view::Entry::new(Verdict::Good("ok"), &probe.what, vec![found.clone()]),
        Err(error) => {
            let texts = vec![error.with_causes(), format!("fix: {}", probe.fix)];
            view::Entry::new(Verdict::Bad("failed"), &probe.what, texts)
        }
    }
}

fn failed(what: &str, error: Error, fix: &str) -> Probe {
    Probe { what: what.to_owned(), found: Err(error), fix: fix.to_owned() }
}

async fn sink(env: &Env, read_back: bool, wall: Timestamp) -> Vec<Probe> {
    const KEY: &str = "set DD_API_KEY to an API key, which is made under Organization Settings, API Keys, of the site that \
                       DD_SITE names";
    let configured = env.required(shared::ENV).map(|env| format!("env:{env}"));
    let fix = "set DD_ENV to a word such as production: it tells the points of two environments apart";
    let mut probes = vec![Probe { what: "environment tag".to_owned(), found: configured, fix: fix.to_owned() }];
    let intake = match Intake::connect(env) {
        Ok(intake) => intake,
        Err(error) => {
            let is_key = matches!(&error, Error::Config { name, .. } if name == "DD_API_KEY");
            let fix = if is_key { KEY } else { "correct it in the environment or in vitals.toml" };
            probes.push(failed("configuration", error, fix));
            return probes;
        }
    };
    let found = intake.validate().await.map(|()| "accepted".to_owned());
    probes.push(Probe { what: "API key".to_owned(), found, fix: KEY.to_owned() });
    if read_back {
        let found = readback::readback(env, &intake, wall)
            .await
            .map(|seconds| format!("a point could be read {seconds} s after it was sent"));
        let fix = "make an application key with the scope timeseries_query and set DD_APP_KEY to it";
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
        let directory = || format!("the directory {}", env.get("STATE_DIR").unwrap_or(".vitals"));
        Ok(env.get("STATE_BUCKET").map_or_else(directory, |bucket| format!("the bucket {bucket}")))
    };
    let fix = "set STATE_BUCKET to a bucket that these credentials may read, write, list and delete in, or STATE_DIR to a \
               directory that may be written to";
    Probe { what: "write, read, list, delete".to_owned(), found: tried.await, fix: fix.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(what: &str, found: Result<&str>, fix: &str) -> Probe {
        Probe { what: what.to_owned(), found: found.map(str::to_owned), fix: fix.to_owned() }
    }

    fn blocks() -> Vec<Block> {
        let refused = Error::Status {
            upstream: "github",
            status: 403,
            what: "/repos/acme/web/issues: Resource not accessible by personal access token".to_owned(),
        };
        let missing = Error::config("ASANA_TOKEN", "not set, e.g. ASANA_TOKEN=0123…cdef");
        let probes = vec![
            probe("credentials", Ok("accepted; 4321 of 5000 calls and 4999 of 5000 GraphQL points left"), "unused"),
            probe("acme/web: repository", Ok("readable"), "unused"),
            probe("acme/web: issues", Err(refused), "give the token or App read access to issues of acme/web"),
        ];
        vec![
            Block {
                name: "store",
                target: None,
                probes: vec![probe("write and read", Ok("the directory .vitals"), "unused")],
            },
            block("github", ("acme/web".to_owned(), probes)),
            Block {
                name: "asana",
                target: None,
                probes: vec![failed("configuration", missing, "set it in vitals.toml")],
            },
        ]
    }

    const COSTS: [Cost; 1] = [Cost { name: "github", requests: 9, took: Duration::from_millis(1240) }];

    fn shown(blocks: &[Block], view: View) -> String {
        page(blocks, &COSTS, view)
    }

    #[test]
    fn a_failure_is_followed_by_what_to_do_about_it_in_lines_that_hang_below_each_other() {
        assert_eq!(
            shown(&blocks(), View::new(80, false, false)),
            "\
store
  ok      write and read  the directory .vitals

github · acme/web
  ok      credentials  accepted; 4321 of 5000 calls and 4999 of 5000 GraphQL
                       points left
  ok      repository   readable
  failed  issues       github answered 403 to /repos/acme/web/issues: Resource
                       not accessible by personal access token
                       fix: give the token or App read access to issues of
                       acme/web

asana
  failed  configuration  ASANA_TOKEN: not set, e.g. ASANA_TOKEN=0123…cdef
                         fix: set it in vitals.toml

2 of 5 need attention
"
        );
    }

    #[test]
    fn where_texts_have_no_room_beside_a_name_they_stand_below_it() {
        assert_eq!(
            shown(&blocks()[1..2], View::new(46, false, false)),
            "\
github · acme/web
  ok      credentials
            accepted; 4321 of 5000 calls and
            4999 of 5000 GraphQL points left
  ok      repository
            readable
  failed  issues
            github answered 403 to
            /repos/acme/web/issues: Resource
            not accessible by personal access
            token
            fix: give the token or App read
            access to issues of acme/web

1 of 3 needs attention
"
        );
    }

    #[test]
    fn where_nothing_works_after_the_first_failure_one_line_stands_for_all_that_fail_the_same_way() {
        let refused = |status: u16| match status {
            401 => Error::Auth { upstream: "github", what: "401 to /rate_limit".to_owned() },
            _ => Error::NotFound { upstream: "github", what: "/repos/acme/web".to_owned() },
        };
        let probes = |statuses: [u16; 4]| -> Vec<Probe> {
            let names = ["credentials", "repository", "issues", "runs"].into_iter().zip(statuses);
            names
                .map(|(what, status)| {
                    probe(what, if status == 200 { Ok("readable") } else { Err(refused(status)) }, "do it")
                })
                .collect()
        };
        let shown =
            |statuses: [u16; 4], verbose: bool| View::new(80, false, false).entries(&lines(&probes(statuses), verbose));
        assert_eq!(
            shown([401; 4], false),
            "  failed  credentials  github refused our credentials: 401 to /rate_limit
                       fix: do it
  failed  3 others     for the same reason: repository, issues, runs
"
        );
        // Each says for itself what to do: whoever wants to see all, another reason, one thing that works, and what is
        // refused when the repository itself is not.
        for (statuses, verbose) in [
            ([401; 4], true),
            ([401, 401, 404, 401], false),
            ([401, 401, 200, 401], false),
            ([200, 200, 401, 401], false),
        ] {
            let failures = statuses.iter().filter(|status| **status != 200).count();
            assert_eq!(shown(statuses, verbose).matches("fix: ").count(), failures, "{statuses:?}");
        }
    }

    #[test]
    fn colours_say_nothing_that_words_do_not_and_what_it_cost_is_shown_to_whoever_wants_more() {
        let plain = shown(&blocks(), View::new(80, false, true));
        let coloured = shown(&blocks(), View::new(80, true, true));
        assert!(coloured.contains("\u{1b}[31m") && coloured.contains("\u{1b}[32m"), "{coloured:?}");
        assert_eq!(console::strip_ansi_codes(&coloured), plain);
        assert!(plain.contains("\ngithub: 9 requests in 1.2 s\n2 of 5 need attention\n"), "{plain}");
    }

    #[test]
    fn a_wrong_configuration_outweighs_an_upstream_that_refuses_and_all_well_is_success() {
        let code = |blocks: &[Block]| format!("{:?}", verdict(blocks));
        let expected = |code: u8| format!("{:?}", ExitCode::from(code));
        let blocks = blocks();
        assert_eq!([code(&blocks), code(&blocks[..2]), code(&blocks[..1])], [expected(78), expected(1), expected(0)]);
        let text = shown(&blocks[..1], View::new(80, false, false));
        assert!(text.ends_with("\n1 of 1 ok\n"), "{text}");
    }
}
