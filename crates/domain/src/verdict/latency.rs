//! Latency: the error test on "slower than a cut", averaged over cuts at the old revision's own quantiles.
//!
//! The cuts are bounds of histogram buckets, chosen from what the old revision served before the test begins, so that
//! they do not depend on what is tested.

use super::Arm;
use super::absolute::Absolute;
use super::dispersion::Calibration;
use super::errors::TwoArm;
use super::mixture::add;

/// The quantiles at which the old revision is cut.
const QUANTILES: [f64; 6] = [0.5, 0.75, 0.9, 0.95, 0.99, 0.999];
/// How many requests the old must have served before its quantiles mean anything.
pub const FEWEST_FOR_CUTS: u64 = 100;

/// A cumulative histogram: upper bounds in seconds, ascending, each with the number of requests at or below it. The
/// last bound is infinite.
pub type Buckets = [(f64, u64)];

/// The finite bounds at or just above the old revision's quantiles; `None` with fewer than
/// [`FEWEST_FOR_CUTS`] requests, or when all are in the last bucket.
#[must_use]
pub fn cuts(old: &Buckets) -> Option<Vec<f64>> {
    let total = old.last().map_or(0, |(_, count)| *count);
    if total < FEWEST_FOR_CUTS {
        return None;
    }
    let mut cuts: Vec<f64> = QUANTILES
        .iter()
        .filter_map(|quantile| {
            #[expect(clippy::cast_precision_loss, reason = "counts of requests stay far below 2^52")]
            let rank = quantile * total as f64;
            #[expect(clippy::cast_precision_loss, reason = "counts of requests stay far below 2^52")]
            old.iter()
                .find(|(bound, count)| bound.is_finite() && *count as f64 >= rank)
                .map(|(bound, _)| *bound)
        })
        .collect();
    cuts.dedup();
    (!cuts.is_empty()).then_some(cuts)
}

/// How many requests of a histogram were slower than `cut`; `None` when it is not one of the bounds.
#[must_use]
pub fn slower(histogram: &Buckets, cut: f64) -> Option<Arm> {
    let requests = histogram.last()?.1;
    let (_, within) = histogram.iter().find(|(bound, _)| bound.to_bits() == cut.to_bits())?;
    Some(Arm { requests, bad: requests.checked_sub(*within)? })
}

/// The sequential comparison of the two arms' slow requests.
#[derive(Clone, Debug)]
pub enum Latency {
    /// Both serve at the same time.
    Split(Vec<TwoArm>),
    /// Only the new one serves: against what the old did before. Not randomised.
    Before(Vec<Absolute>),
}

impl Latency {
    /// Compares two arms that serve at the same time, by so many cuts.
    #[must_use]
    pub fn split(cuts: usize, worse_by: f64, calibration: Calibration, planned_intervals: u64) -> Self {
        Self::Split((0..cuts).map(|_| TwoArm::new(worse_by, calibration, planned_intervals)).collect())
    }

    /// Compares one arm with what the old one did before: its slow requests by cut.
    #[must_use]
    pub fn before(history: &[Arm], worse_by: f64, planned_intervals: u64) -> Self {
        let objective = |arm: &Arm| worse_by * (arm.bad_count() + 1.0) / (arm.count() + 1.0);
        Self::Before(
            history.iter().map(|arm| Absolute::new(objective(arm), 1.0, planned_intervals)).collect(),
        )
    }

    /// Takes one interval: per cut, how many were slower in each arm. The old's are not looked at where it does not
    /// serve.
    pub fn observe(&mut self, arms: &[(Arm, Arm)]) {
        match self {
            Self::Split(tests) => {
                tests.iter_mut().zip(arms).for_each(|(test, (new, old))| test.observe(*new, *old))
            }
            Self::Before(tests) => tests.iter_mut().zip(arms).for_each(|(test, (new, _))| test.observe(*new)),
        }
    }

    /// `ln` of the evidence that the new is slower: the mean over the cuts.
    #[must_use]
    pub fn log_fail(&self) -> f64 {
        match self {
            Self::Split(tests) => mean(tests.iter().map(TwoArm::log_fail)),
            Self::Before(tests) => mean(tests.iter().map(Absolute::log_fail)),
        }
    }

    /// `ln` of the evidence that it is not: the mean over the cuts, of which at least one must be convinced.
    #[must_use]
    pub fn log_pass(&self) -> f64 {
        match self {
            Self::Split(tests) => mean(tests.iter().map(TwoArm::log_pass)),
            Self::Before(tests) => mean(tests.iter().map(Absolute::log_pass)),
        }
    }
}

fn mean(logs: impl ExactSizeIterator<Item = f64>) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "at most six cuts")]
    let count = logs.len().max(1) as f64;
    logs.fold(f64::NEG_INFINITY, add) - count.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: [(f64, u64); 5] = [(0.01, 500), (0.02, 900), (0.05, 990), (0.1, 1000), (f64::INFINITY, 1000)];

    #[test]
    fn cuts_are_the_olds_quantiles_in_bucket_bounds() {
        assert_eq!(cuts(&OLD), Some(vec![0.01, 0.02, 0.05, 0.1]));
        assert_eq!(cuts(&[(0.01, 50), (f64::INFINITY, 99)]), None);
        assert_eq!(cuts(&[(0.01, 0), (f64::INFINITY, 1000)]), None);
        assert_eq!(cuts(&[]), None);
    }

    #[test]
    fn slow_requests_are_those_beyond_the_cut() {
        assert_eq!(slower(&OLD, 0.02), Some(Arm { requests: 1000, bad: 100 }));
        assert_eq!(slower(&OLD, 0.03), None);
    }

    #[test]
    fn a_slower_tail_is_found_and_an_equal_one_is_not() {
        let cuts = cuts(&OLD).unwrap();
        let run = |factor: u64| {
            let mut test = Latency::split(cuts.len(), 1.3, Calibration::Measured(1.0), 300);
            for _ in 0..200 {
                let arms: Vec<_> = [50_u64, 10, 1, 0]
                    .iter()
                    .map(|slow| {
                        (
                            Arm { requests: 100, bad: (slow * factor / 2).min(100) },
                            Arm { requests: 100, bad: *slow },
                        )
                    })
                    .collect();
                test.observe(&arms);
            }
            (test.log_fail(), test.log_pass())
        };
        let (fail, pass) = run(2);
        assert!(fail < 100_f64.ln() && pass > 20_f64.ln(), "{fail} {pass}");
        assert!(run(3).0 > 100_f64.ln());
    }
}
