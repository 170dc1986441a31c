//! Hard gates on the instances of the new revision: restarts, readiness, and silence while the old one serves.

use windlass_domain::outcome::Reason;
use windlass_domain::release::Sequence;

use super::counters::Served;
use crate::source::reading::Reading;

/// How long an instance may be unready before it fails the service, in milliseconds. A reading that falls into a
/// single missed check of the agent's is no failure.
const UNREADY_MS: u64 = 3_000;
/// So many requests are expected before their absence is silence: by chance none of them comes in once in 10⁸.
const SILENT_EXPECTED: f64 = 20.0;

/// What was seen of the instances so far.
#[derive(Clone, Debug)]
pub(super) struct Instances {
    new: Sequence,
    allowed_restarts: u64,
    restarts: u64,
    unready_since_ms: Option<u64>,
    seen_ready: bool,
    requests: u64,
    expected: f64,
}

impl Instances {
    pub(super) const fn new(new: Sequence, allowed_restarts: u32) -> Self {
        Self {
            new,
            allowed_restarts: allowed_restarts as u64,
            restarts: 0,
            unready_since_ms: None,
            seen_ready: false,
            requests: 0,
            expected: 0.0,
        }
    }

    /// Takes a reading and what was served since the last one.
    pub(super) fn observe(
        &mut self,
        at_ms: u64,
        reading: &Reading,
        new: Option<&Served>,
        old: Option<&Served>,
    ) -> Vec<Reason> {
        let reasons = [self.restarted(new), self.unready(at_ms, reading), self.silent(reading, new, old)];
        reasons.into_iter().flatten().collect()
    }

    /// Whether the new revision's instances were seen, all ready, at the last reading.
    pub(super) const fn ready(&self) -> bool {
        self.seen_ready && self.unready_since_ms.is_none()
    }

    fn restarted(&mut self, new: Option<&Served>) -> Option<Reason> {
        self.restarts += new.map_or(0, |served| served.restarts);
        (self.restarts > self.allowed_restarts).then(|| {
            Reason::new("restarts")
                .observed(format!(
                    "{} restarts of instances of {} while it was watched",
                    self.restarts, self.new
                ))
                .required(format!("at most {}", self.allowed_restarts))
                .why("a process of the new release ended by itself")
                .next("look at the last lines of its log")
        })
    }

    fn unready(&mut self, at_ms: u64, reading: &Reading) -> Option<Reason> {
        if reading.new.not_ready.is_empty() {
            self.unready_since_ms = None;
            self.seen_ready |= reading.new.instances > 0;
            return None;
        }
        let since = *self.unready_since_ms.get_or_insert(at_ms);
        (at_ms.saturating_sub(since) >= UNREADY_MS).then(|| {
            Reason::new("ready")
                .observed(format!(
                    "{} of {} instances of {} not ready for {} ms: {}",
                    reading.new.not_ready.len(),
                    reading.new.instances,
                    self.new,
                    at_ms - since,
                    reading.new.not_ready.join(", ")
                ))
                .required("every instance ready")
                .why("an instance that was ready is not any more")
                .next("look at the last lines of its log")
        })
    }

    fn silent(&mut self, reading: &Reading, new: Option<&Served>, old: Option<&Served>) -> Option<Reason> {
        let new = new?;
        self.requests += new.arm.requests;
        let old_requests = old.map_or(0, |served| served.arm.requests);
        let weights = (reading.new.weight, reading.old.as_ref().and_then(|old| old.weight));
        if let (Some(weight), Some(other)) = weights
            && weight > 0.0
        {
            #[expect(clippy::cast_precision_loss, reason = "requests of one interval")]
            let total = (new.arm.requests + old_requests) as f64;
            self.expected += total * weight / (weight + other);
        }
        (self.requests == 0 && self.expected >= SILENT_EXPECTED).then(|| {
            Reason::new("silence")
                .observed(format!("{} served no request while the old revision served many", self.new))
                .required(format!("about {:.0} requests by its weight", self.expected))
                .why("the new revision is silent while the old one reports")
                .next("check that the router reaches its instances")
        })
    }
}
