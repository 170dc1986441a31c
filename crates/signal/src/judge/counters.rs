//! Counters as deltas: what each revision served between two readings, from the watch's start on.

use windlass_domain::verdict::{Arm, NoDataReason};

use crate::source::reading::{Count, RevisionReading};

/// What one revision served between two readings.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Served {
    /// Requests and bad ones.
    pub(super) arm: Arm,
    /// The histogram of their durations, its last bound infinite; empty where there is none.
    pub(super) durations: Vec<(f64, u64)>,
    /// How often an instance was started again.
    pub(super) restarts: u64,
}

/// One revision's counters as last read.
#[derive(Clone, Debug, Default)]
pub(super) struct Counters {
    last: Option<RevisionReading>,
}

impl Counters {
    /// Takes a reading, and says what was served since the last: `None` at the first. A series that appears later
    /// counts from 0.
    pub(super) fn advance(&mut self, now: &RevisionReading) -> Option<Result<Served, NoDataReason>> {
        let last = self.last.replace(now.clone())?;
        Some(between(&last, now))
    }
}

fn between(last: &RevisionReading, now: &RevisionReading) -> Result<Served, NoDataReason> {
    let requests = delta(last.requests, now.requests)?;
    let bad = delta(last.bad, now.bad)?;
    // Without a difference, whoever counts was restarted too, or does not count restarts.
    let restarts = delta(last.restarts, now.restarts).unwrap_or_default();
    // A bad request that never reached the service may be missing among the requests.
    let arm = Arm { requests: requests.max(bad), bad };
    Ok(Served { arm, durations: durations(last, now).unwrap_or_default(), restarts })
}

fn delta(last: Count, now: Count) -> Result<u64, NoDataReason> {
    let last = match last {
        Count::Value(value) => value,
        Count::Missing(NoDataReason::Absent) => 0,
        Count::Missing(reason) => return Err(reason),
    };
    now.get()?.checked_sub(last).ok_or(NoDataReason::Reset)
}

/// The histogram with its infinite bound; `None` where it is missing.
pub(super) fn with_infinite_bound(reading: &RevisionReading) -> Option<Vec<(f64, u64)>> {
    let total = reading.timed.get().ok()?;
    let mut buckets = reading.buckets.clone();
    buckets.push((f64::INFINITY, total));
    Some(buckets)
}

fn durations(last: &RevisionReading, now: &RevisionReading) -> Option<Vec<(f64, u64)>> {
    let now = with_infinite_bound(now)?;
    let Some(last) = with_infinite_bound(last) else { return Some(now) };
    if last.len() != now.len() {
        return None;
    }
    now.iter()
        .zip(&last)
        .map(|((bound, now), (same, last))| {
            (bound.to_bits() == same.to_bits()).then_some(())?;
            Some((*bound, now.checked_sub(*last)?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(requests: Count, bad: Count) -> RevisionReading {
        RevisionReading {
            requests,
            bad,
            buckets: Vec::new(),
            timed: Count::Missing(NoDataReason::Absent),
            weight: None,
            restarts: Count::Value(0),
            instances: 1,
            not_ready: Vec::new(),
        }
    }

    #[test]
    fn deltas_count_from_the_first_reading_and_a_reset_is_named() {
        use Count::{Missing, Value};
        let absent = Missing(NoDataReason::Absent);
        let cases = [
            (Value(10), Value(1), Value(15), Value(2), Ok(Arm { requests: 5, bad: 1 })),
            (absent, absent, Value(15), Value(2), Ok(Arm { requests: 15, bad: 2 })),
            (Value(10), Value(1), Value(3), Value(0), Err(NoDataReason::Reset)),
            (Value(10), Value(1), absent, Value(1), Err(NoDataReason::Absent)),
            (Value(10), Value(1), Value(12), absent, Err(NoDataReason::Absent)),
            (Missing(NoDataReason::NotANumber), Value(1), Value(9), Value(1), Err(NoDataReason::NotANumber)),
            (Value(0), Value(0), Value(1), Value(3), Ok(Arm { requests: 3, bad: 3 })),
        ];
        for (requests, bad, later_requests, later_bad, expected) in cases {
            let mut counters = Counters::default();
            assert!(counters.advance(&reading(requests, bad)).is_none());
            let served = counters.advance(&reading(later_requests, later_bad)).unwrap();
            assert_eq!(served.map(|served| served.arm), expected);
        }
    }
}
