//! Every log line of a test, as a function would write it.

use std::cell::RefCell;
use std::io::{self, Write};

thread_local! {
    /// What this thread logged while its journal is kept.
    static LINES: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// The lines written on this thread while it is kept, down to those for debugging.
#[derive(Debug)]
pub struct Journal(());

impl Journal {
    /// Begins to write down what this thread logs; for tests whose runtime is this thread alone.
    #[must_use]
    pub fn keep() -> Self {
        // One subscriber for the whole process: whether a line is wanted at all is remembered for all threads together,
        // so that one of this thread's own would miss what another thread had no use for.
        let builder = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).json().flatten_event(true);
        if builder.with_writer(|| Lines).try_init().is_err() {
            tracing::debug!("the journals of this process are kept already");
        }
        LINES.with_borrow_mut(|lines| *lines = Some(Vec::new()));
        Self(())
    }

    /// What was written so far.
    #[must_use]
    pub fn text(&self) -> String {
        LINES.with_borrow(|lines| String::from_utf8_lossy(lines.as_deref().unwrap_or_default()).into_owned())
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        LINES.with_borrow_mut(|lines| *lines = None);
    }
}

struct Lines;

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINES.with_borrow_mut(|lines| {
            if let Some(lines) = lines {
                lines.extend_from_slice(bytes);
            }
        });
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
