//! Adoption: what an earlier agent of this root started, and what nobody knows of any more.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::fleet::{Fleet, Inner};
use super::instance::{Instance, Seat};
use super::kept::{Kept, KeptInstance};
use super::reins::Hold;
use super::running::Running;
use super::{launch, mind, running};
use windlass_domain::release::Sequence;

use crate::cgroup::Group;
use crate::process::Process;
use crate::root::read_json;

/// What was found of an earlier agent.
#[derive(Debug)]
pub(crate) struct Adopted {
    seats: Vec<Seat>,
    wanted: BTreeMap<Sequence, u16>,
}

impl Adopted {
    /// How many processes.
    pub(crate) fn count(&self) -> usize {
        self.seats.len()
    }
}

impl Fleet {
    /// Adopts the processes that an earlier agent started and that still run. Nothing is done to them yet.
    pub(crate) fn adopt(self: &Arc<Self>) -> io::Result<Adopted> {
        let kept: Kept = read_json(&self.root.instances())?.unwrap_or_default();
        let mut adopted = Vec::new();
        {
            let mut inner = self.lock();
            for instance in &kept.instances {
                if inner.revisions.contains_key(&instance.revision) && instance.process.is_alive() {
                    self.take_over(&mut inner, instance);
                    adopted.push(Seat { revision: instance.revision, index: instance.index });
                }
            }
            self.publish(&mut inner);
        }
        Ok(Adopted { seats: adopted, wanted: kept.wanted })
    }

    /// Begins to act: ends what nobody knows of, goes on with what was being stopped, and starts what is missing.
    pub(crate) async fn begin(self: &Arc<Self>, adopted: Adopted) {
        self.rein(Hold::Free).await;
        self.end_strays(&adopted.seats);
        for seat in adopted.seats {
            if seat.index >= adopted.wanted.get(&seat.revision).copied().unwrap_or_default() {
                self.stop_one(seat);
            }
        }
        for (revision, wanted) in adopted.wanted {
            self.want(revision, wanted);
        }
    }

    fn stop_one(&self, seat: Seat) {
        let mut inner = self.lock();
        let of = inner.revisions.get_mut(&seat.revision);
        if let Some(instance) = of.and_then(|of| of.instances.get_mut(&seat.index)) {
            instance.ready = false;
            instance.stop.send_replace(true);
        }
        self.publish(&mut inner);
    }

    /// Ends processes that an earlier agent of this root started and could not write down before it was killed. They
    /// bear this root's mark; one that bears the mark of an adopted place belongs to the process there.
    fn end_strays(&self, adopted: &[Seat]) {
        let ours = format!("{}:", self.root.path().display());
        let known: Vec<String> = adopted.iter().map(|seat| launch::mark(&self.root, *seat)).collect();
        for (process, mark) in Process::marked(launch::MARK) {
            if mark.starts_with(&ours) && !known.contains(&mark) {
                tracing::warn!(pid = process.pid, mark, "ending a process that nobody knows of any more");
                running::end_stray(process);
            }
        }
    }

    fn take_over(self: &Arc<Self>, inner: &mut Inner, kept: &KeptInstance) {
        inner.upstreams += 1;
        let mut instance = Instance::new();
        instance.running = Some((kept.process, inner.upstreams));
        instance.group = kept.group.as_deref().and_then(Group::there);
        instance.port = kept.port;
        instance.restarts = kept.restarts;
        // It was ready when the earlier agent ended; its mind asks again at once.
        instance.ready = kept.ready_after_ms.is_some();
        instance.ready_after = kept.ready_after_ms.map(Duration::from_millis);
        let seat = Seat { revision: kept.revision, index: kept.index };
        let revision = inner.revisions.get_mut(&kept.revision).expect("it was looked up");
        let running = Running::adopted(kept.process, instance.group.clone(), kept.port);
        mind::begin(self, seat, &revision.manifest, Some(running), &instance.stop, &instance.nudge);
        revision.instances.insert(kept.index, instance);
    }
}
