//! What became of the requests: counted while they run, read at any time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::Serialize;

use super::connection::Answer;

/// The name under which answers without a revision are counted: the router's own, or those of a service that nothing
/// routes to.
pub const UNLABELLED: &str = "none";

/// The most revisions that are told apart; a service that makes up more is counted as [`UNLABELLED`].
const REVISIONS: usize = 64;
/// The longest name of a revision, in bytes; a longer one is counted as [`UNLABELLED`].
const LONGEST_NAME: usize = 64;

/// Why a request got no complete, right answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lost {
    /// No connection could be made.
    Refused,
    /// The connection ended, or spoke no HTTP, before the answer was complete.
    Broken,
    /// The answer was not complete in time.
    Timeout,
    /// An echo came back as other bytes, or an upgrade was answered with something else.
    Altered,
}

/// What became of the requests. `sent` is `ok + bad + failed + in_flight`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Receipt {
    /// Requests that fell due and were begun, connecting included.
    pub sent: u64,
    /// Requests that fell due and could not be begun before the load ended.
    pub unsent: u64,
    /// Complete answers below 500.
    pub ok: u64,
    /// Complete answers of 500 and above.
    pub bad: u64,
    /// Requests without a complete, right answer.
    pub failed: u64,
    /// Requests that are being answered; 0 once the load has ended.
    pub in_flight: u64,
    /// How `failed` came about.
    pub lost: BTreeMap<Lost, u64>,
    /// Connections that were opened.
    pub connections: u64,
    /// Complete answers by status.
    pub by_status: BTreeMap<u16, u64>,
    /// Complete answers by the revision that the header `x-windlass-revision` names, else [`UNLABELLED`].
    pub by_revision: BTreeMap<String, RevisionCounts>,
    /// Latency of complete answers, from when each was due; `None` without any.
    pub latency: Option<Latency>,
    /// The longest time without an answer below 500, the time before the first and after the last included.
    pub gap_ms: u64,
    /// How long the load ran.
    pub lasted_ms: u64,
}

impl Receipt {
    /// Requests that a router in front of the service lost: without a complete answer, or refused by the router
    /// itself. A 5xx that names its revision is the service's own answer.
    #[must_use]
    pub fn lost_on_the_way(&self) -> u64 {
        self.failed + self.by_revision.get(UNLABELLED).map_or(0, |counts| counts.bad)
    }
}

/// What one revision answered. Times are since the load began.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RevisionCounts {
    /// Complete answers.
    pub sent: u64,
    /// Of these, 500 and above.
    pub bad: u64,
    /// Latency; `None` without answers.
    pub latency: Option<Latency>,
    /// Its first answer.
    pub first_ms: u64,
    /// Its last answer.
    pub last_ms: u64,
    /// Its first answer of 500 or above.
    pub first_bad_ms: Option<u64>,
    /// Its last answer of 500 or above.
    pub last_bad_ms: Option<u64>,
}

/// Quantiles in milliseconds, exact to a thousandth of their value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Latency {
    pub p50_ms: f64,
    pub p95_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
}

/// A shared handle on the counts of one load. Clones show the same counts.
#[derive(Clone, Debug, Default)]
pub struct Meter(Arc<Mutex<Record>>);

#[derive(Debug, Default)]
struct Record {
    counts: Receipt,
    all: Times,
    revisions: BTreeMap<String, Times>,
    began: Option<Instant>,
    last_ok: Option<Instant>,
    ended: Option<Instant>,
    longest_gap: Duration,
}

impl Meter {
    /// A handle on counts that are all zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The counts so far.
    #[must_use]
    pub fn receipt(&self) -> Receipt {
        self.record().receipt(Instant::now())
    }

    /// The load begins; what the handle counted before is forgotten.
    pub(super) fn begin(&self) {
        *self.record() = Record { began: Some(Instant::now()), ..Record::default() };
    }

    /// A request is begun.
    pub(super) fn sent(&self) {
        let mut record = self.record();
        record.counts.sent += 1;
        record.counts.in_flight += 1;
    }

    /// A connection is opened.
    pub(super) fn connected(&self) {
        self.record().counts.connections += 1;
    }

    /// A request that counts from `from` got this answer now.
    pub(super) fn ended(&self, from: Instant, answer: &Result<Answer, Lost>) {
        self.record().ended(from, Instant::now(), answer);
    }

    /// The load is over, and so many requests had fallen due.
    pub(super) fn end(&self, due: u64) {
        let mut record = self.record();
        record.counts.unsent = due.saturating_sub(record.counts.sent);
        record.ended = Some(Instant::now());
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        // Nothing panics while it holds the lock, and counts stay true even so.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record {
    fn ended(&mut self, from: Instant, now: Instant, answer: &Result<Answer, Lost>) {
        self.counts.in_flight -= 1;
        let answer = match answer {
            Ok(answer) => answer,
            Err(lost) => {
                self.counts.failed += 1;
                *self.counts.lost.entry(*lost).or_default() += 1;
                return;
            }
        };
        let since = millis(self.began.map_or(Duration::ZERO, |began| now.duration_since(began)));
        let latency = answer.at.unwrap_or(now).saturating_duration_since(from);
        let bad = answer.status >= 500;
        *self.counts.by_status.entry(answer.status).or_default() += 1;
        self.all.add(latency);
        if bad {
            self.counts.bad += 1;
        } else {
            self.counts.ok += 1;
            self.longest_gap = self.longest_gap.max(self.gap(now));
            self.last_ok = Some(now);
        }
        let name = self.name(answer.revision.as_deref());
        self.revisions.entry(name.clone()).or_default().add(latency);
        let counts = self
            .counts
            .by_revision
            .entry(name)
            .or_insert_with(|| RevisionCounts { first_ms: since, ..RevisionCounts::default() });
        counts.sent += 1;
        counts.last_ms = since;
        if bad {
            counts.bad += 1;
            counts.first_bad_ms.get_or_insert(since);
            counts.last_bad_ms = Some(since);
        }
    }

    fn name(&self, revision: Option<&str>) -> String {
        match revision {
            Some(name) if self.revisions.contains_key(name) => name.to_owned(),
            Some(name) if self.revisions.len() < REVISIONS && name.len() <= LONGEST_NAME => name.to_owned(),
            Some(_) | None => UNLABELLED.to_owned(),
        }
    }

    fn gap(&self, now: Instant) -> Duration {
        self.last_ok.or(self.began).map_or(Duration::ZERO, |last| now.saturating_duration_since(last))
    }

    fn receipt(&self, now: Instant) -> Receipt {
        let now = self.ended.unwrap_or(now);
        let mut receipt = self.counts.clone();
        receipt.latency = self.all.latency();
        for (name, counts) in &mut receipt.by_revision {
            counts.latency = self.revisions.get(name).and_then(Times::latency);
        }
        receipt.gap_ms = millis(self.longest_gap.max(self.gap(now)));
        receipt.lasted_ms =
            millis(self.began.map_or(Duration::ZERO, |began| now.saturating_duration_since(began)));
        receipt
    }
}

/// Latencies in microseconds; the histogram is made with the first, because it takes some memory.
#[derive(Debug, Default)]
struct Times(Option<Histogram<u32>>);

/// The longest latency that is told apart, in microseconds: ten minutes.
const LONGEST: u64 = 600_000_000;

impl Times {
    fn add(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX).max(1);
        self.0
            .get_or_insert_with(|| {
                Histogram::new_with_bounds(1, LONGEST, 3).expect("the bounds are in order")
            })
            .saturating_record(micros);
    }

    fn latency(&self) -> Option<Latency> {
        let times = self.0.as_ref()?;
        let ms = |micros: u64| micros as f64 / 1000.0;
        let at = |quantile| ms(times.value_at_quantile(quantile));
        Some(Latency { p50_ms: at(0.5), p95_ms: at(0.95), p99_ms: at(0.99), max_ms: ms(times.max()) })
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
