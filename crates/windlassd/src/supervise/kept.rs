//! What outlives the agent: which processes run, and how many shall (`instances.json`).

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use windlass_domain::release::Sequence;

use crate::process::Process;

/// Everything that an agent must know to adopt what an earlier one started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// How many processes of each revision shall run.
    pub(super) wanted: BTreeMap<Sequence, u16>,
    /// The processes that run.
    pub(super) instances: Vec<KeptInstance>,
}

/// One process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptInstance {
    pub(super) revision: Sequence,
    pub(super) index: u16,
    pub(super) process: Process,
    /// The folder of its control group, where it has one of its own.
    #[serde(default)]
    pub(super) group: Option<PathBuf>,
    pub(super) port: u16,
    pub(super) restarts: u32,
    pub(super) ready_after_ms: Option<u64>,
}
