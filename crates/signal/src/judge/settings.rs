//! What a watch is judged by: resolved once, recorded, and the same again in a replay.

use serde::{Deserialize, Serialize};
use windlass_domain::policy::{Span, Verify};
use windlass_domain::release::Sequence;
use windlass_domain::verdict::Arm;

/// The resolved settings of a watch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// What the policy demands.
    pub verify: Verify,
    /// The revision that is judged.
    pub new: Sequence,
    /// The revision that it is compared with; `None` when nothing was live before.
    pub old: Option<Sequence>,
    /// The least time that it is watched.
    pub bake: Span,
    /// The service's address, for probes.
    pub base_url: Option<String>,
    /// Whether there is a source of counts. With one, readiness and restarts are hard gates.
    pub measured: bool,
    /// The old revision's history before the watch, window by window; empty means uncalibrated.
    pub history: Vec<Arm>,
    /// The time between two readings.
    pub tick: Span,
}

impl Settings {
    /// When judging ends without a verdict, counted from the start: `within`, but never before the bake is over.
    #[must_use]
    pub fn deadline_ms(&self) -> u64 {
        u64::from(self.verify.within).max(u64::from(self.bake).saturating_add(2 * u64::from(self.tick)))
    }

    /// About how many intervals there will be.
    #[must_use]
    pub fn planned_intervals(&self) -> u64 {
        (self.deadline_ms() / u64::from(self.tick).max(1)).max(1)
    }
}

/// The time between two readings of a watch that may take so long: 500 ms, or 1 s above 5 minutes.
#[must_use]
pub(crate) fn tick(within: Span) -> Span {
    if within > Span::minutes(5) { Span::seconds(1) } else { Span::millis(500) }
}
