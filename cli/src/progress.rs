//! Shows on a terminal what a command is waiting for.

use indicatif::{ProgressBar, ProgressStyle};
use std::future::Future;
use std::io::IsTerminal;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A line on the terminal that names what is still being waited for.
pub struct Progress {
    bar: ProgressBar,
    verb: &'static str,
    waiting: Mutex<Vec<String>>,
}

impl Progress {
    /// A line that begins with this verb, e.g. `asking`.
    pub fn new(verb: &'static str) -> Self {
        // The line is on standard error: it would be drawn over a pager that reads standard output.
        let bar = if std::io::stdout().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        // A wide message is cut at the width of the terminal, so that it stays one line.
        let style = ProgressStyle::with_template("{spinner} {wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        Self { bar, verb, waiting: Mutex::default() }
    }

    /// Shows this name until the work is done.
    pub async fn during<T>(&self, name: &str, work: impl Future<Output = T>) -> T {
        self.update(|waiting| waiting.push(name.to_owned()));
        self.bar.enable_steady_tick(Duration::from_millis(100));
        let result = work.await;
        self.update(|waiting| {
            if let Some(place) = waiting.iter().position(|one| one == name) {
                waiting.remove(place);
            }
        });
        result
    }

    /// The text of the line.
    fn message(&self) -> String {
        format!("{} {}", self.verb, self.waiting().join(", "))
    }

    fn update(&self, change: impl FnOnce(&mut Vec<String>)) {
        change(&mut self.waiting());
        if !self.waiting().is_empty() {
            self.bar.set_message(self.message());
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<String>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Progress {
    /// Removes the line.
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::future::join;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn the_line_names_what_is_still_being_waited_for() {
        let progress = Progress::new("asking");
        let (tell, told) = oneshot::channel::<()>();
        let slow = progress.during("github", async { told.await.is_ok() });
        let watch = async {
            assert_eq!(progress.during("asana", async { progress.message() }).await, "asking github, asana");
            assert_eq!(progress.message(), "asking github");
            tell.send(()).is_ok()
        };
        assert_eq!(join(slow, watch).await, (true, true));
        assert_eq!(progress.message(), "asking ");
    }
}
