//! Several metrics, one verdict.
//!
//! `Σ w_j·E_j` with `Σw = 1` is a supermartingale under any dependence of the metrics, so failing at `1/α` stays at
//! most α. Passing needs every critical metric on its own.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ALPHA, Arm, BETA, Verdict};

/// What one metric says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MetricVerdict {
    /// `errors.at_most`, `errors.worse_by`, `latency.worse_by`.
    pub name: String,
    /// What the new revision served in the time that was judged.
    pub arm_new: Arm,
    /// What the old one served in it; absent where there is none.
    pub arm_old: Option<Arm>,
    /// The evidence against the new revision: an e-value, from 0 up, 1 means none.
    pub evidence_fail: f64,
    /// The evidence for it: likewise.
    pub evidence_pass: f64,
    /// The overdispersion that the evidence was tempered by, at least 1.
    pub phi: f64,
    /// The evidence at which this metric alone would fail it: `1/(α·w)`.
    pub threshold_fail: f64,
    /// The evidence that it needs to pass: `1/β`.
    pub threshold_pass: f64,
    /// Why there is nothing to judge by, where that is so.
    pub no_data: Option<NoDataReason>,
    /// Whether it counts: a metric that is only informed about neither fails nor is needed to pass.
    pub standing: Standing,
    /// What a reader must know: `uncalibrated`, `not randomised`.
    pub notes: Vec<String>,
}

/// Whether a metric counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It can fail the release, which needs it to pass.
    Critical,
    /// The baseline itself is unhealthy by this metric: it can neither fail nor pass the release.
    BaselineUnhealthy,
    /// There is nothing to compare with (nothing was live before), or the policy ignores missing data.
    NotApplicable,
}

/// Why a metric has nothing to judge by. Told apart, because each has another remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NoDataReason {
    /// No request was served.
    NoRequests,
    /// The series does not exist.
    Absent,
    /// A value is not a number.
    NotANumber,
    /// More than one series where one is expected.
    Duplicate,
    /// A counter went backwards: whatever counts was restarted.
    Reset,
    /// The last reading is too old.
    Stale,
    /// The source could not be read.
    SourceError,
    /// The old revision has too little to compare with.
    NoBaseline,
}

impl NoDataReason {
    /// The reason in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::NoRequests => "no request was served",
            Self::Absent => "the series does not exist",
            Self::NotANumber => "a value is not a number",
            Self::Duplicate => "more than one series where one is expected",
            Self::Reset => "a counter went backwards",
            Self::Stale => "the last reading is too old",
            Self::SourceError => "the source could not be read",
            Self::NoBaseline => "the old revision has too little to compare with",
        }
    }
}

impl MetricVerdict {
    /// Whether the evidence for it suffices.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.no_data.is_none() && self.evidence_pass >= self.threshold_pass
    }
}

/// The thresholds of one of `count` equally weighted metrics: to fail, and to pass.
#[must_use]
pub fn thresholds(count: usize) -> (f64, f64) {
    #[expect(clippy::cast_precision_loss, reason = "a handful of metrics")]
    let count = count.max(1) as f64;
    (count / ALPHA, 1.0 / BETA)
}

/// The verdict of the metrics together. No metric at all is inconclusive: nothing was judged.
#[must_use]
pub fn combine(metrics: &[MetricVerdict]) -> Verdict {
    let critical: Vec<&MetricVerdict> =
        metrics.iter().filter(|metric| metric.standing == Standing::Critical).collect();
    let against: f64 = critical.iter().map(|metric| metric.evidence_fail / metric.threshold_fail).sum();
    let unhealthy_baseline = metrics.iter().any(|metric| metric.standing == Standing::BaselineUnhealthy);
    if against >= 1.0 {
        Verdict::Failed
    } else if !critical.is_empty() && !unhealthy_baseline && critical.iter().all(|metric| metric.passes()) {
        Verdict::Passed
    } else {
        Verdict::Inconclusive
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(fail: f64, pass: f64, of: usize) -> MetricVerdict {
        let (threshold_fail, threshold_pass) = thresholds(of);
        MetricVerdict {
            name: "m".into(),
            arm_new: Arm::default(),
            arm_old: None,
            evidence_fail: fail,
            evidence_pass: pass,
            phi: 1.0,
            threshold_fail,
            threshold_pass,
            no_data: None,
            standing: Standing::Critical,
            notes: Vec::new(),
        }
    }

    #[test]
    fn verdict_table() {
        let silent = |mut metric: MetricVerdict| {
            metric.no_data = Some(NoDataReason::NoRequests);
            metric
        };
        let standing = |mut metric: MetricVerdict, standing| {
            metric.standing = standing;
            metric
        };
        let cases = [
            ("nothing", vec![], Verdict::Inconclusive),
            ("one passes", vec![metric(1.0, 20.0, 1)], Verdict::Passed),
            ("one fails", vec![metric(100.0, 1.0, 1)], Verdict::Failed),
            ("failing goes before passing", vec![metric(100.0, 50.0, 1)], Verdict::Failed),
            (
                "one of two is not enough to pass",
                vec![metric(1.0, 20.0, 2), metric(1.0, 19.0, 2)],
                Verdict::Inconclusive,
            ),
            (
                "half the evidence each fails",
                vec![metric(100.0, 1.0, 2), metric(100.0, 1.0, 2)],
                Verdict::Failed,
            ),
            (
                "one of two needs twice as much",
                vec![metric(150.0, 1.0, 2), metric(1.0, 1.0, 2)],
                Verdict::Inconclusive,
            ),
            ("silence does not pass", vec![silent(metric(1.0, 50.0, 1))], Verdict::Inconclusive),
            (
                "an unhealthy baseline neither fails nor passes",
                vec![standing(metric(1e9, 50.0, 2), Standing::BaselineUnhealthy), metric(1.0, 50.0, 2)],
                Verdict::Inconclusive,
            ),
            (
                "worse than an unhealthy baseline fails",
                vec![standing(metric(1e9, 1.0, 2), Standing::BaselineUnhealthy), metric(200.0, 1.0, 2)],
                Verdict::Failed,
            ),
            (
                "only what does not apply is nothing",
                vec![standing(metric(1.0, 50.0, 1), Standing::NotApplicable)],
                Verdict::Inconclusive,
            ),
        ];
        for (name, metrics, verdict) in cases {
            assert_eq!(combine(&metrics), verdict, "{name}");
        }
    }
}
