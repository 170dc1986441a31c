//! Two arms: is the new revision's share of bad requests more than so many times the old one's?
//!
//! Per interval with `n` requests and `k` bad ones in each arm, `s = n_new/(n_new+n_old)` and
//! `θ(ω) = ωs/(ωs+1−s)`: `L(ω) = k_new·ln[θ(ω)/θ(ω₀)] + k_old·ln[(1−θ(ω))/(1−θ(ω₀))]`.
//! Valid at ω₀ = 1 because, given the totals, `k_new` is hypergeometric, which is below the binomial in convex order,
//! so that `E[e^L] ≤ 1`; any weights, ramping too. `φ ≥ 1`, fixed beforehand, keeps it so (Jensen). For other ω₀ it
//! was checked by simulation (`tests/verdict_simulation.rs`), not proved.

use super::Arm;
use super::dispersion::Calibration;
use super::mixture::{Mixture, Onset};

/// How many times ω₀ the alternatives to "no worse" are.
pub(super) const WORSE: [f64; 10] = [1.2, 1.4, 1.7, 2.0, 2.5, 3.5, 5.0, 8.0, 15.0, 40.0];
/// The ratios that speak for passing; those not clearly below `worse_by` are left out.
const FINE: [f64; 3] = [0.5, 1.0, 1.3];

/// The sequential comparison of two arms that serve at the same time.
#[derive(Clone, Debug)]
pub struct TwoArm {
    fail: Mixture,
    pass: Mixture,
    /// ω₀: ratios up to it are no failure.
    null: f64,
    /// ω at and above which it must not pass.
    worst: f64,
    fine: Vec<f64>,
    phi: f64,
}

impl TwoArm {
    /// Compares against `worse_by` times the old arm's share, over about `planned_intervals`.
    ///
    /// Failing needs evidence of a ratio above `max(ω₀, worse_by/2)`, where ω₀ is the calibration's: for the default
    /// of 2x that is ω₀ itself, and a policy that tolerates 10x is not failed at 2x.
    #[must_use]
    pub fn new(worse_by: f64, calibration: Calibration, planned_intervals: u64) -> Self {
        let mut fine: Vec<f64> = FINE.into_iter().filter(|ratio| *ratio < 0.95 * worse_by).collect();
        if fine.is_empty() {
            fine.push(worse_by / 2.0);
        }
        Self {
            fail: Mixture::new(WORSE.len(), Onset::over(planned_intervals)),
            pass: Mixture::new(fine.len(), Onset::Start),
            null: calibration.null_ratio().max(worse_by / 2.0),
            worst: worse_by,
            fine,
            phi: calibration.phi(),
        }
    }

    /// Takes what each arm served in one interval. An interval in which one arm served nothing says nothing.
    pub fn observe(&mut self, new: Arm, old: Arm) {
        let informative = new.requests > 0 && old.requests > 0;
        let share = new.count() / (new.count() + old.count()).max(1.0);
        let odds = |ratio: f64| ratio * share / (ratio * share + 1.0 - share);
        let gain = |ratio: f64, null: f64| {
            if !informative {
                return 0.0;
            }
            let (alternative, null) = (odds(ratio), odds(null));
            let log = new.bad_count() * (alternative / null).ln()
                + old.bad_count() * ((1.0 - alternative) / (1.0 - null)).ln();
            log / self.phi
        };
        self.fail.observe(|index| gain(self.null * WORSE[index], self.null));
        self.pass.observe(|index| gain(self.fine[index], self.worst));
    }

    /// `ln` of the evidence that the ratio is above ω₀.
    #[must_use]
    pub fn log_fail(&self) -> f64 {
        self.fail.log_evidence()
    }

    /// `ln` of the evidence that the ratio is below `worse_by`.
    #[must_use]
    pub fn log_pass(&self) -> f64 {
        self.pass.log_evidence()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::ALPHA;

    const fn arm(requests: u64, bad: u64) -> Arm {
        Arm { requests, bad }
    }

    #[test]
    fn four_bad_ones_of_a_five_percent_canary_beside_a_clean_old_are_enough() {
        let mut test = TwoArm::new(2.0, Calibration::Unknown, 100);
        for bad in [1, 1, 0, 1, 1] {
            test.observe(arm(20, bad), arm(380, 0));
        }
        assert!(test.log_fail() > (1.0 / ALPHA).ln(), "{}", test.log_fail().exp());
    }

    #[test]
    fn bad_requests_in_both_arms_alike_are_no_evidence_against_the_new() {
        let mut test = TwoArm::new(2.0, Calibration::Unknown, 100);
        for _ in 0..100 {
            test.observe(arm(100, 3), arm(100, 3));
        }
        assert!(test.log_fail() < 0.0);
        assert!(test.log_pass() > 20_f64.ln());
    }

    #[test]
    fn an_arm_without_requests_is_no_evidence_either_way() {
        let mut test = TwoArm::new(2.0, Calibration::Unknown, 100);
        test.observe(arm(0, 0), arm(1000, 50));
        test.observe(arm(1000, 50), arm(0, 0));
        assert!(test.log_fail().abs() < 1e-12 && test.log_pass().abs() < 1e-12);
    }

    #[test]
    fn a_tolerant_policy_is_not_failed_at_twice_the_share() {
        let mut test = TwoArm::new(10.0, Calibration::Unknown, 100);
        for _ in 0..100 {
            test.observe(arm(100, 4), arm(100, 2));
        }
        assert!(test.log_fail() < 1.0);
        assert!(test.log_pass() > 20_f64.ln());
    }
}
