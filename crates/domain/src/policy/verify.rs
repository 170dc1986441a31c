//! How a running release is judged.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Percent, Ratio, Span};

/// How a running release is judged. The statistics are `domain::verdict`'s.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verify {
    /// Active checks of the service through its router.
    pub probes: Vec<Probe>,
    /// The share of failed requests.
    pub errors: Option<ErrorCheck>,
    /// The share of slow requests.
    pub latency: Option<LatencyCheck>,
    /// How often an instance may restart while it is judged, default 0.
    pub restarts: u32,
    /// How long judging may take, default 10m.
    pub within: Span,
    /// What is left out at the start.
    pub warm_up: WarmUp,
    /// What happens when the time is over without a verdict, default `hold`.
    pub on_inconclusive: OnInconclusive,
    /// What a metric without data means, default `inconclusive`. Never a pass.
    pub no_data: NoData,
}

/// One active check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Probe {
    /// What is done.
    #[serde(flatten)]
    pub kind: ProbeKind,
    /// What must be answered.
    pub expect: Expect,
    /// How long one try may take, default 5s.
    pub timeout: Span,
    /// The time between two tries, default 1s.
    pub every: Span,
    /// How many tries in a row must fail before the service does, default 3.
    pub failures: u32,
}

/// What a probe does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProbeKind {
    /// `GET` of a path of the service, or of a whole URL.
    Http(String),
    /// A TCP connection to `host:port`, or to the service itself when it is empty.
    Tcp(String),
    /// A command that must exit 0; `{url}` is filled in.
    Command(Vec<String>),
}

/// What a probe must be answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Expect {
    /// The HTTP status; absent means any 2xx.
    pub status: Option<u16>,
    /// A text that the body, or the command's output, must contain.
    pub contains: Option<String>,
}

/// The share of failed requests (5xx answers, and connections that the service broke).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorCheck {
    /// The most that is acceptable, absolutely.
    pub at_most: Option<Percent>,
    /// How many times the old revision's share is unacceptable; needs a traffic split.
    pub worse_by: Option<Ratio>,
}

/// The share of requests slower than the old revision's own quantiles.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LatencyCheck {
    /// How many times the old revision's share of slow requests is unacceptable.
    pub worse_by: Ratio,
}

/// What is left out at the start of judging: whichever of the two ends later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WarmUp {
    /// The time, default 0s.
    pub time: Span,
    /// The number of requests to the new revision, default 0.
    pub requests: u64,
}

/// What happens when the time is over without a verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnInconclusive {
    /// The rollout waits for someone, exit code 4.
    #[default]
    Hold,
    /// The time is given once more; costs no validity.
    Extend,
    /// It fails.
    Fail,
    /// It passes, and every report says that nothing was proved.
    Pass,
}

/// What a metric without data means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NoData {
    /// No verdict.
    #[default]
    Inconclusive,
    /// It fails.
    Fail,
    /// The metric is left out, and the report says so.
    Ignore,
}
