//! Every revision on this host, its processes, and the weights: one value, from which the routing table is made.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use windlass_domain::release::Sequence;
use windlass_domain::rollout::Weights;
use windlass_target::host::control::{InstanceState, RevisionState};

use super::kept::{Kept, KeptInstance};
use super::{launch, mind, tail};
use crate::process::Process;
use crate::root::{Root, read_json, write_json};
use crate::route::{Lane, Router, Sum, Tally, Upstream};
use crate::stage::{self, Manifest};

/// So many exits before an instance was ready for the first time, and its revision is judged.
const EARLY_EXITS: u32 = 3;

/// All revisions.
pub(crate) struct Fleet {
    pub(super) root: Root,
    pub(super) visible: BTreeMap<String, String>,
    router: Arc<Router>,
    inner: Mutex<Inner>,
    changed: watch::Sender<u64>,
}

struct Inner {
    revisions: BTreeMap<Sequence, Revision>,
    weights: Weights,
    shifted: Instant,
    version: u64,
    upstreams: u64,
}

struct Revision {
    manifest: Arc<Manifest>,
    wanted: u16,
    tally: Arc<Tally>,
    instances: BTreeMap<u16, Instance>,
}

/// One place for a process.
struct Instance {
    /// The process, its port, and the name of this start for the router; `None` between two starts.
    running: Option<(Process, u64)>,
    port: u16,
    ready: bool,
    ready_after: Option<Duration>,
    restarts: u32,
    early_exits: u32,
    ended: Option<String>,
    stop: watch::Sender<bool>,
    nudge: Arc<Notify>,
}

/// One place, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seat {
    pub(super) revision: Sequence,
    pub(super) index: u16,
}

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
    /// Reads what is on the disk, and publishes the weights; nothing is started yet.
    pub(crate) fn open(
        root: &Root,
        router: Arc<Router>,
        visible: BTreeMap<String, String>,
    ) -> io::Result<Arc<Self>> {
        let revisions = stage::staged(root)?
            .into_iter()
            .map(|manifest| (manifest.revision, Revision::new(manifest, router.tally())))
            .collect();
        let weights = read_json(&root.weights())?.unwrap_or_default();
        let inner = Inner { revisions, weights, shifted: Instant::now(), version: 0, upstreams: 0 };
        let changed = watch::Sender::new(0);
        Ok(Arc::new(Self { root: root.clone(), visible, router, inner: Mutex::new(inner), changed }))
    }

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
                mind::end_stray(process);
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
        let running = mind::Running::adopted(kept.process, kept.port);
        mind::begin(self, seat, &revision.manifest, Some(running), &instance.stop, &instance.nudge);
        revision.instances.insert(kept.index, instance);
    }

    /// Becomes another number whenever something about an instance changes.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Takes a staged revision in.
    pub(crate) fn staged(&self, manifest: Manifest) {
        let mut inner = self.lock();
        match inner.revisions.get_mut(&manifest.revision) {
            Some(revision) if *revision.manifest == manifest => {}
            Some(revision) => revision.manifest = Arc::new(manifest),
            None => {
                inner.revisions.insert(manifest.revision, Revision::new(manifest, self.router.tally()));
            }
        }
    }

    /// How a revision is started; `None` where it is not staged.
    pub(crate) fn manifest(&self, revision: Sequence) -> Option<Arc<Manifest>> {
        self.lock().revisions.get(&revision).map(|revision| Arc::clone(&revision.manifest))
    }

    /// Every revision.
    pub(crate) fn revisions(&self) -> Vec<Sequence> {
        self.lock().revisions.keys().copied().collect()
    }

    /// Whether any process of a revision runs or shall run.
    pub(crate) fn is_running(&self, revision: Sequence) -> bool {
        self.lock().revisions.get(&revision).is_some_and(|revision| !revision.instances.is_empty())
    }

    /// Has at least so many processes of a revision running. Those that end again and again get another chance.
    pub(crate) fn want(self: &Arc<Self>, revision: Sequence, instances: u16) {
        let mut inner = self.lock();
        let Some(of) = inner.revisions.get_mut(&revision) else { return };
        of.wanted = of.wanted.max(instances);
        for index in 0..of.wanted {
            if let Some(instance) = of.instances.get_mut(&index) {
                if !instance.ready {
                    instance.early_exits = 0;
                    instance.nudge.notify_one();
                }
                continue;
            }
            let instance = Instance::new();
            mind::begin(self, Seat { revision, index }, &of.manifest, None, &instance.stop, &instance.nudge);
            of.instances.insert(index, instance);
        }
        self.keep(&inner);
    }

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

    /// The logs of all places.
    pub(super) fn logs(&self) -> Vec<PathBuf> {
        let inner = self.lock();
        let places = inner
            .revisions
            .iter()
            .flat_map(|(revision, of)| of.instances.keys().map(|index| (*revision, *index)));
        places.map(|(revision, index)| self.root.instance_log(revision, index)).collect()
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

    /// Tells the processes of a revision to stop, and waits until they have.
    pub(crate) async fn stop(&self, revision: Sequence) {
        let mut changes = self.changes();
        {
            let mut inner = self.lock();
            let Some(of) = inner.revisions.get_mut(&revision) else { return };
            of.wanted = 0;
            for instance in of.instances.values_mut() {
                instance.ready = false;
                instance.stop.send_replace(true);
            }
            self.publish(&mut inner);
            self.keep(&inner);
        }
        // An error would mean that this fleet is gone.
        while self.is_running(revision) && changes.changed().await.is_ok() {}
    }

    /// Removes the files of a revision that does not run.
    pub(crate) fn forget(&self, revision: Sequence) -> io::Result<()> {
        self.lock().revisions.remove(&revision);
        stage::remove(&self.root.revision(revision))
    }

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
        Ok(())
    }

    /// Waits until the last shift is in effect.
    pub(crate) async fn effective(&self) {
        let version = self.lock().version;
        self.router.effective(version).await;
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
                (*revision, of.tally.sum().in_flight, of.manifest.launch.drain.get().saturating_sub(since))
            })
            .filter(|(_, in_flight, _)| *in_flight > 0)
            .collect()
    }

    /// Closes every connection on which the revision has something in flight.
    pub(crate) async fn cut(&self, revision: Sequence) {
        self.router.cut(revision).await;
    }

    /// What the protocol says of all this.
    pub(crate) fn state(&self) -> Vec<RevisionState> {
        let inner = self.lock();
        inner.revisions.iter().map(|(revision, of)| of.state(*revision)).collect()
    }

    /// What was counted, by revision.
    pub(crate) fn sums(&self) -> Vec<(Sequence, Sum)> {
        self.lock().revisions.iter().map(|(revision, of)| (*revision, of.tally.sum())).collect()
    }

    pub(super) fn began(&self, seat: Seat, process: Process, port: u16) {
        let mut inner = self.lock();
        inner.upstreams += 1;
        let upstream = inner.upstreams;
        self.change(&mut inner, seat, |instance| {
            instance.running = Some((process, upstream));
            instance.port = port;
            instance.ready = false;
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

    fn publish(&self, inner: &mut Inner) {
        let lanes = inner.revisions.iter().map(|(revision, of)| {
            let upstreams = of.instances.values().filter_map(Instance::upstream).collect();
            Lane::new(*revision, inner.weights.of(*revision), upstreams, Arc::clone(&of.tally))
        });
        let lanes = lanes.collect();
        inner.version = self.router.publish(lanes);
    }

    fn keep(&self, inner: &Inner) {
        let mut kept = Kept::default();
        for (revision, of) in &inner.revisions {
            if of.wanted > 0 {
                kept.wanted.insert(*revision, of.wanted);
            }
            kept.instances
                .extend(of.instances.iter().filter_map(|(index, instance)| instance.kept(*revision, *index)));
        }
        if let Err(error) = write_json(&self.root.instances(), &kept) {
            tracing::error!(%error, "cannot keep the list of instances; a later agent will not adopt all of them");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no panic holds it")
    }
}

impl Revision {
    fn new(manifest: Manifest, tally: Arc<Tally>) -> Self {
        Self { manifest: Arc::new(manifest), wanted: 0, tally, instances: BTreeMap::new() }
    }

    fn state(&self, revision: Sequence) -> RevisionState {
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

impl Instance {
    fn new() -> Self {
        Self {
            running: None,
            port: 0,
            ready: false,
            ready_after: None,
            restarts: 0,
            early_exits: 0,
            ended: None,
            stop: watch::Sender::new(false),
            nudge: Arc::default(),
        }
    }

    fn upstream(&self) -> Option<Upstream> {
        let (_, id) = self.running.filter(|_| self.ready)?;
        Some(Upstream { id, address: ([127, 0, 0, 1], self.port).into() })
    }

    fn kept(&self, revision: Sequence, index: u16) -> Option<KeptInstance> {
        let (process, _) = self.running?;
        Some(KeptInstance {
            revision,
            index,
            process,
            port: self.port,
            restarts: self.restarts,
            ready_after_ms: self.ready_after.map(millis),
        })
    }

    fn state(&self, index: u16) -> InstanceState {
        InstanceState {
            index,
            pid: self.running.map(|(process, _)| process.pid),
            port: self.port,
            ready: self.ready,
            restarts: self.restarts,
            ready_after_ms: self.ready_after.map(millis),
            ended: self.ended.clone(),
        }
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
