//! How much more than chance one revision's bad requests vary between two halves of the same time: φ.
//!
//! Real errors come in bursts. Without φ, independent bursts of log-sd 0.3 per arm gave 18 % false rollbacks. φ is
//! measured on the old revision against itself, before the test begins, and is then fixed.

use serde::{Deserialize, Serialize};

use super::Arm;

/// How many halves with bad requests are needed before φ means anything.
const FEWEST_PAIRS: usize = 8;
/// The ratio that counts as "no worse" where φ is not known.
const CAUTIOUS_RATIO: f64 = 1.5;

/// What is known of the dispersion before a test begins.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Calibration {
    /// Measured: φ, at least 1.
    Measured(f64),
    /// No history: the test starts from a ratio of 1.5 instead of 1, and the report says "uncalibrated".
    Unknown,
}

impl Calibration {
    /// φ.
    #[must_use]
    pub const fn phi(self) -> f64 {
        match self {
            Self::Measured(phi) if phi > 1.0 => phi,
            Self::Measured(_) | Self::Unknown => 1.0,
        }
    }

    /// ω₀: the ratio up to which the new arm counts as no worse.
    #[must_use]
    pub const fn null_ratio(self) -> f64 {
        match self {
            Self::Measured(_) => 1.0,
            Self::Unknown => CAUTIOUS_RATIO,
        }
    }

    /// From windows of one revision's history, oldest first; each two neighbours are the halves of one comparison.
    /// Given their total, the first half's bad ones are hypergeometric: φ is the mean of the squared deviations over
    /// that variance.
    #[must_use]
    pub fn split_half(windows: &[Arm]) -> Self {
        let mut sum = 0.0;
        let mut pairs = 0_usize;
        for [first, second] in windows.as_chunks().0 {
            let (requests, bad) = (first.count() + second.count(), first.bad_count() + second.bad_count());
            let share = first.count() / requests.max(1.0);
            let variance = bad * share * (1.0 - share) * (requests - bad) / (requests - 1.0).max(1.0);
            if variance > 0.0 {
                sum += (first.bad_count() - share * bad).powi(2) / variance;
                pairs += 1;
            }
        }
        if pairs < FEWEST_PAIRS {
            return Self::Unknown;
        }
        #[expect(clippy::cast_precision_loss, reason = "far fewer windows than 2^52")]
        Self::Measured((sum / pairs as f64).max(1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_little_history_is_unknown() {
        assert_eq!(Calibration::split_half(&[]), Calibration::Unknown);
        let quiet = [Arm { requests: 1000, bad: 0 }; 200];
        assert_eq!(Calibration::split_half(&quiet), Calibration::Unknown);
    }

    #[test]
    fn bursts_raise_phi_and_evenness_does_not_lower_it_below_one() {
        let even = [Arm { requests: 1000, bad: 10 }; 96];
        assert_eq!(Calibration::split_half(&even), Calibration::Measured(1.0));
        let bursts: Vec<Arm> =
            (0..96).map(|window| Arm { requests: 1000, bad: if window % 4 == 0 { 60 } else { 5 } }).collect();
        assert!(Calibration::split_half(&bursts).phi() > 10.0);
    }
}
