//! What a command waits for, on a terminal; nothing where there is none.

use indicatif::{ProgressBar, ProgressStyle};
use std::future::Future;
use std::io::IsTerminal;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A line that names what is still to be waited for.
pub struct Progress {
    bar: ProgressBar,
    verb: &'static str,
    open: Mutex<Vec<String>>,
}

impl Progress {
    /// Nothing is waited for yet; `verb` says what is done with it, such as `asking`.
    pub fn new(verb: &'static str) -> Self {
        // The line goes to standard error, and would lie over a pager that reads standard output.
        let bar = if std::io::stdout().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        // One line, whatever the terminal's width: what it has no room for is cut off.
        let style = ProgressStyle::with_template("{spinner} {wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        Self { bar, verb, open: Mutex::default() }
    }

    /// Names this work while it goes on.
    pub async fn during<T>(&self, name: &str, work: impl Future<Output = T>) -> T {
        self.change(|open| open.push(name.to_owned()));
        self.bar.enable_steady_tick(Duration::from_millis(100));
        let result = work.await;
        self.change(|open| {
            if let Some(place) = open.iter().position(|one| one == name) {
                open.remove(place);
            }
        });
        result
    }

    /// The line that is shown now.
    fn line(&self) -> String {
        format!("{} {}", self.verb, self.open().join(", "))
    }

    fn change(&self, change: impl FnOnce(&mut Vec<String>)) {
        change(&mut self.open());
        if !self.open().is_empty() {
            self.bar.set_message(self.line());
        }
    }

    fn open(&self) -> MutexGuard<'_, Vec<String>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Progress {
    /// The line is gone before the page is printed.
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
    async fn the_line_names_what_is_still_waited_for() {
        let progress = Progress::new("asking");
        let (tell, told) = oneshot::channel::<()>();
        let slow = progress.during("github", async { told.await.is_ok() });
        let watch = async {
            assert_eq!(progress.during("asana", async { progress.line() }).await, "asking github, asana");
            assert_eq!(progress.line(), "asking github");
            tell.send(()).is_ok()
        };
        assert_eq!(join(slow, watch).await, (true, true));
        assert_eq!(progress.line(), "asking ");
    }
}
