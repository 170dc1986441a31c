//! A simulated target: fence, journal, revisions and router in memory, which can die at any mutation.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::time::Instant;
use windlass_domain::fence::{Epoch, Fence, Lease, Owner};
use windlass_domain::journal::{Entry, Event, Head};
use windlass_domain::policy::Span;
use windlass_domain::release::Sequence;
use windlass_domain::rollout::{Step, Weights};

use crate::driver::{Capabilities, Driver, DriverError, Package, Seen};

/// When a run dies, relative to the effect of one mutation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    Before,
    After,
}

/// What the world is told to do to whoever uses it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fate {
    /// The run dies at this mutation, counted from 0.
    pub(crate) death: Option<(usize, Moment)>,
    /// Instances of these revisions never get ready.
    pub(crate) never_ready: Vec<Sequence>,
    /// A revision is staged only where its files were supplied, as on a real target.
    pub(crate) needs_files: bool,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) fence: Fence,
    pub(crate) journal: Vec<Entry>,
    pub(crate) weights: Weights,
    pub(crate) running: BTreeMap<Sequence, u16>,
    pub(crate) staged: Vec<Sequence>,
    pub(crate) supplied: Vec<Sequence>,
    pub(crate) mutations: usize,
    pub(crate) broken: Vec<String>,
    dead: bool,
}

/// A handle on the world; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) state: Arc<Mutex<State>>,
    pub(crate) fate: Fate,
    began: Instant,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { state: Arc::default(), fate: Fate::default(), began: Instant::now() }
    }

    /// The world's time: it goes with tokio's, which tests can stop.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH.checked_add(self.began.elapsed()).expect("no test lasts that long")
    }

    /// The same world for another run, with another fate.
    pub(crate) fn again(&self, fate: Fate) -> Self {
        let mut state = self.state.lock().unwrap();
        state.dead = false;
        state.mutations = 0;
        // The process of the run before is gone, so its lease is void.
        let epoch = state.fence.epoch;
        state.fence.release(epoch);
        drop(state);
        Self { state: Arc::clone(&self.state), fate, began: self.began }
    }

    fn mutate<T>(&self, effect: impl Fn(&mut State) -> Result<T, DriverError>) -> Result<T, DriverError> {
        let mut state = self.state.lock().unwrap();
        let dies = |moment| self.fate.death == Some((state.mutations, moment));
        let (before, after) = (dies(Moment::Before), dies(Moment::After));
        if state.dead || before {
            state.dead = true;
            return Err(died());
        }
        state.mutations += 1;
        let result = effect(&mut state);
        state.check();
        if after {
            state.dead = true;
            return Err(died());
        }
        result
    }
}

impl World {
    /// Whether a step can be done at all.
    fn can(&self, state: &State, step: &Step) -> Result<(), DriverError> {
        let needed: Vec<Sequence> = match step {
            Step::Stage { revision, .. } if !state.supplied.contains(revision) => vec![*revision],
            Step::Shift { weights, .. } => weights.0.keys().copied().collect(),
            _ => Vec::new(),
        };
        match needed.iter().find(|revision| self.fate.needs_files && !state.staged.contains(revision)) {
            Some(revision) => {
                Err(DriverError::Judged { why: format!("{revision} is not there"), log: Vec::new() })
            }
            None => Ok(()),
        }
    }
}

impl State {
    /// What must hold at every moment, or a user sees an outage.
    fn check(&mut self) {
        let cold: Vec<String> = self
            .weights
            .0
            .iter()
            .filter(|(revision, weight)| {
                **weight > 0 && self.running.get(revision).copied().unwrap_or(0) == 0
            })
            .map(|(revision, weight)| format!("{revision} has weight {weight} and no instance"))
            .collect();
        self.broken.extend(cold);
    }

    fn head(&self) -> Head {
        self.journal.last().map_or(Head::EMPTY, |entry| Head { number: entry.number, hash: entry.hash })
    }
}

fn died() -> DriverError {
    DriverError::Unreachable { attempt: "the run died".into(), source: "killed by the sweep".into() }
}

#[async_trait]
impl Driver for World {
    fn capabilities(&self) -> Capabilities {
        Capabilities { kind: "world", weights: true }
    }

    fn place(&self) -> String {
        "a simulated world".to_owned()
    }

    fn supply(&self, revision: Sequence, _: Package) {
        self.state.lock().unwrap().supplied.push(revision);
    }

    async fn observe(&self) -> Result<Seen, DriverError> {
        let state = self.state.lock().unwrap();
        Ok(Seen {
            weights: state.weights.clone(),
            revisions: state
                .staged
                .iter()
                .map(|revision| (*revision, state.running.get(revision).copied().unwrap_or(0)))
                .collect(),
            url: None,
            lease: state.fence.lease.clone().filter(|lease| lease.expires > self.now()),
            now: self.now(),
        })
    }

    async fn claim(&self, owner: &Owner, ttl: Span) -> Result<Lease, DriverError> {
        let now = self.now();
        let expires = now.checked_add(ttl.get()).expect("no lease lasts that long");
        self.state.lock().unwrap().fence.claim(owner, now, expires).map_err(DriverError::Fence)
    }

    async fn release(&self, lease: &Lease) -> Result<(), DriverError> {
        self.state.lock().unwrap().fence.release(lease.epoch);
        Ok(())
    }

    async fn apply(&self, lease: &Lease, step: &Step) -> Result<String, DriverError> {
        let epoch = lease.epoch;
        self.mutate(|state| {
            state.fence.admit(epoch, self.now()).map_err(DriverError::Fence)?;
            self.can(state, step)?;
            match step {
                Step::Stage { revision, instances, .. } => {
                    if !state.staged.contains(revision) {
                        state.staged.push(*revision);
                    }
                    if !self.fate.never_ready.contains(revision) {
                        let running = state.running.entry(*revision).or_default();
                        *running = (*running).max(*instances);
                    }
                }
                Step::AwaitReady { revision, instances, .. } => {
                    if state.running.get(revision).copied().unwrap_or(0) < *instances {
                        let why = format!("{revision} does not get ready");
                        return Err(DriverError::Judged { why, log: Vec::new() });
                    }
                }
                Step::Shift { weights, .. } => state.weights = weights.clone(),
                Step::Retire { live, warm, keep } => {
                    state.running.retain(|revision, _| revision == live || warm.contains(revision));
                    state.staged.retain(|revision| keep.contains(revision));
                }
                Step::Withdraw { revision } => {
                    state.running.remove(revision);
                }
                Step::Settle | Step::Commit { .. } | Step::Migrate { .. } => {}
                Step::Verify { .. } | Step::Pause { .. } | Step::Hook { .. } => {
                    panic!("{step} is not the driver's")
                }
            }
            Ok(String::new())
        })
    }

    async fn read(&self) -> Result<Vec<Entry>, DriverError> {
        Ok(self.state.lock().unwrap().journal.clone())
    }

    async fn append(
        &self,
        lease: &Lease,
        after: Head,
        by: &str,
        events: Vec<Event>,
    ) -> Result<Head, DriverError> {
        let epoch = lease.epoch;
        self.mutate(|state| {
            state.fence.admit(epoch, self.now()).map_err(DriverError::Fence)?;
            if state.head() != after {
                return Err(DriverError::Head(state.head()));
            }
            for event in events.clone() {
                let prev = state.head();
                state.journal.push(Entry::seal(prev, self.now(), epoch, by.into(), event));
            }
            Ok(state.head())
        })
    }
}

/// The epoch of nobody.
pub(crate) const NOBODY: Epoch = Epoch(0);
