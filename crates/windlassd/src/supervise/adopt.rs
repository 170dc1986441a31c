//! Adoption: what an earlier agent of this root started, and what nobody knows of any more.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::fleet::{Fleet, Inner};
use super::instance::{Instance, Seat};
use super::kept::{Kept, KeptInstance};
use super::running::Running;
use super::{launch, mind, running};
use crate::process::Process;
use crate::root::read_json;

impl Fleet {
    /// Adopts the processes that an earlier agent started and that still run, and starts those that are missing.
    pub(crate) fn adopt(self: &Arc<Self>) -> io::Result<usize> {
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
        self.end_strays(&adopted);
        for (revision, wanted) in kept.wanted {
            self.want(revision, wanted);
        }
        Ok(adopted.len())
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
        instance.port = kept.port;
        instance.restarts = kept.restarts;
        // It was ready when the earlier agent ended; its mind asks again at once.
        instance.ready = kept.ready_after_ms.is_some();
        instance.ready_after = kept.ready_after_ms.map(Duration::from_millis);
        let seat = Seat { revision: kept.revision, index: kept.index };
        let revision = inner.revisions.get_mut(&kept.revision).expect("it was looked up");
        let running = Running::adopted(kept.process, kept.port);
        mind::begin(self, seat, &revision.manifest, Some(running), &instance.stop, &instance.nudge);
        revision.instances.insert(kept.index, instance);
    }
}
