//! A sandbox with a clock, and a collector that knows nothing of it but addresses and a credential.

use crate::subject::{Settings, Subject};
use jiff::Timestamp;
use sandbox::{Clock, Options, Organisation, Sandbox, Seed};
use shared::testing::{self, Folder, at};
use shared::{GRID, Report};
use std::cell::RefCell;
use std::rc::Rc;

/// When the organisations of the proofs stand where they began to be watched.
pub const EPOCH: &str = "2026-01-08T12:00:00Z";

/// The seed of this number and size.
#[must_use]
pub fn seed(number: u64, size: u32) -> Seed {
    Seed { number, size, epoch: at(EPOCH) }
}

/// A time on the grid within a day of the epoch, another one for each organisation.
#[must_use]
pub fn time_of(number: u64) -> Timestamp {
    let slots = i32::try_from(number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40).unwrap() % 192 - 96;
    at(EPOCH) + GRID * slots
}

/// An organisation, and how it is configured.
pub struct Scene<'a> {
    /// The organisation.
    pub organisation: &'a Organisation,
    /// Its number, from which its configuration follows.
    pub number: u64,
    /// When it was read so far.
    pub runs: Vec<Timestamp>,
}

/// The sandbox, its clock and the collector.
pub struct Stage<S: Subject> {
    /// The sandbox, which several stages may share.
    pub sandbox: Rc<Sandbox>,
    /// What time it is there.
    pub clock: Clock,
    /// The collector with its store.
    pub inner: testing::Stage<S::Collector>,
    number: u64,
    runs: RefCell<Vec<Timestamp>>,
}

impl<S: Subject> Stage<S> {
    /// The organisation of this number at this time, configured as the subject says; `push` says whether runs send.
    pub async fn new(number: u64, now: Timestamp, push: bool) -> Self {
        Self::on(&started::<S>(number, 0, now).await, number, push, S::settings(number)).await
    }

    /// The healthy organisation with one target alone.
    pub async fn single(push: bool) -> Self {
        Self::sized(0, push).await
    }

    /// The same, this large.
    pub async fn sized(size: u32, push: bool) -> Self {
        let sandbox = started::<S>(S::HEALTHY, size, at(EPOCH)).await;
        let settings = S::single(&sandbox).0;
        Self::on(&sandbox, S::HEALTHY, push, settings).await
    }

    /// A stage on a sandbox that is up already.
    pub async fn on(sandbox: &Rc<Sandbox>, number: u64, push: bool, more: Settings) -> Self {
        Self::with(sandbox, number, push, more, Folder::new(shared_name::<S>())).await
    }

    /// A stage on a sandbox that is up already, with this store.
    pub async fn with(sandbox: &Rc<Sandbox>, number: u64, push: bool, more: Settings, state: Folder) -> Self {
        let more: Vec<(&str, &str)> = more.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let inner = testing::Stage::with(sandbox.env(), &more, push, state).await;
        Self { sandbox: Rc::clone(sandbox), clock: sandbox.clock().clone(), inner, number, runs: RefCell::default() }
    }

    /// What the truth is told of.
    #[must_use]
    pub fn scene(&self) -> Scene<'_> {
        let runs = self.runs.borrow().clone();
        Scene { organisation: self.sandbox.organisation(), number: self.number, runs }
    }

    /// One run at the time that it is.
    pub async fn run(&self) -> Report {
        self.noted(self.inner.run(self.clock.now()).await)
    }

    /// Runs until every part is known.
    pub async fn settled(&self) -> Report {
        self.noted(self.inner.settled(self.clock.now()).await)
    }

    /// Notes when every target was read.
    fn noted(&self, report: Report) -> Report {
        if report.failed().next().is_none() {
            self.runs.borrow_mut().push(report.now);
        }
        report
    }
}

/// A sandbox of this organisation.
pub(crate) async fn started<S: Subject>(number: u64, size: u32, now: Timestamp) -> Rc<Sandbox> {
    let sandbox = Sandbox::start(Options::new(seed(number, size), Clock::at(now))).await.unwrap();
    S::prepare(&sandbox);
    Rc::new(sandbox)
}

fn shared_name<S: Subject>() -> &'static str {
    <S::Collector as shared::Collector>::NAME
}
