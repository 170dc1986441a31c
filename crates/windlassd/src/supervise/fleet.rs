//! Every revision on this host, its processes, and the weights: one value, from which the routing table is made.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use tokio::sync::watch;
use windlass_domain::release::Sequence;
use windlass_domain::rollout::Weights;
use windlass_target::host::control::{Launch, RevisionState};

use super::groups::Groups;
use super::instance::{Instance, Seat};
use super::kept::Kept;
use super::mind;
use super::reins::Reins;
use super::revision::Revision;
use crate::handover::Formers;
use crate::locked::lock;
use crate::root::{Root, read_json, write_json};
use crate::rotation::Rule;
use crate::route::{Lane, Router, Sum};
use crate::stage::{self, Manifest};

/// All revisions.
pub(crate) struct Fleet {
    pub(super) root: Root,
    pub(super) visible: BTreeMap<String, String>,
    pub(super) router: Arc<Router>,
    inner: Mutex<Inner>,
    pub(super) changed: watch::Sender<u64>,
    pub(super) reins: Reins,
    /// The agents before this one that still have something in flight.
    pub(crate) formers: Arc<Formers>,
    /// When resources were last measured; held while they are.
    pub(super) measured: tokio::sync::Mutex<Option<Instant>>,
    pub(super) groups: Groups,
}

/// What the lock guards.
pub(super) struct Inner {
    pub(super) revisions: BTreeMap<Sequence, Revision>,
    pub(super) weights: Weights,
    pub(super) shifted: Instant,
    pub(super) version: u64,
    pub(super) upstreams: u64,
}

impl Fleet {
    /// Reads what is on the disk. Nothing is started and nothing is written before [`begin`](Self::begin). Starts of
    /// instances are named by numbers above `upstreams`.
    pub(crate) fn open(
        root: &Root,
        router: Arc<Router>,
        visible: BTreeMap<String, String>,
        upstreams: u64,
    ) -> io::Result<Arc<Self>> {
        let revisions = stage::staged(root)?
            .into_iter()
            .map(|manifest| (manifest.revision, Revision::new(manifest, router.tally())))
            .collect();
        let weights = read_json(&root.weights())?.unwrap_or_default();
        let inner = Inner { revisions, weights, shifted: Instant::now(), version: 0, upstreams };
        let changed = watch::Sender::new(0);
        Ok(Arc::new(Self {
            root: root.clone(),
            visible,
            router,
            inner: Mutex::new(inner),
            changed,
            reins: Reins::held(),
            formers: Arc::default(),
            measured: tokio::sync::Mutex::default(),
            groups: Groups::new(root),
        }))
    }

    /// What processes of a release may see of the agent's own environment.
    pub(crate) const fn visible(&self) -> &BTreeMap<String, String> {
        &self.visible
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

    /// Whether a release can be started here as it wants to be.
    pub(crate) fn admit(&self, launch: &Launch) -> Result<(), String> {
        self.groups.admit(launch)
    }

    /// Leaves no empty control group behind.
    pub(crate) fn leave(&self) {
        self.groups.leave();
    }

    /// Removes the files of a revision that does not run.
    pub(crate) fn forget(&self, revision: Sequence) -> io::Result<()> {
        self.lock().revisions.remove(&revision);
        stage::remove(&self.root.revision(revision))
    }

    /// What the protocol says of all this.
    pub(crate) fn state(&self) -> Vec<RevisionState> {
        let inner = self.lock();
        let state = |(revision, of): (&Sequence, &Revision)| {
            let mut state = of.state(*revision);
            state.in_flight += self.formers.in_flight(*revision);
            state
        };
        inner.revisions.iter().map(state).collect()
    }

    /// What was counted, by revision.
    pub(crate) fn sums(&self) -> Vec<(Sequence, Sum)> {
        self.lock().revisions.iter().map(|(revision, of)| (*revision, of.tally.sum())).collect()
    }

    /// The logs of all places, and when each is rotated.
    pub(super) fn logs(&self) -> Vec<(PathBuf, Rule)> {
        let inner = self.lock();
        let places = inner.revisions.iter().flat_map(|(revision, of)| {
            of.instances.keys().map(|index| (self.root.instance_log(*revision, *index), of.manifest.rule()))
        });
        places.collect()
    }

    pub(super) fn publish(&self, inner: &mut Inner) {
        if self.reins.are_gone() {
            return;
        }
        let lanes = inner.revisions.iter().map(|(revision, of)| {
            let upstreams = of.instances.values().filter_map(Instance::upstream).collect();
            Lane::new(*revision, inner.weights.of(*revision), upstreams, Arc::clone(&of.tally))
        });
        let lanes: Vec<Lane> = lanes.collect();
        inner.version = self.router.publish(lanes.clone());
        self.formers.publish(inner.version, &lanes);
    }

    pub(super) fn keep(&self, inner: &Inner) {
        if !self.reins.are_free() {
            return;
        }
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

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }
}
