//! A mixture of likelihood ratios, kept in log space: one simple alternative each, and mixed over the time at which a
//! difference may begin.
//!
//! With weights `w_j` of beginning at interval `j`, `E_t = mean over a of Σ_{j≤t} w_j·Π_{i=j..t} e^{L_i(a)} + (what of
//! Σw is not spent yet)`. Each product is a supermartingale under the null and the unspent rest is constant, so `E` is
//! one too; by Ville's inequality it ever reaches `1/α` with a probability of at most α.
//! `S_t(a) = (S_{t-1}(a) + w_t)·e^{L_t(a)}` makes that one addition and one multiplication an interval.

/// In how many later intervals a difference may begin.
const LATE_STARTS: u64 = 60;
/// The share of the prior on a difference from the first interval on; the rest is spread over the later starts.
const FROM_THE_START: f64 = 0.5;

/// When a difference may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Onset {
    /// With the first interval.
    Start,
    /// With the first interval, or with every so many intervals after it.
    Any {
        /// The intervals between two possible beginnings, at least 1.
        stride: u64,
    },
}

impl Onset {
    /// Beginnings spread over a watch of so many intervals.
    pub(super) fn over(planned_intervals: u64) -> Self {
        Self::Any { stride: planned_intervals.div_ceil(LATE_STARTS).max(1) }
    }

    fn weight(self, interval: u64) -> f64 {
        match self {
            Self::Start if interval == 0 => 1.0,
            Self::Start => 0.0,
            Self::Any { .. } if interval == 0 => FROM_THE_START,
            Self::Any { stride } if interval.is_multiple_of(stride) && interval / stride <= LATE_STARTS => {
                (1.0 - FROM_THE_START) / 60.0
            }
            Self::Any { .. } => 0.0,
        }
    }
}

/// The evidence of a mixture of alternatives against one null.
#[derive(Clone, Debug)]
pub(super) struct Mixture {
    /// `ln S(a)`, one an alternative.
    logs: Vec<f64>,
    unspent: f64,
    interval: u64,
    onset: Onset,
}

impl Mixture {
    /// Nothing seen yet: evidence 1.
    pub(super) fn new(alternatives: usize, onset: Onset) -> Self {
        Self { logs: vec![f64::NEG_INFINITY; alternatives], unspent: 1.0, interval: 0, onset }
    }

    /// Takes one interval: the log-likelihood ratio of each alternative to the null.
    pub(super) fn observe(&mut self, gain: impl Fn(usize) -> f64) {
        let weight = self.onset.weight(self.interval);
        self.interval += 1;
        self.unspent = (self.unspent - weight).max(0.0);
        for (index, log) in self.logs.iter_mut().enumerate() {
            *log = add(*log, weight.ln()) + gain(index);
        }
    }

    /// `ln E`.
    pub(super) fn log_evidence(&self) -> f64 {
        if self.logs.is_empty() {
            return 0.0;
        }
        let sum = self.logs.iter().copied().fold(f64::NEG_INFINITY, add);
        #[expect(clippy::cast_precision_loss, reason = "a handful of alternatives")]
        let mean = sum - (self.logs.len() as f64).ln();
        add(mean, self.unspent.ln())
    }
}

/// `ln(e^a + e^b)` without overflow.
pub(super) fn add(a: f64, b: f64) -> f64 {
    let (high, low) = if a >= b { (a, b) } else { (b, a) };
    if low == f64::NEG_INFINITY || high == f64::INFINITY {
        return high;
    }
    high + (low - high).exp().ln_1p()
}

/// `e^log`, kept finite so that it can be written as JSON.
pub(super) fn finite_exp(log: f64) -> f64 {
    log.min(690.0).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_is_one_before_anything_is_seen() {
        assert!(Mixture::new(3, Onset::Start).log_evidence().abs() < 1e-12);
        assert!(Mixture::new(3, Onset::over(600)).log_evidence().abs() < 1e-12);
    }

    #[test]
    fn intervals_without_information_leave_evidence_at_one() {
        for onset in [Onset::Start, Onset::over(120), Onset::over(10)] {
            let mut mixture = Mixture::new(2, onset);
            for _ in 0..500 {
                mixture.observe(|_| 0.0);
                assert!(mixture.log_evidence().abs() < 1e-9, "{onset:?}: {}", mixture.log_evidence());
            }
        }
    }

    #[test]
    fn late_difference_is_seen_after_a_long_quiet_time() {
        let mut only_start = Mixture::new(1, Onset::Start);
        let mut any = Mixture::new(1, Onset::over(1000));
        for interval in 0..600 {
            let gain = if interval < 500 { -0.2 } else { 0.2 };
            only_start.observe(|_| gain);
            any.observe(|_| gain);
        }
        assert!(any.log_evidence() > 100_f64.ln());
        assert!(only_start.log_evidence() < 0.0);
    }

    #[test]
    fn sums_of_logs_neither_overflow_nor_lose_the_empty() {
        assert!((add(0.0, 0.0) - 2_f64.ln()).abs() < 1e-12);
        assert_eq!(add(f64::NEG_INFINITY, 1.0), 1.0);
        assert_eq!(add(f64::NEG_INFINITY, f64::NEG_INFINITY), f64::NEG_INFINITY);
        assert_eq!(add(1e6, f64::INFINITY), f64::INFINITY);
        assert!(finite_exp(f64::INFINITY).is_finite());
    }
}
