//! One revision on this host: how it is started, how many of it shall run, and which do.

use std::collections::BTreeMap;
use std::sync::Arc;

use windlass_domain::release::Sequence;
use windlass_target::host::control::RevisionState;

use super::instance::Instance;
use crate::route::Tally;
use crate::stage::Manifest;

/// One revision.
pub(super) struct Revision {
    pub(super) manifest: Arc<Manifest>,
    pub(super) wanted: u16,
    pub(super) tally: Arc<Tally>,
    pub(super) instances: BTreeMap<u16, Instance>,
}

impl Revision {
    pub(super) fn new(manifest: Manifest, tally: Arc<Tally>) -> Self {
        Self { manifest: Arc::new(manifest), wanted: 0, tally, instances: BTreeMap::new() }
    }

    pub(super) fn state(&self, revision: Sequence) -> RevisionState {
        let sum = self.tally.sum();
        RevisionState {
            revision,
            artifact: self.manifest.artifact,
            instances: self.instances.iter().map(|(index, instance)| instance.state(*index)).collect(),
            wanted: self.wanted,
            in_flight: sum.in_flight,
            counts: sum.counts(),
        }
    }
}
