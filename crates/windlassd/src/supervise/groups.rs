//! Which instances get a control group of their own, and the limits that they cannot do without one.

use std::sync::OnceLock;

use windlass_target::host::control::Launch;

use super::instance::Seat;
use crate::cgroup::{Group, Limits, Tree};
use crate::root::Root;

/// This agent's part of the tree of control groups, arranged when it is first needed.
#[derive(Debug)]
pub(super) struct Groups {
    root: Root,
    /// Whether each instance gets a group, and not only one with limits.
    always: bool,
    tree: OnceLock<Result<Tree, String>>,
}

impl Groups {
    pub(super) fn new(root: &Root) -> Self {
        Self { root: root.clone(), always: Tree::is_offered(), tree: OnceLock::new() }
    }

    fn tree(&self) -> Result<&Tree, String> {
        self.tree.get_or_init(|| Tree::open(&self.root)).as_ref().map_err(Clone::clone)
    }

    /// Whether the limits of a release can be kept here. One that cannot is refused: a limit that is written down and
    /// not kept is worse than none.
    pub(super) fn admit(&self, launch: &Launch) -> Result<(), String> {
        let limits = limits(launch);
        if limits.are_none() {
            return Ok(());
        }
        self.tree().and_then(|tree| tree.admit(limits)).map_err(|why| {
            format!("the limits of `memory` and `cpu` cannot be kept here: {why}; or leave them out of windlass.yml")
        })
    }

    /// The group that an instance is started in, empty and limited; `None` where it gets none.
    pub(super) fn make(&self, seat: Seat, launch: &Launch) -> Result<Option<Group>, String> {
        self.admit(launch)?;
        let limits = limits(launch);
        if limits.are_none() && !self.always {
            return Ok(None);
        }
        match self.tree() {
            Ok(tree) => tree.make(seat.revision, seat.index, limits).map(Some),
            Err(why) => {
                // Without limits, a group is only the better way to end it.
                tracing::debug!(why, "an instance gets no control group of its own");
                Ok(None)
            }
        }
    }

    /// Leaves nothing behind, where nothing runs.
    pub(super) fn leave(&self) {
        if let Some(Ok(tree)) = self.tree.get() {
            tree.leave();
        }
    }
}

const fn limits(launch: &Launch) -> Limits {
    Limits { memory: launch.memory, cpu: launch.cpu }
}
