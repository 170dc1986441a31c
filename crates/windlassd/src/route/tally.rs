//! What is counted of one revision: a shard for each worker, which alone writes it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use windlass_target::host::control::Counts;

/// The upper ends of the duration histogram, in seconds: from 1 ms to 12 s, each about 1.6 times the one before.
pub(crate) const BUCKETS: [f64; 21] = [
    0.001, 0.0016, 0.0026, 0.0041, 0.0066, 0.0105, 0.0168, 0.0268, 0.0429, 0.0687, 0.11, 0.176, 0.281, 0.45,
    0.721, 1.15, 1.84, 2.95, 4.72, 7.56, 12.1,
];

/// What requests are counted by: the class of the answer's code, or that the client went before there was one.
pub(crate) const CODES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "aborted"];

/// The place of `aborted` in [`CODES`].
pub(super) const ABORTED: usize = 5;

/// The counters of one revision.
#[derive(Debug)]
pub(crate) struct Tally {
    shards: Box<[Shard]>,
    /// The same for requests that a tester sent to this revision: they say nothing about it.
    forced: Box<[Shard]>,
}

/// One worker's counters. On cache lines of its own, so that workers do not slow each other down.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Shard {
    pub(super) in_flight: Count,
    pub(super) codes: [Count; 6],
    pub(super) bad: Count,
    pub(super) failed: Count,
    pub(super) retries: Count,
    pub(super) upgrades: Count,
    pub(super) cut: Count,
    pub(super) late: Count,
    pub(super) received: Count,
    pub(super) sent: Count,
    buckets: [Count; 22],
    micros: Count,
}

/// A counter with one writer.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self, more: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(more), Relaxed);
    }

    pub(super) fn up(&self) {
        self.add(1);
    }

    pub(super) fn down(&self) {
        self.add(u64::MAX);
    }

    fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Shard {
    /// Counts an answer's duration.
    pub(super) fn took(&self, time: Duration) {
        let seconds = time.as_secs_f64();
        self.buckets[BUCKETS.partition_point(|end| *end < seconds)].up();
        self.micros.add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }
}

/// All shards together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    /// Requests and tunnels being answered.
    pub(crate) in_flight: u64,
    /// Requests by [`CODES`].
    pub(crate) codes: [u64; 6],
    /// 5xx answers of the service, and connections that it broke.
    pub(crate) bad: u64,
    /// No instance, no connection.
    pub(crate) failed: u64,
    /// Requests that were sent again, because nothing of them had been sent.
    pub(crate) retries: u64,
    /// Connections that were upgraded.
    pub(crate) upgrades: u64,
    /// Requests and tunnels that were cut off when the time to drain was over.
    pub(crate) cut: u64,
    /// Of the bad ones, those that took longer than a request may.
    pub(crate) late: u64,
    /// Bytes of bodies and tunnels that came from clients.
    pub(crate) received: u64,
    /// Bytes of bodies and tunnels that went to clients.
    pub(crate) sent: u64,
    /// Requests that testers sent here; none of the other counts has them.
    pub(crate) forced: u64,
    /// Answers by duration, not yet cumulated; the last is beyond all [`BUCKETS`].
    pub(crate) buckets: [u64; 22],
    /// The sum of the durations.
    pub(crate) micros: u64,
}

impl Sum {
    /// For the agent's state.
    pub(crate) fn counts(&self) -> Counts {
        let requests = self.codes[..ABORTED].iter().sum();
        Counts { requests, bad: self.bad, failed: self.failed, cut: self.cut }
    }
}

impl Tally {
    pub(super) fn new(workers: usize) -> Self {
        let shards = || (0..workers).map(|_| Shard::default()).collect();
        Self { shards: shards(), forced: shards() }
    }

    pub(super) fn shard(&self, worker: usize) -> &Shard {
        &self.shards[worker]
    }

    pub(super) fn forced(&self, worker: usize) -> &Shard {
        &self.forced[worker]
    }

    /// What was counted so far. Counters are read one by one, while workers count on.
    pub(crate) fn sum(&self) -> Sum {
        let mut sum = Sum::default();
        for shard in &self.shards {
            sum.in_flight = sum.in_flight.wrapping_add(shard.in_flight.get());
            for (total, count) in sum.codes.iter_mut().zip(&shard.codes) {
                *total += count.get();
            }
            for (total, count) in sum.buckets.iter_mut().zip(&shard.buckets) {
                *total += count.get();
            }
            sum.bad += shard.bad.get();
            sum.failed += shard.failed.get();
            sum.retries += shard.retries.get();
            sum.upgrades += shard.upgrades.get();
            sum.cut += shard.cut.get();
            sum.late += shard.late.get();
            sum.received = sum.received.wrapping_add(shard.received.get());
            sum.sent = sum.sent.wrapping_add(shard.sent.get());
            sum.micros = sum.micros.saturating_add(shard.micros.get());
        }
        sum.forced = self.forced.iter().flat_map(|shard| &shard.codes).map(Count::get).sum();
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_add_up() {
        let tally = Tally::new(2);
        tally.shard(0).in_flight.up();
        tally.shard(1).in_flight.up();
        tally.shard(1).in_flight.down();
        tally.shard(0).codes[1].up();
        tally.shard(1).codes[4].up();
        tally.shard(1).codes[ABORTED].up();
        tally.shard(1).bad.up();
        tally.shard(0).cut.up();
        tally.shard(0).received.add(3);
        tally.shard(1).received.add(4);
        let sum = tally.sum();
        assert_eq!((sum.in_flight, sum.received), (1, 7));
        assert_eq!(sum.counts(), Counts { requests: 2, bad: 1, failed: 0, cut: 1 });
    }

    #[test]
    fn a_duration_falls_into_the_bucket_that_ends_at_it() {
        let tally = Tally::new(1);
        tally.shard(0).took(Duration::from_millis(1));
        tally.shard(0).took(Duration::from_micros(1001));
        tally.shard(0).took(Duration::from_secs(60));
        let sum = tally.sum();
        assert_eq!((sum.buckets[0], sum.buckets[1], sum.buckets[21]), (1, 1, 1));
    }
}
