//! A fake upstream of one route: it speaks HTTP, so that the real client and the real encoder run.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request as the fake saw it.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Such as `GET`.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Headers by lower-case name.
    pub headers: BTreeMap<String, String>,
    /// The body as sent.
    pub body: Vec<u8>,
}

/// What the fake answers.
#[derive(Debug, Clone)]
pub enum Reply {
    /// A whole answer.
    Answer(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// The connection ends without an answer.
    Cut,
    /// The answer ends in its middle.
    Half(Vec<u8>),
    /// No answer for this long, then an empty one.
    Slow(std::time::Duration),
    /// No answer at all.
    Hang,
}

impl Reply {
    /// A JSON answer.
    #[must_use]
    pub fn json(status: u16, value: &serde_json::Value) -> Self {
        Self::Answer(status, vec![("content-type", "application/json".to_owned())], value.to_string().into_bytes())
    }

    /// An answer without a body.
    #[must_use]
    pub const fn status(status: u16) -> Self {
        Self::Answer(status, Vec::new(), Vec::new())
    }

    /// With another header.
    #[must_use]
    pub fn header(self, name: &'static str, value: &str) -> Self {
        match self {
            Self::Answer(status, mut headers, body) => {
                headers.push((name, value.to_owned()));
                Self::Answer(status, headers, body)
            }
            other => other,
        }
    }
}

/// A fake upstream; it goes away when dropped.
#[derive(Debug)]
pub struct Fake {
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Fake {
    /// Starts a fake that answers each request as `answer` says; its first argument counts the requests from 0.
    ///
    /// # Panics
    /// When no port is free.
    #[expect(clippy::expect_used, reason = "a test without its fake has failed")]
    pub async fn start(answer: impl Fn(usize, &Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (log, answer) = (Arc::clone(&seen), Arc::new(answer));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&log), Arc::clone(&answer)));
            }
        });
        Self { url, seen, task }
    }

    /// Its base address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it was asked so far.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.seen).clone()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(seen: &Mutex<Vec<Seen>>) -> MutexGuard<'_, Vec<Seen>> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(mut stream: TcpStream, log: Arc<Mutex<Vec<Seen>>>, answer: Arc<impl Fn(usize, &Seen) -> Reply>) {
    while let Some(request) = read(&mut stream).await {
        let number = {
            let mut log = lock(&log);
            log.push(request.clone());
            log.len() - 1
        };
        let (bytes, whole) = match answer(number, &request) {
            Reply::Cut => return,
            Reply::Hang => std::future::pending().await,
            Reply::Answer(status, headers, body) => (write(status, &headers, body.len(), &body), true),
            Reply::Half(body) => (write(200, &[], body.len() * 2, &body), false),
            Reply::Slow(pause) => {
                tokio::time::sleep(pause).await;
                (write(200, &[], 0, &[]), true)
            }
        };
        if stream.write_all(&bytes).await.is_err() || !whole {
            return;
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    let length: usize = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    while bytes.len() < head_end + 4 + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    Some(Seen { method, path, headers, body: bytes[head_end + 4..].to_vec() })
}

fn write(status: u16, headers: &[(&'static str, String)], length: usize, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {status} Status\r\ncontent-length: {length}\r\n").into_bytes();
    for (name, value) in headers {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}
