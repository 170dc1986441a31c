//! The access log: one JSON line for each request that a revision was chosen for, in `access.log` of the root.
//!
//! Workers hand lines over and never wait: where the writer is behind, a line is lost and counted. Queries are not
//! written: they hold tokens and names too often.

use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use hyper::Method;
use jiff::Timestamp;
use serde::Serialize;
use windlass_domain::release::Sequence;

use crate::clock::now;
use crate::rotation::{Own, Rule};

/// When it is put aside: at 64 MiB or after a week.
const RULE: Rule = Rule { size: 64 * 1024 * 1024, age: Duration::from_secs(7 * 24 * 3600), keep: 5 };

/// How many lines may wait for the writer.
const QUEUE: usize = 8192;

/// At so many bytes, lines are written at once.
const BATCH: usize = 64 * 1024;

/// The log, as workers see it.
#[derive(Debug)]
pub(crate) struct Access {
    lines: SyncSender<Line>,
    lost: Arc<AtomicU64>,
}

/// What is known of a request when it comes.
#[derive(Debug)]
pub(crate) struct Note {
    log: Arc<Access>,
    client: IpAddr,
    method: Method,
    path: String,
}

/// What is known of it when it is over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    /// `None` where the client went before there was an answer.
    pub(crate) status: Option<u16>,
    /// `None` where there was none.
    pub(crate) revision: Option<Sequence>,
    /// The instance that was asked last.
    pub(crate) instance: Option<SocketAddr>,
    /// From its head to the end of its answer.
    pub(crate) time: Duration,
    /// Bytes of the answer's body or of the tunnel that went to the client.
    pub(crate) sent: u64,
}

/// One line.
#[derive(Debug, Serialize)]
struct Line {
    at: Timestamp,
    client: IpAddr,
    #[serde(serialize_with = "word")]
    method: Method,
    path: String,
    status: Option<u16>,
    revision: Option<String>,
    instance: Option<SocketAddr>,
    duration_ms: f64,
    bytes: u64,
}

fn word<S: serde::Serializer>(method: &Method, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(method.as_str())
}

impl Access {
    /// Opens the log, and starts its writer, which ends with the last of its users.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = Own::open(path, RULE)?;
        let (lines, waiting) = sync_channel(QUEUE);
        let lost = Arc::<AtomicU64>::default();
        let counter = Arc::clone(&lost);
        std::thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || write_all(file, &waiting, &counter))?;
        Ok(Self { lines, lost })
    }

    /// How many lines were lost.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }

    /// Begins a line.
    pub(crate) fn note(self: &Arc<Self>, client: IpAddr, method: &Method, path: &str) -> Note {
        Note { log: Arc::clone(self), client, method: method.clone(), path: path.to_owned() }
    }
}

impl Note {
    /// Ends the line.
    pub(crate) fn end(self, ended: Ended) {
        let Ended { status, revision, instance, time, sent } = ended;
        let Self { log, client, method, path } = self;
        let line = Line {
            at: now(),
            client,
            method,
            path,
            status,
            revision: revision.map(|revision| revision.to_string()),
            instance,
            // To a thousandth of a millisecond.
            duration_ms: f64::from(u32::try_from(time.as_micros()).unwrap_or(u32::MAX)) / 1000.0,
            bytes: sent,
        };
        if log.lines.try_send(line).is_err() {
            log.lost.fetch_add(1, Relaxed);
        }
    }
}

fn write_all(mut file: Own, waiting: &Receiver<Line>, lost: &AtomicU64) {
    let mut has_failed = false;
    let mut bytes = Vec::with_capacity(2 * BATCH);
    while let Ok(first) = waiting.recv() {
        let mut next = Some(first);
        let mut count = 0;
        while let Some(line) = next {
            serde_json::to_writer(&mut bytes, &line)
                .expect("a line has only string keys, and memory takes all");
            bytes.push(b'\n');
            count += 1;
            next = if bytes.len() < BATCH { waiting.try_recv().ok() } else { None };
        }
        match file.write_all(&bytes) {
            Ok(()) => has_failed = false,
            Err(error) => {
                lost.fetch_add(count, Relaxed);
                if !std::mem::replace(&mut has_failed, true) {
                    tracing::error!(%error, "cannot write the access log; its lines are lost until it can");
                }
            }
        }
        bytes.clear();
    }
}
