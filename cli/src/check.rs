//! `vitals check`: checks configuration, credentials, reachability and permissions, with a fix for each failure.

use crate::config::{self, Settings};
use crate::entry::{self, Entry, Probed};
use crate::output;
use crate::progress::Progress;
use crate::readback;
use crate::view::{self, Verdict, View};
use futures::future;
use jiff::Timestamp;
use shared::datadog::Intake;
use shared::{Env, Error, Probe, Result, Store};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// The examples in the help.
pub const EXAMPLES: &str = "Examples:
  vitals check github                     one collector
  vitals check                            every collector
  vitals check github --target acme/web   one of its targets
  vitals check github --readback          also send a point and wait for it";

#[derive(clap::Args)]
pub struct Args {
    /// The collectors to check; all by default.
    #[arg(value_name = "NAME", value_parser = entry::names())]
    names: Vec<String>,
    /// Check only this target, e.g. acme/web.
    #[arg(long, value_name = "TARGET")]
    target: Option<String>,
    /// Also send a point and wait until it can be read back; needs `DD_APP_KEY`.
    #[arg(long)]
    readback: bool,
}

/// The probes of one target, or of something that all collectors share.
struct Group {
    name: &'static str,
    target: Option<String>,
    probes: Vec<Probe>,
}

/// How many requests the probes of a collector made, and how long they took.
struct Usage {
    name: &'static str,
    requests: u64,
    took: Duration,
}

pub async fn run(args: Args, settings: Settings, verbose: bool) -> Result<ExitCode> {
    let wall = config::wall(&settings)?;
    let env = Env::load(settings).await?;
    let entries = entry::with_target(entry::named(&args.names), &env, args.target.as_deref()).await?;
    let progress = Progress::new("asking");
    let collectors =
        entries.iter().map(|entry| progress.during(entry.name, probe(entry, &env, args.target.as_deref())));
    let (datadog, store, collectors) = future::join3(
        progress.during("datadog", Box::pin(datadog(&env, args.readback, wall))),
        progress.during("store", Box::pin(store(&env))),
        future::join_all(collectors),
    )
    .await;
    drop(progress);
    let mut groups = vec![
        Group { name: "datadog", target: None, probes: datadog },
        Group { name: "store", target: None, probes: vec![store] },
    ];
    let (found, usage): (Vec<Vec<Group>>, Vec<Usage>) = collectors.into_iter().unzip();
    groups.extend(found.into_iter().flatten());
    output::print_page(&page(&groups, &usage, View::of_terminal(verbose)))?;
    Ok(exit_code(&groups))
}

/// Probes every target of a collector.
async fn probe(entry: &Entry, env: &Env, target: Option<&str>) -> (Vec<Group>, Usage) {
    const FIX: &str = "set it in the environment or in vitals.toml; to check only some collectors, name them, e.g. \
                       vitals check github";
    let (env, started) = (env.apart(), Instant::now());
    let groups = match (entry.probe)(&env, target).await {
        Ok(targets) => targets.into_iter().map(|found| group(entry.name, found)).collect(),
        Err(error) => {
            vec![Group { name: entry.name, target: None, probes: vec![failed("configuration", error, FIX)] }]
        }
    };
    let usage = Usage { name: entry.name, requests: env.meter().calls(), took: started.elapsed() };
    (groups, usage)
}

/// The probes of a target, without its name in front: the heading has it.
fn group(name: &'static str, (target, mut probes): Probed) -> Group {
    for probe in &mut probes {
        if let Some(rest) = probe.what.strip_prefix(&target).and_then(|rest| rest.strip_prefix(": ")) {
            probe.what = rest.to_owned();
        }
    }
    Group { name, target: Some(target), probes }
}

/// A wrong configuration outweighs an upstream that fails.
fn exit_code(groups: &[Group]) -> ExitCode {
    let errors = groups.iter().flat_map(|group| &group.probes).filter_map(|probe| probe.found.as_ref().err());
    errors.map(Error::exit_code).max().map_or(ExitCode::SUCCESS, ExitCode::from)
}

/// A block for each target, and a summary.
fn page(groups: &[Group], usage: &[Usage], view: View) -> String {
    let mut text = String::new();
    for group in groups {
        let words: Vec<&str> = std::iter::once(group.name).chain(group.target.as_deref()).collect();
        let items = items(&group.probes, view.verbose);
        text.push_str(&[view.heading(&words), view.list(&items), "\n".to_owned()].concat());
    }
    if view.verbose {
        for Usage { name, requests, took } in usage {
            let requests = output::counted(requests, "request");
            text.push_str(&view.remark(&format!("{name}: {requests} in {:.1} s", took.as_secs_f64()), 0));
        }
    }
    let probes = || groups.iter().flat_map(|group| &group.probes);
    let (all, bad) = (probes().count(), probes().filter(|probe| probe.found.is_err()).count());
    let worst = if bad == 0 { Verdict::Good("ok") } else { Verdict::Bad("failed") };
    text + &view.summary(&view::attention(bad, all - bad, all), worst)
}

/// One item for each probe. If the server or the credentials fail, all later probes fail for the same reason: then they
/// are one item, because their own fixes would not help.
fn items(probes: &[Probe], verbose: bool) -> Vec<view::Item> {
    let first = probes.iter().position(|probe| probe.found.is_err()).unwrap_or(probes.len());
    let (shown, others) = probes.split_at(probes.len().min(first + 1));
    let kind = |probe: &Probe| probe.found.as_ref().err().and_then(Error::kind);
    let same = |probe: &Probe| kind(probe).is_some() && kind(probe) == kind(&probes[first]);
    if verbose || first > 1 || others.len() < 2 || !others.iter().all(same) {
        return probes.iter().map(item).collect();
    }
    let names: Vec<&str> = others.iter().map(|probe| probe.what.as_str()).collect();
    let text = format!("for the same reason: {}", names.join(", "));
    let rest = view::Item::new(Verdict::Bad("failed"), &format!("{} others", others.len()), vec![text]);
    shown.iter().map(item).chain([rest]).collect()
}

fn item(probe: &Probe) -> view::Item {
    match &probe.found {
        Ok(found) => view::Item::new(Verdict::Good("ok"), &probe.what, vec![found.clone()]),
        Err(error) => {
            let texts = vec![error.with_causes(), format!("fix: {}", probe.fix)];
            view::Item::new(Verdict::Bad("failed"), &probe.what, texts)
        }
    }
}

fn failed(what: &str, error: Error, fix: &str) -> Probe {
    Probe { what: what.to_owned(), found: Err(error), fix: fix.to_owned() }
}

async fn datadog(env: &Env, read_back: bool, wall: Timestamp) -> Vec<Probe> {
    const KEY: &str = "set DD_API_KEY to an API key; make one under Organization Settings, API Keys, of the site that \
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

/// Does with the store everything that a run does.
async fn store(env: &Env) -> Probe {
    const KEY: &str = "check/probe";
    let found = async {
        let store = Store::open(env).await?;
        store.put(KEY, b"probe".to_vec()).await?;
        let differs = || Error::store("read back what was written", "the content differs");
        let first = store.get(KEY, 100).await?.filter(|object| object.bytes == b"probe").ok_or_else(differs)?;
        let stale = store.put_if(KEY, b"other".to_vec(), None).await?;
        let exchanged = store.put_if(KEY, b"again".to_vec(), Some(&first.version)).await?;
        if stale.is_some() || exchanged.is_none() {
            return Err(Error::store("write on a condition", "the condition was ignored"));
        }
        let listed = store.list("check/", 10).await?;
        store.delete(KEY).await?;
        if !listed.iter().any(|key| key == KEY) {
            return Err(Error::store("list what was written", "the key is missing"));
        }
        let directory = || format!("the directory {}", env.get("STATE_DIR").unwrap_or(".vitals"));
        Ok(env.get("STATE_BUCKET").map_or_else(directory, |bucket| format!("the bucket {bucket}")))
    };
    let fix = "set STATE_BUCKET to a bucket that these credentials may read, write, list and delete in, or STATE_DIR to \
               a directory that may be written to";
    Probe { what: "write, read, list, delete".to_owned(), found: found.await, fix: fix.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(what: &str, found: Result<&str>, fix: &str) -> Probe {
        Probe { what: what.to_owned(), found: found.map(str::to_owned), fix: fix.to_owned() }
    }

    fn groups() -> Vec<Group> {
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
            Group {
                name: "store",
                target: None,
                probes: vec![probe("write and read", Ok("the directory .vitals"), "unused")],
            },
            group("github", ("acme/web".to_owned(), probes)),
            Group {
                name: "asana",
                target: None,
                probes: vec![failed("configuration", missing, "set it in vitals.toml")],
            },
        ]
    }

    const USAGE: [Usage; 1] = [Usage { name: "github", requests: 9, took: Duration::from_millis(1240) }];

    fn shown(groups: &[Group], view: View) -> String {
        page(groups, &USAGE, view)
    }

    #[test]
    fn a_failure_is_followed_by_its_fix_in_aligned_lines() {
        assert_eq!(
            shown(&groups(), View::new(80, false, false)),
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
    fn on_a_narrow_page_texts_are_below_their_names() {
        assert_eq!(
            shown(&groups()[1..2], View::new(46, false, false)),
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
    fn failures_that_follow_from_the_credentials_are_one_item() {
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
            |statuses: [u16; 4], verbose: bool| View::new(80, false, false).list(&items(&probes(statuses), verbose));
        assert_eq!(
            shown([401; 4], false),
            "  failed  credentials  github refused the credentials: 401 to /rate_limit
                       fix: do it
  failed  3 others     for the same reason: repository, issues, runs
"
        );
        // No case for one item: -v, a different failure, a success in between, and a failure of permissions alone.
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
    fn colours_only_repeat_words_and_verbose_adds_requests_and_times() {
        let plain = shown(&groups(), View::new(80, false, true));
        let coloured = shown(&groups(), View::new(80, true, true));
        assert!(coloured.contains("\u{1b}[31m") && coloured.contains("\u{1b}[32m"), "{coloured:?}");
        assert_eq!(console::strip_ansi_codes(&coloured), plain);
        assert!(plain.contains("\ngithub: 9 requests in 1.2 s\n2 of 5 need attention\n"), "{plain}");
    }

    #[test]
    fn the_exit_code_is_78_for_configuration_else_1_for_a_failure_else_0() {
        let code = |groups: &[Group]| format!("{:?}", exit_code(groups));
        let expected = |code: u8| format!("{:?}", ExitCode::from(code));
        let groups = groups();
        assert_eq!([code(&groups), code(&groups[..2]), code(&groups[..1])], [expected(78), expected(1), expected(0)]);
        let text = shown(&groups[..1], View::new(80, false, false));
        assert!(text.ends_with("\n1 of 1 ok\n"), "{text}");
    }
}
