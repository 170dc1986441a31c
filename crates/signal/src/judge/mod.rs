//! Watching a running release until a verdict or the deadline.
//!
//! Order of judgement: hard gates (probes, restarts, readiness, silence) at any time, the warm-up included; then the
//! sequential tests over the counts after the warm-up. It fails at once when the evidence against it suffices; it
//! passes only when the bake is over and every critical metric and probe passes.

mod counters;
mod instances;
mod metrics;
mod probes;
mod settings;
mod state;
mod watch;
mod words;

use windlass_domain::outcome::Reason;
use windlass_domain::policy::{Span, Verify};
use windlass_domain::release::Sequence;
use windlass_domain::verdict::{Arm, MetricVerdict, Verdict};

pub use self::settings::Settings;
pub use self::state::State;
pub use self::watch::watch;
pub use crate::cancel::{CancelHandle, CancelSignal};
pub use crate::record::{Ending, Recording};
pub use crate::source::Source;

/// What is watched.
#[derive(Clone, Debug)]
pub struct Watch {
    /// What the policy demands.
    pub verify: Verify,
    /// The revision that is judged.
    pub new: Sequence,
    /// The revision that it is compared with; `None` when nothing was live before.
    pub old: Option<Sequence>,
    /// The service's address for probes, through its router: `http://host:port`.
    pub base_url: Option<String>,
    /// Where the counts come from.
    pub source: Source,
    /// The least time that it is watched.
    pub bake: Span,
    /// Whether the network is forbidden: the watch then ends at once, inconclusive.
    pub offline: bool,
    /// The old revision's requests before the watch, window by window, oldest first: its split halves calibrate the
    /// tests. Empty means uncalibrated, which is safe and a little slower.
    pub history: Vec<Arm>,
}

/// How a watch stands at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// Since the watch's start.
    pub elapsed_ms: u64,
    /// When it ends without a verdict, since its start.
    pub deadline_ms: u64,
    /// Whether counts are not judged yet.
    pub warming_up: bool,
    /// Requests to the new revision that were judged.
    pub requests_new: u64,
    /// Of these, bad ones.
    pub bad_new: u64,
    /// Requests to the old revision in the same time.
    pub requests_old: u64,
    /// Of these, bad ones.
    pub bad_old: u64,
    /// What each metric says.
    pub metrics: Vec<MetricVerdict>,
    /// About how many more requests to the new revision would decide.
    pub more_requests_needed: Option<u64>,
}

/// What a watch ended with. `on_inconclusive` is the caller's to apply, except `extend`.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// How the watch ended. Only [`Ending::Judged`] is a verdict on the release.
    pub ending: Ending,
    /// The hard gates that fell.
    pub hard: Vec<Reason>,
    /// What each metric said.
    pub metrics: Vec<MetricVerdict>,
    /// About how many more requests to the new revision would have decided.
    pub more_requests_needed: Option<u64>,
    /// Requests to the new revision that were judged.
    pub requests_new: u64,
    /// Of these, bad ones.
    pub bad_new: u64,
    /// Requests to the old revision in the same time.
    pub requests_old: u64,
    /// Of these, bad ones.
    pub bad_old: u64,
    /// How long it was watched, in milliseconds.
    pub elapsed_ms: u64,
    /// Why nothing could be measured, where that is the reason for being inconclusive: "could not judge".
    pub unreachable: Option<String>,
    /// Everything that it was judged by.
    pub recording: Recording,
    /// Why, hard gates first.
    pub reasons: Vec<Reason>,
}
