//! One arm against an objective: is the share of bad requests above it, or clearly below?
//!
//! Binomial likelihood ratios `L(p) = k·ln(p/p₀) + (n−k)·ln((1−p)/(1−p₀))`. Failing: null `p ≤ objective` against
//! multiples of it. Passing: null `p ≥ objective` against `{0, 0.1, 0.4}·objective`. The ratio is monotone in `p`, so
//! the boundary is the hardest null.

use super::Arm;
use super::errors::WORSE;
use super::mixture::{Mixture, Onset};

const BETTER: [f64; 3] = [0.0, 0.1, 0.4];
/// The smallest objective that counting can prove. `at_most: 0%` fails at the first bad request, and passes on
/// evidence of less than this.
pub const SMALLEST_OBJECTIVE: f64 = 0.001;
/// Above this an objective demands nothing.
const LARGEST_OBJECTIVE: f64 = 0.95;

/// The sequential test of one arm.
#[derive(Clone, Debug)]
pub struct Absolute {
    fail: Mixture,
    pass: Mixture,
    objective: f64,
    zero_tolerance: bool,
    broken: bool,
    phi: f64,
}

impl Absolute {
    /// Tests against `objective`, a share from 0 to 1, over about `planned_intervals`.
    #[must_use]
    pub fn new(objective: f64, phi: f64, planned_intervals: u64) -> Self {
        Self {
            fail: Mixture::new(WORSE.len(), Onset::over(planned_intervals)),
            pass: Mixture::new(BETTER.len(), Onset::Start),
            objective: objective.clamp(SMALLEST_OBJECTIVE, LARGEST_OBJECTIVE),
            zero_tolerance: objective <= 0.0,
            broken: false,
            phi: phi.max(1.0),
        }
    }

    /// Takes what the arm served in one interval.
    pub fn observe(&mut self, arm: Arm) {
        if self.zero_tolerance && arm.bad > 0 {
            self.broken = true;
        }
        let (bad, good) = (arm.bad_count(), arm.count() - arm.bad_count());
        let null = self.objective;
        let gain = |share: f64| {
            let of_bad = if bad > 0.0 { bad * (share / null).ln() } else { 0.0 };
            (of_bad + good * ((1.0 - share) / (1.0 - null)).ln()) / self.phi
        };
        self.fail.observe(|index| gain((null * WORSE[index]).min(f64::midpoint(1.0, null))));
        self.pass.observe(|index| gain(null * BETTER[index]));
    }

    /// `ln` of the evidence that the share is above the objective; infinite for a bad request where none is allowed.
    #[must_use]
    pub fn log_fail(&self) -> f64 {
        if self.broken { f64::INFINITY } else { self.fail.log_evidence() }
    }

    /// `ln` of the evidence that the share is below the objective.
    #[must_use]
    pub fn log_pass(&self) -> f64 {
        self.pass.log_evidence()
    }

    /// How much one good request adds to [`log_pass`](Self::log_pass) at most.
    #[must_use]
    pub fn gain_of_a_good_request(&self) -> f64 {
        -(1.0 - self.objective).ln() / self.phi
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn arm(requests: u64, bad: u64) -> Arm {
        Arm { requests, bad }
    }

    /// How many requests, ten an interval and with every `every`th bad, until the evidence reaches `threshold`.
    fn until(objective: f64, every: u64, threshold: f64, log: impl Fn(&Absolute) -> f64) -> Option<u64> {
        let mut test = Absolute::new(objective, 1.0, 600);
        for interval in 1..=1000 {
            let bad = (interval * 10) / every - ((interval - 1) * 10) / every;
            test.observe(arm(10, bad));
            if log(&test) >= threshold.ln() {
                return Some(interval * 10);
            }
        }
        None
    }

    #[test]
    fn clean_arm_passes_one_percent_within_five_hundred_requests() {
        let needed = until(0.01, 1_000_000, 20.0, Absolute::log_pass).unwrap();
        assert!((300..=500).contains(&needed), "{needed}");
    }

    #[test]
    fn five_percent_against_one_fails_within_two_hundred_requests() {
        let needed = until(0.01, 20, 100.0, Absolute::log_fail).unwrap();
        assert!(needed <= 200, "{needed}");
    }

    #[test]
    fn exactly_the_objective_neither_fails_nor_passes() {
        assert_eq!(until(0.02, 50, 100.0, Absolute::log_fail), None);
        assert_eq!(until(0.02, 50, 20.0, Absolute::log_pass), None);
    }

    #[test]
    fn zero_tolerance_fails_at_the_first_bad_request() {
        let mut test = Absolute::new(0.0, 1.0, 600);
        test.observe(arm(1000, 0));
        assert!(test.log_fail() < 0.1);
        test.observe(arm(1, 1));
        assert_eq!(test.log_fail(), f64::INFINITY);
    }

    #[test]
    fn no_requests_are_no_evidence() {
        let mut test = Absolute::new(0.01, 1.0, 600);
        for _ in 0..1000 {
            test.observe(arm(0, 0));
        }
        assert!(test.log_pass().abs() < 1e-9 && test.log_fail().abs() < 1e-9);
    }
}
