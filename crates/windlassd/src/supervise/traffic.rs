//! Who gets requests: the weights, and what is still in flight where they went to 0.

use std::io;
use std::time::{Duration, Instant};

use windlass_domain::release::Sequence;
use windlass_domain::rollout::Weights;

use super::fleet::Fleet;
use crate::root::write_json;

impl Fleet {
    /// The weights in effect.
    pub(crate) fn weights(&self) -> Weights {
        self.lock().weights.clone()
    }

    /// Makes weights effective for the next request on every worker, and keeps them.
    pub(crate) async fn shift(&self, weights: &Weights) -> io::Result<()> {
        let version = {
            let mut inner = self.lock();
            write_json(&self.root.weights(), weights)?;
            if inner.weights != *weights {
                inner.weights = weights.clone();
                inner.shifted = Instant::now();
            }
            self.publish(&mut inner);
            inner.version
        };
        self.router.effective(version).await;
        self.formers.effective(version).await;
        Ok(())
    }

    /// Waits until the last shift is in effect.
    pub(crate) async fn effective(&self) {
        let version = self.lock().version;
        self.router.effective(version).await;
        self.formers.effective(version).await;
    }

    /// Revisions at weight 0 that still have requests in flight: how many, and how much of their drain time is left.
    pub(crate) fn draining(&self) -> Vec<(Sequence, u64, Duration)> {
        let inner = self.lock();
        let since = inner.shifted.elapsed();
        inner
            .revisions
            .iter()
            .filter(|(revision, _)| inner.weights.of(**revision) == 0)
            .map(|(revision, of)| {
                let in_flight = of.tally.sum().in_flight + self.formers.in_flight(*revision);
                (*revision, in_flight, of.manifest.launch.drain.get().saturating_sub(since))
            })
            .filter(|(_, in_flight, _)| *in_flight > 0)
            .collect()
    }

    /// Closes every connection on which the revision has something in flight.
    pub(crate) async fn cut(&self, revision: Sequence) {
        self.formers.cut(revision);
        self.router.cut(revision).await;
    }
}
