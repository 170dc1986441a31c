//! What an exposition says of the two revisions that are compared.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use windlass_domain::release::Sequence;
use windlass_domain::verdict::NoDataReason;

use super::text::Series;

/// What was read at one time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// Of the new revision.
    pub new: RevisionReading,
    /// Of the old one, where there is one.
    pub old: Option<RevisionReading>,
}

/// What was read of one revision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RevisionReading {
    /// `windlass_requests_total`, all codes together.
    pub requests: Count,
    /// `windlass_requests_bad_total` and `windlass_requests_failed_total` together: 5xx answers, broken connections,
    /// and requests for which no instance could be reached.
    pub bad: Count,
    /// `windlass_request_duration_seconds`: finite upper bounds in seconds, ascending, each with the requests at or
    /// below it. Empty where there is none.
    pub buckets: Vec<(f64, u64)>,
    /// The requests in the histogram.
    pub timed: Count,
    /// `windlass_weight`, in whatever unit the source uses; only the ratio of two matters.
    pub weight: Option<f64>,
    /// `windlass_instance_restarts_total`, all instances together.
    pub restarts: Count,
    /// How many instances there are.
    pub instances: u64,
    /// The indices of those that are not ready.
    pub not_ready: Vec<String>,
}

/// A counter's value, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Count {
    /// The value.
    Value(u64),
    /// Why there is none.
    Missing(NoDataReason),
}

impl Count {
    /// The value, or why there is none.
    ///
    /// # Errors
    /// The reason.
    pub const fn get(self) -> Result<u64, NoDataReason> {
        match self {
            Self::Value(value) => Ok(value),
            Self::Missing(reason) => Err(reason),
        }
    }

    fn of(value: Result<u64, NoDataReason>) -> Self {
        match value {
            Ok(value) => Self::Value(value),
            Err(reason) => Self::Missing(reason),
        }
    }
}

/// Picks the two revisions out of an exposition.
#[must_use]
pub fn pick(series: &[Series], new: Sequence, old: Option<Sequence>) -> Reading {
    Reading { new: revision(series, new), old: old.map(|old| revision(series, old)) }
}

/// The weight of every revision that has one above 0, by its number.
#[must_use]
pub fn weights(series: &[Series]) -> BTreeMap<Sequence, f64> {
    series
        .iter()
        .filter(|one| one.name == "windlass_weight" && one.value > 0.0)
        .filter_map(|one| Some((one.label("revision")?.parse().ok()?, one.value)))
        .collect()
}

fn revision(all: &[Series], revision: Sequence) -> RevisionReading {
    let name = revision.to_string();
    let series: Vec<&Series> = all.iter().filter(|one| one.label("revision") == Some(&name)).collect();
    let bad = sum(&series, "windlass_requests_bad_total", &[]);
    let failed = sum(&series, "windlass_requests_failed_total", &[]);
    let bad = match (bad, failed) {
        (Ok(bad), Ok(failed)) => Ok(bad.saturating_add(failed)),
        (Ok(bad), Err(NoDataReason::Absent)) => Ok(bad),
        (Ok(_), Err(reason)) | (Err(reason), _) => Err(reason),
    };
    let (buckets, timed) = histogram(&series);
    let ready: Vec<&&Series> = series.iter().filter(|one| one.name == "windlass_instance_ready").collect();
    RevisionReading {
        requests: Count::of(sum(&series, "windlass_requests_total", &["code"])),
        bad: Count::of(bad),
        buckets,
        timed,
        weight: single(&series, "windlass_weight").filter(|weight| weight.is_finite() && *weight >= 0.0),
        restarts: Count::of(sum(&series, "windlass_instance_restarts_total", &["index"])),
        instances: ready.len() as u64,
        not_ready: ready
            .iter()
            .filter(|one| one.value != 1.0)
            .map(|one| one.label("index").unwrap_or("?").to_owned())
            .collect(),
    }
}

/// The sum of a counter's series, which may differ in the labels of `over` and no others.
fn sum(series: &[&Series], name: &str, over: &[&str]) -> Result<u64, NoDataReason> {
    let mut total = None::<u64>;
    for one in series.iter().filter(|one| one.name == name) {
        if one.labels.iter().any(|(label, _)| label != "revision" && !over.contains(&label.as_str())) {
            return Err(NoDataReason::Duplicate);
        }
        if over.is_empty() && total.is_some() {
            return Err(NoDataReason::Duplicate);
        }
        total = Some(total.unwrap_or(0).saturating_add(count(one.value)?));
    }
    total.ok_or(NoDataReason::Absent)
}

fn single(series: &[&Series], name: &str) -> Option<f64> {
    let mut values = series.iter().filter(|one| one.name == name).map(|one| one.value);
    match (values.next(), values.next()) {
        (Some(value), None) => Some(value),
        (Some(_), Some(_)) | (None, _) => None,
    }
}

/// A counter's value: whole, not negative, and small enough to be exact.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "whole, not negative, below 2^53"
)]
fn count(value: f64) -> Result<u64, NoDataReason> {
    if value >= 0.0 && value.fract() == 0.0 && value < 9_007_199_254_740_992.0 {
        Ok(value as u64)
    } else {
        Err(NoDataReason::NotANumber)
    }
}

fn histogram(series: &[&Series]) -> (Vec<(f64, u64)>, Count) {
    let mut buckets = Vec::new();
    let mut total = Err(NoDataReason::Absent);
    for one in series.iter().filter(|one| one.name == "windlass_request_duration_seconds_bucket") {
        let bound = match one.label("le") {
            Some("+Inf") => f64::INFINITY,
            Some(bound) => bound.parse().unwrap_or(f64::NAN),
            None => f64::NAN,
        };
        match (count(one.value), bound.is_nan()) {
            (Ok(value), false) if bound.is_infinite() => total = Ok(value),
            (Ok(value), false) => buckets.push((bound, value)),
            (Err(reason), _) => return (Vec::new(), Count::Missing(reason)),
            (Ok(_), true) => return (Vec::new(), Count::Missing(NoDataReason::NotANumber)),
        }
    }
    buckets.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let doubled = buckets.windows(2).any(|pair| pair[0].0.to_bits() == pair[1].0.to_bits());
    let falling = buckets.windows(2).any(|pair| pair[0].1 > pair[1].1);
    match total {
        Ok(_) if doubled => (Vec::new(), Count::Missing(NoDataReason::Duplicate)),
        // A histogram that is read while it is written may lag by a request; one whose parts contradict is no number.
        Ok(total) if falling || buckets.last().is_some_and(|(_, last)| *last > total) => {
            (Vec::new(), Count::Missing(NoDataReason::NotANumber))
        }
        total => (buckets, Count::of(total)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::text::parse;

    const TEXT: &str = concat!(
        "windlass_requests_total{revision=\"r7\",code=\"2xx\"} 90\n",
        "windlass_requests_total{revision=\"r7\",code=\"5xx\"} 10\n",
        "windlass_requests_total{revision=\"r6\",code=\"2xx\"} 900\n",
        "windlass_requests_bad_total{revision=\"r7\"} 10\n",
        "windlass_requests_failed_total{revision=\"r7\"} 2\n",
        "windlass_request_duration_seconds_bucket{revision=\"r7\",le=\"0.01\"} 80\n",
        "windlass_request_duration_seconds_bucket{revision=\"r7\",le=\"0.1\"} 99\n",
        "windlass_request_duration_seconds_bucket{revision=\"r7\",le=\"+Inf\"} 100\n",
        "windlass_instance_restarts_total{revision=\"r7\",index=\"0\"} 1\n",
        "windlass_instance_restarts_total{revision=\"r7\",index=\"1\"} 2\n",
        "windlass_instance_ready{revision=\"r7\",index=\"0\"} 1\n",
        "windlass_instance_ready{revision=\"r7\",index=\"1\"} 0\n",
        "windlass_weight{revision=\"r7\"} 500\n",
        "windlass_weight{revision=\"r6\"} 9500\n",
        "windlass_weight{revision=\"r5\"} 0\n",
    );

    #[test]
    fn revisions_are_picked_apart() {
        let series = parse(TEXT).unwrap();
        let reading = pick(&series, Sequence(7), Some(Sequence(6)));
        assert_eq!(reading.new.requests, Count::Value(100));
        assert_eq!(reading.new.bad, Count::Value(12));
        assert_eq!(reading.new.buckets, [(0.01, 80), (0.1, 99)]);
        assert_eq!(reading.new.timed, Count::Value(100));
        assert_eq!(reading.new.restarts, Count::Value(3));
        assert_eq!(reading.new.not_ready, ["1"]);
        let old = reading.old.unwrap();
        assert_eq!(old.requests, Count::Value(900));
        assert_eq!(old.bad, Count::Missing(NoDataReason::Absent));
        assert_eq!(weights(&series).into_keys().collect::<Vec<_>>(), [Sequence(6), Sequence(7)]);
    }

    #[test]
    fn kinds_of_missing_data_are_told_apart() {
        for (text, reason) in [
            ("windlass_requests_total{revision=\"r8\",code=\"2xx\"} 1\n", NoDataReason::Absent),
            ("windlass_requests_total{revision=\"r7\",code=\"2xx\"} NaN\n", NoDataReason::NotANumber),
            ("windlass_requests_total{revision=\"r7\",code=\"2xx\"} -1\n", NoDataReason::NotANumber),
            ("windlass_requests_total{revision=\"r7\",code=\"2xx\"} 1.5\n", NoDataReason::NotANumber),
            ("windlass_requests_total{revision=\"r7\",host=\"a\"} 1\n", NoDataReason::Duplicate),
        ] {
            let reading = pick(&parse(text).unwrap(), Sequence(7), None);
            assert_eq!(reading.new.requests, Count::Missing(reason), "{text}");
        }
    }

    #[test]
    fn contradicting_histogram_is_no_number() {
        let text = TEXT.replace("le=\"0.1\"} 99", "le=\"0.1\"} 79");
        let reading = pick(&parse(&text).unwrap(), Sequence(7), None);
        assert_eq!(reading.new.timed, Count::Missing(NoDataReason::NotANumber));
    }
}
