//! One place for a process of a revision, and what is known of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use windlass_domain::release::Sequence;
use windlass_target::host::control::{InstanceState, Usage};

use super::kept::KeptInstance;
use crate::cgroup::Group;
use crate::process::Process;
use crate::route::Upstream;

/// One place for a process.
pub(super) struct Instance {
    /// The process, its port, and the name of this start for the router; `None` between two starts.
    pub(super) running: Option<(Process, u64)>,
    /// The control group of the process, where it has one of its own.
    pub(super) group: Option<Group>,
    pub(super) port: u16,
    pub(super) ready: bool,
    pub(super) ready_after: Option<Duration>,
    pub(super) restarts: u32,
    pub(super) early_exits: u32,
    pub(super) ended: Option<String>,
    /// What the process used when that was last measured.
    pub(super) usage: Option<Usage>,
    pub(super) stop: watch::Sender<bool>,
    pub(super) nudge: Arc<Notify>,
}

/// One place, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seat {
    pub(super) revision: Sequence,
    pub(super) index: u16,
}

impl Instance {
    pub(super) fn new() -> Self {
        Self {
            running: None,
            group: None,
            port: 0,
            ready: false,
            ready_after: None,
            restarts: 0,
            early_exits: 0,
            ended: None,
            usage: None,
            stop: watch::Sender::new(false),
            nudge: Arc::default(),
        }
    }

    pub(super) fn upstream(&self) -> Option<Upstream> {
        let (_, id) = self.running.filter(|_| self.ready)?;
        Some(Upstream { id, address: ([127, 0, 0, 1], self.port).into() })
    }

    pub(super) fn kept(&self, revision: Sequence, index: u16) -> Option<KeptInstance> {
        let (process, _) = self.running?;
        Some(KeptInstance {
            revision,
            index,
            process,
            group: self.group.as_ref().map(|group| group.folder().to_owned()),
            port: self.port,
            restarts: self.restarts,
            ready_after_ms: self.ready_after.map(millis),
        })
    }

    pub(super) fn state(&self, index: u16) -> InstanceState {
        InstanceState {
            index,
            pid: self.running.map(|(process, _)| process.pid),
            port: self.port,
            ready: self.ready,
            restarts: self.restarts,
            ready_after_ms: self.ready_after.map(millis),
            ended: self.ended.clone(),
            usage: self.usage,
        }
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
