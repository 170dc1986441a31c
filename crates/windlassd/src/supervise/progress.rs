//! How far the processes are: what their minds report, and what a run that waits for them is told.

use std::time::Duration;

use windlass_domain::release::Sequence;

use super::fleet::{Fleet, Inner};
use super::instance::{Instance, Seat};
use super::tail;
use crate::cgroup::Group;
use crate::process::Process;

/// So many exits before an instance was ready for the first time, and its revision is judged.
const EARLY_EXITS: u32 = 3;

/// How far a revision's processes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// So many are ready; the slowest took so long.
    Ready(usize, Duration),
    /// So many are ready, which is not enough yet.
    Waiting(usize),
    /// It ends again and again before it is ready.
    Crashing(String, Vec<String>),
}

impl Fleet {
    /// How far a revision is on its way to so many ready processes.
    pub(crate) fn readiness(&self, revision: Sequence, instances: u16) -> Readiness {
        let inner = self.lock();
        let Some(of) = inner.revisions.get(&revision) else { return Readiness::Waiting(0) };
        let ready: Vec<Duration> = of
            .instances
            .values()
            .filter(|instance| instance.ready)
            .filter_map(|instance| instance.ready_after)
            .collect();
        if ready.len() >= usize::from(instances) {
            return Readiness::Ready(ready.len(), ready.into_iter().max().unwrap_or_default());
        }
        let crashing = of.instances.iter().find(|(_, instance)| instance.early_exits >= EARLY_EXITS);
        if let Some((index, instance)) = crashing {
            let how = instance.ended.as_deref().unwrap_or("nothing is known of how");
            let why = format!(
                "instance {index} of {revision} ended {} times before it was ready, at last with {how}",
                instance.early_exits
            );
            return Readiness::Crashing(why, tail::lines(&self.root.instance_log(revision, *index)));
        }
        Readiness::Waiting(ready.len())
    }

    /// The last lines of the log of the first process that is not ready, or of the first.
    pub(crate) fn log_tail(&self, revision: Sequence) -> Vec<String> {
        let index = {
            let inner = self.lock();
            let Some(of) = inner.revisions.get(&revision) else { return Vec::new() };
            of.instances.iter().find(|(_, instance)| !instance.ready).map_or(0, |(index, _)| *index)
        };
        tail::lines(&self.root.instance_log(revision, index))
    }

    pub(super) fn began(&self, seat: Seat, process: Process, group: Option<Group>, port: u16) {
        let mut inner = self.lock();
        inner.upstreams += 1;
        let upstream = inner.upstreams;
        self.change(&mut inner, seat, |instance| {
            instance.running = Some((process, upstream));
            instance.group = group;
            instance.port = port;
            instance.ready = false;
            instance.usage = None;
        });
        self.keep(&inner);
    }

    pub(super) fn ready(&self, seat: Seat, after: Duration) {
        let mut inner = self.lock();
        let mut first = false;
        self.change(&mut inner, seat, |instance| {
            first = instance.ready_after.is_none();
            instance.ready = !*instance.stop.borrow();
            instance.ready_after.get_or_insert(after);
            instance.early_exits = 0;
        });
        if first {
            self.keep(&inner);
        }
    }

    pub(super) fn unready(&self, seat: Seat) {
        self.change(&mut self.lock(), seat, |instance| instance.ready = false);
    }

    /// The process ended by itself, or could not be started.
    pub(super) fn ended(&self, seat: Seat, how: String) {
        let mut inner = self.lock();
        self.change(&mut inner, seat, |instance| {
            instance.running = None;
            instance.ready = false;
            instance.usage = None;
            if instance.ready_after.is_none() {
                instance.early_exits += 1;
            }
            instance.restarts += 1;
            instance.ended = Some(how);
        });
        self.keep(&inner);
    }

    /// The process was stopped, and the place is free.
    pub(super) fn gone(&self, seat: Seat) {
        let mut inner = self.lock();
        if let Some(of) = inner.revisions.get_mut(&seat.revision) {
            of.instances.remove(&seat.index);
        }
        self.publish(&mut inner);
        self.keep(&inner);
        self.changed.send_modify(|number| *number += 1);
    }

    fn change(&self, inner: &mut Inner, seat: Seat, change: impl FnOnce(&mut Instance)) {
        let instance =
            inner.revisions.get_mut(&seat.revision).and_then(|of| of.instances.get_mut(&seat.index));
        if let Some(instance) = instance {
            let before = (instance.ready, instance.running);
            change(instance);
            if before != (instance.ready, instance.running) {
                self.publish(inner);
            }
        }
        self.changed.send_modify(|number| *number += 1);
    }
}
