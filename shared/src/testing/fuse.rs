//! A fuse that stops a run at one of its steps, as if it were killed there.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;

/// Burns at one step: everything that passes it after that waits for ever.
#[derive(Debug, Clone)]
pub struct Fuse(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    steps: AtomicUsize,
    burns_at: usize,
    burnt: Notify,
}

impl Fuse {
    /// A fuse that burns at this step; each operation has two, before it and after it.
    #[must_use]
    pub fn new(burns_at: usize) -> Self {
        Self(Arc::new(Inner { steps: AtomicUsize::new(0), burns_at, burnt: Notify::new() }))
    }

    /// An operation between its two steps.
    pub async fn around<T>(&self, operation: impl Future<Output = T>) -> T {
        self.step().await;
        let result = operation.await;
        self.step().await;
        result
    }

    /// One step: it passes, or it never does.
    pub async fn step(&self) {
        if self.0.steps.fetch_add(1, Ordering::SeqCst) >= self.0.burns_at {
            self.0.burnt.notify_one();
            std::future::pending::<()>().await;
        }
    }

    /// Runs until it is over or the fuse burns; nothing is left of it then.
    pub async fn run<T>(&self, run: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            result = run => Some(result),
            () = self.0.burnt.notified() => None,
        }
    }

    /// How many steps were made.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.0.steps.load(Ordering::SeqCst)
    }
}
