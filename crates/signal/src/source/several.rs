//! What several hosts counted, as if one had.

use windlass_domain::verdict::NoDataReason;

use super::reading::{Count, Reading, RevisionReading};

/// The sum of readings. A host that has no series of a revision has counted none of it; whatever else is wrong with one
/// host's counter is wrong with the sum.
pub(super) fn add_up(hosts: &[Reading]) -> Reading {
    let of = |pick: fn(&Reading) -> Option<&RevisionReading>| {
        let mut each =
            hosts.iter().enumerate().filter_map(|(host, reading)| Some(named(host, pick(reading)?)));
        let first = each.next()?;
        Some(each.fold(first, add))
    };
    Reading {
        new: of(|reading| Some(&reading.new)).unwrap_or_else(nothing),
        old: of(|reading| reading.old.as_ref()),
    }
}

fn nothing() -> RevisionReading {
    let absent = Count::Missing(NoDataReason::Absent);
    RevisionReading {
        requests: absent,
        bad: absent,
        buckets: Vec::new(),
        timed: absent,
        weight: None,
        restarts: absent,
        instances: 0,
        not_ready: Vec::new(),
    }
}

/// The reading of one host, whose instances are told apart from those of the others by the host's place in the list.
fn named(host: usize, reading: &RevisionReading) -> RevisionReading {
    let mut reading = reading.clone();
    for index in &mut reading.not_ready {
        *index = format!("{index} of host {}", host + 1);
    }
    reading
}

fn add(a: RevisionReading, b: RevisionReading) -> RevisionReading {
    let (buckets, timed) = histograms(&a, &b);
    RevisionReading {
        requests: counts(a.requests, b.requests),
        bad: counts(a.bad, b.bad),
        buckets,
        timed,
        weight: a.weight.zip(b.weight).map(|(a, b)| a + b).or(a.weight).or(b.weight),
        restarts: counts(a.restarts, b.restarts),
        instances: a.instances + b.instances,
        not_ready: [a.not_ready, b.not_ready].concat(),
    }
}

fn counts(a: Count, b: Count) -> Count {
    match (a, b) {
        (Count::Value(a), Count::Value(b)) => Count::Value(a.saturating_add(b)),
        (Count::Missing(NoDataReason::Absent), other) | (other, Count::Missing(NoDataReason::Absent)) => {
            other
        }
        (missing @ Count::Missing(_), _) | (_, missing @ Count::Missing(_)) => missing,
    }
}

/// Histograms of other bounds, as agents of two versions may have, cannot be added.
fn histograms(a: &RevisionReading, b: &RevisionReading) -> (Vec<(f64, u64)>, Count) {
    if a.timed == Count::Missing(NoDataReason::Absent) {
        return (b.buckets.clone(), b.timed);
    }
    if b.timed == Count::Missing(NoDataReason::Absent) {
        return (a.buckets.clone(), a.timed);
    }
    let bounds =
        |one: &RevisionReading| one.buckets.iter().map(|(bound, _)| bound.to_bits()).collect::<Vec<_>>();
    if bounds(a) != bounds(b) {
        return (Vec::new(), Count::Missing(NoDataReason::Duplicate));
    }
    let sums = a.buckets.iter().zip(&b.buckets).map(|((bound, a), (_, b))| (*bound, a.saturating_add(*b)));
    (sums.collect(), counts(a.timed, b.timed))
}

#[cfg(test)]
mod tests {
    use windlass_domain::release::Sequence;

    use super::*;
    use crate::source::reading::pick;
    use crate::source::text::parse;

    fn reading(text: &str) -> Reading {
        pick(&parse(text).unwrap(), Sequence(2), Some(Sequence(1)))
    }

    const NEW: &str = concat!(
        "windlass_requests_total{revision=\"r2\",code=\"2xx\"} 90\n",
        "windlass_requests_bad_total{revision=\"r2\"} 3\n",
        "windlass_requests_failed_total{revision=\"r2\"} 0\n",
        "windlass_request_duration_seconds_bucket{revision=\"r2\",le=\"0.1\"} 80\n",
        "windlass_request_duration_seconds_bucket{revision=\"r2\",le=\"+Inf\"} 90\n",
        "windlass_instance_ready{revision=\"r2\",index=\"0\"} 0\n",
        "windlass_weight{revision=\"r2\"} 10000\n",
    );

    #[test]
    fn hosts_counts_are_sums_and_a_host_without_the_revision_adds_nothing() {
        let old = "windlass_requests_total{revision=\"r1\",code=\"2xx\"} 7\nwindlass_weight{revision=\"r1\"} 10000\n";
        let sum = add_up(&[reading(NEW), reading(old), reading(NEW)]);
        assert_eq!((sum.new.requests, sum.new.bad), (Count::Value(180), Count::Value(6)));
        assert_eq!((sum.new.buckets, sum.new.timed), (vec![(0.1, 160)], Count::Value(180)));
        assert_eq!((sum.new.weight, sum.new.instances), (Some(20_000.0), 2));
        assert_eq!(sum.new.not_ready, ["0 of host 1", "0 of host 3"]);
        let old = sum.old.unwrap();
        assert_eq!((old.requests, old.weight), (Count::Value(7), Some(10_000.0)));
    }

    #[test]
    fn hosts_a_counter_that_is_no_number_on_one_is_none_on_all() {
        let wrong = NEW.replace("} 90\nwindlass_requests_bad", "} NaN\nwindlass_requests_bad");
        let sum = add_up(&[reading(NEW), reading(&wrong)]);
        assert_eq!(sum.new.requests, Count::Missing(NoDataReason::NotANumber));
        let other = NEW.replace("le=\"0.1\"", "le=\"0.2\"");
        let sum = add_up(&[reading(NEW), reading(&other)]);
        assert_eq!(sum.new.timed, Count::Missing(NoDataReason::Duplicate));
    }
}
