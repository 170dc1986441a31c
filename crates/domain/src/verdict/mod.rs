//! Verdicts: what counts of requests prove about a running release, and what they do not.
//!
//! Anytime-valid sequential tests: the evidence may be looked at after every interval and the watch may end, or go
//! on, at any time, without raising the chance of a false rollback above [`ALPHA`]. Pure and deterministic: the same
//! counts give the same bits. Where a formula was derived for this project it was checked by simulation
//! (`tests/verdict_simulation.rs`).

mod absolute;
mod combine;
mod dispersion;
mod errors;
mod latency;
mod mixture;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::absolute::{Absolute, SMALLEST_OBJECTIVE};
pub use self::combine::{MetricVerdict, NoDataReason, Standing, combine, thresholds};
pub use self::dispersion::Calibration;
pub use self::errors::TwoArm;
pub use self::latency::{Buckets, FEWEST_FOR_CUTS, Latency, cuts, slower};

/// The greatest chance of failing a release that is no worse.
pub const ALPHA: f64 = 0.01;
/// The greatest chance of passing one that is unacceptable.
pub const BETA: f64 = 0.05;

/// What the evidence says of a running release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It is healthy, on evidence.
    Passed,
    /// It is not.
    Failed,
    /// The evidence does not say.
    Inconclusive,
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Inconclusive => "inconclusive",
        })
    }
}

/// What one revision served in some time. `bad` never exceeds `requests`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Arm {
    /// Requests.
    pub requests: u64,
    /// Of these, bad ones: 5xx answers and broken connections, or slower than a cut.
    pub bad: u64,
}

impl Arm {
    /// The requests as a number to calculate with.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of requests stay far below 2^52")]
    pub const fn count(self) -> f64 {
        self.requests as f64
    }

    /// The bad ones as a number to calculate with.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of requests stay far below 2^52")]
    pub const fn bad_count(self) -> f64 {
        self.bad as f64
    }

    /// The share of bad requests, 0 to 1; `None` when nothing was served.
    #[must_use]
    pub fn share(self) -> Option<f64> {
        (self.requests > 0).then(|| self.bad_count() / self.count())
    }
}

impl std::ops::AddAssign for Arm {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.bad += other.bad;
    }
}

/// The evidence of a logarithm, kept finite so that it can be written as JSON.
#[must_use]
pub fn evidence(log: f64) -> f64 {
    mixture::finite_exp(log)
}

/// The logarithm of the mean of two pieces of evidence against nulls of which both hold where either does.
#[must_use]
pub fn mean_of_two(a: f64, b: f64) -> f64 {
    mixture::add(a, b) - std::f64::consts::LN_2
}

/// About how many more requests to the new revision would let the evidence for it reach the threshold `1/β`, when
/// each adds `gain` to its logarithm. `None` when it has been reached, or nothing was ever gained.
#[must_use]
pub fn more_requests_needed(log_pass: f64, gain: f64) -> Option<u64> {
    let missing = (1.0 / BETA).ln() - log_pass;
    if missing <= 0.0 || gain.is_nan() || gain <= 0.0 {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, and saturating")]
    Some((missing / gain).ceil() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needed_requests_are_what_is_missing_over_the_gain() {
        assert_eq!(more_requests_needed(0.0, 0.01), Some(300));
        assert_eq!(more_requests_needed(3.0, 0.01), None);
        assert_eq!(more_requests_needed(0.0, 0.0), None);
        assert_eq!(more_requests_needed(0.0, f64::NAN), None);
    }
}
