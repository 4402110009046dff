//! What is configured: refused where it is wrong, obeyed where it changes, and paid for within the budget.

use crate::stage::{EPOCH, Stage, started};
use crate::subject::{Settings, Subject};
use serde_json::json;
use shared::testing::{at, differences, gauges, pending, says, value};
use shared::{Collector, Env, GRID, Report};

/// The organisation that budgets speak of, at size 1.
const REFERENCE: u64 = 1;

/// How many runs come before those that are held against the budget of a continued one.
const WARM_UP: usize = 3;

/// A variable that is wrong ends the start with the exit code of a configuration, and the error names it with an example.
pub async fn refusals<S: Subject>() {
    let stage = Stage::<S>::single(false).await;
    let (single, _) = S::single(&stage.sandbox);
    for (name, wrong) in S::WRONG {
        let mut settings = stage.sandbox.env();
        settings.extend(single.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        settings.insert((*name).to_owned(), (*wrong).to_owned());
        let Err(error) = S::Collector::connect(&Env::of(settings)).await else { panic!("{name}=`{wrong}` is taken") };
        let text = error.to_string();
        assert_eq!(error.exit_code(), 78, "{text}");
        assert!(text.starts_with(name) && text.contains("e.g. "), "{name}=`{wrong}`: {text}");
    }
}

/// A target that is not there is down, and the other is up and true.
pub async fn missing_target<S: Subject>() {
    let sandbox = started::<S>(S::HEALTHY, 0, at(EPOCH)).await;
    let (settings, [there, missing]) = S::missing(&sandbox);
    let stage = Stage::<S>::on(&sandbox, S::HEALTHY, true, settings).await;
    let report = stage.settled().await;
    let up = |target: &str| value(&report, &format!("collector.target_up{{target:{target}}}"));
    assert_eq!((up(there), up(missing)), (Some(1.0), Some(0.0)), "{:?}", report.shares);
    assert_eq!(value(&report, "collector.up{}"), Some(0.0));
    let wrong = crate::numbers::wrong(&report, &S::gauges(&stage.scene(), report.now), true);
    assert!(wrong.is_empty(), "{wrong:#?}");
    let own = format!("{}.", S::Collector::NAME);
    assert!(says(&report, &own) > 0);
    let of_the_other = report.samples.iter().filter(|sample| sample.target() == Some(missing));
    let told = of_the_other.filter(|sample| sample.name().starts_with(&own) && sample.value().is_some());
    assert_eq!(told.map(ToString::to_string).collect::<Vec<_>>(), Vec::<String>::new());
}

/// A credential that the upstream lets in no more fails the run and is named by its variable alone; the one that the
/// secret store then holds is read once, and all is well.
pub async fn renewed_credential<S: Subject>() {
    let (sandbox, credential) = (started::<S>(S::HEALTHY, 0, at(EPOCH)).await, S::credential());
    let keep = |value: &str| sandbox.secrets().put("vitals", &json!({credential.variable: value}).to_string());
    keep(credential.value);
    let mut settings: Settings = S::single(&sandbox).0;
    settings.extend([
        (credential.variable, String::new()),
        ("SECRET_ARN", "vitals".to_owned()),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", sandbox.url("secrets").to_owned()),
        ("AWS_REGION", "eu-west-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "id".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "key".to_owned()),
    ]);
    let stage = Stage::<S>::on(&sandbox, S::HEALTHY, true, settings).await;
    let well = stage.settled().await;
    assert!(well.is_up(), "{:?}", well.shares);
    (credential.revoke)(&sandbox, credential.value);
    (credential.allow)(&sandbox, credential.another);
    stage.clock.advance(GRID);
    let report = stage.run().await;
    assert_eq!(says(&report, &format!("{}.", S::Collector::NAME)), 0, "the secret store does not know yet");
    let refused = value(&report, &format!("collector.api_errors{{kind:auth,upstream:{}}}", S::UPSTREAMS[0]));
    assert!(refused > Some(0.0), "{refused:?}");
    let text = report.failure().unwrap().with_causes();
    assert!(text.contains(credential.variable) && !text.contains(credential.value), "{text}");
    keep(credential.another);
    stage.clock.advance(GRID);
    let reads = sandbox.secrets().reads();
    let report = stage.settled().await;
    assert!(report.is_up() && report.failed().next().is_none(), "{:?}", report.shares);
    assert_eq!(sandbox.secrets().reads(), reads + 1, "read once more, and once only");
}

/// The same target at another address is another thing: nothing of what was read before is in what is said.
pub async fn another_address<S: Subject>() {
    let first = Stage::<S>::single(false).await;
    first.settled().await;
    let (healthy, other) = (S::HEALTHY, started::<S>(S::HEALTHY, 1, at(EPOCH) + GRID).await);
    let settings = S::single(&other).0;
    let alone = Stage::<S>::on(&other, healthy, false, settings.clone()).await;
    let expected: Report = alone.settled().await;
    let stage = Stage::<S>::with(&other, healthy, false, settings, first.inner.into_state()).await;
    let report = stage.settled().await;
    assert!(report.is_up() && pending(&report) == 0, "{:?}", report.shares);
    let wrong = differences(&gauges(&report), &gauges(&expected));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A fetch costs no more calls than the collector's budget says, at the reference size and ten times it.
pub async fn budget<S: Subject>() {
    let budget = S::Collector::BUDGET;
    let sizes = [(1, budget.full, budget.continued), (10, budget.tenfold, budget.tenfold_continued)];
    for (size, full, continued) in sizes.into_iter().filter(|(size, ..)| S::SIZES.contains(size)) {
        let sandbox = started::<S>(REFERENCE, size, at(EPOCH)).await;
        let stage = Stage::<S>::on(&sandbox, REFERENCE, false, S::reference(&sandbox)).await;
        let report = stage.run().await;
        println!("size {size}: everything in {} calls of {full}", report.calls);
        assert!(shared::stats::count(usize::try_from(report.calls).unwrap()) <= full, "size {size}: {}", report.calls);
        for _ in 0..WARM_UP {
            stage.run().await;
        }
        for _ in 0..2 {
            stage.clock.advance(GRID);
            let report = stage.run().await;
            println!("size {size}: continued in {} calls of {continued}", report.calls);
            assert!(report.is_up(), "{:?}", report.shares);
            assert!(shared::stats::count(usize::try_from(report.calls).unwrap()) <= continued, "{}", report.calls);
        }
    }
}
