//! A simulated target: fence, journal, revisions and router in memory. At any mutation the run that uses it can die, or
//! its agent, or its disk can be full; its journal can be damaged.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::time::Instant;
use windlass_domain::fence::{Epoch, Fence, Lease, Owner};
use windlass_domain::journal::{Entry, Event, Head, read_chain};
use windlass_domain::policy::Span;
use windlass_domain::release::{Release, Sequence};
use windlass_domain::rollout::{Step, Weights};

use crate::driver::{Capabilities, Driver, DriverError, Package, Seen, for_no_host};

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
    /// The agent dies at this mutation. The run lives, and whatever it asks is answered by nobody.
    pub(crate) agent_death: Option<(usize, Moment)>,
    /// From this mutation on nothing can be written: the disk is full, or read-only. With [`Moment::After`] that one still
    /// has its effect, and the agent cannot say so.
    pub(crate) full: Option<(usize, Moment)>,
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
    /// The revisions whose migration was run.
    pub(crate) migrated: Vec<Sequence>,
    pub(crate) mutations: usize,
    pub(crate) broken: Vec<String>,
    /// What became of the journal's file.
    pub(crate) damage: Option<Damage>,
    /// Whether requests are in flight on a revision that gets no more of them. Only the agent knows, while it lives.
    in_flight: bool,
    dead: bool,
    down: bool,
}

/// What is wrong with the journal's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    /// So many bytes of a further line stand at its end.
    Torn(usize),
    /// A byte of this line, counted from 0, is another one.
    Corrupted(usize),
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
        if std::mem::take(&mut state.down) {
            // What only the agent knew is lost, and connections through it ended with it.
            state.in_flight = false;
        }
        state.mutations = 0;
        // The process of the run before is gone, so its lease is void.
        let epoch = state.fence.epoch;
        state.fence.release(epoch);
        drop(state);
        Self { state: Arc::clone(&self.state), fate, began: self.began }
    }

    fn mutate<T>(&self, effect: impl Fn(&mut State) -> Result<T, DriverError>) -> Result<T, DriverError> {
        let mut state = self.up()?;
        let at = state.mutations;
        let is = |fate: Option<(usize, Moment)>, moment| fate == Some((at, moment));
        if state.dead || is(self.fate.death, Moment::Before) {
            state.dead = true;
            return Err(died());
        }
        if is(self.fate.agent_death, Moment::Before) {
            state.down = true;
            return Err(nobody());
        }
        state.mutations += 1;
        if self.fate.full.is_some_and(|(from, moment)| at > from || (at == from && moment == Moment::Before))
        {
            return Err(full());
        }
        if let Some(why) = state.corrupted() {
            return Err(why);
        }
        let result = effect(&mut state);
        state.check();
        if is(self.fate.death, Moment::After) {
            state.dead = true;
            return Err(died());
        }
        if is(self.fate.agent_death, Moment::After) {
            state.down = true;
            return Err(nobody());
        }
        if is(self.fate.full, Moment::After) { Err(full()) } else { result }
    }

    /// The state, where there is an agent to ask.
    fn up(&self) -> Result<MutexGuard<'_, State>, DriverError> {
        let state = self.state.lock().unwrap();
        if state.down { Err(nobody()) } else { Ok(state) }
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

    /// What the journal's file holds.
    fn bytes(&self) -> Vec<u8> {
        let mut lines: Vec<Vec<u8>> = self.journal.iter().map(|entry| entry.line().into_bytes()).collect();
        match self.damage {
            None => {}
            Some(Damage::Torn(bytes)) => {
                let line = lines.last().cloned().unwrap_or_default();
                lines.push(line.into_iter().take(bytes).collect());
            }
            Some(Damage::Corrupted(line)) => {
                let middle = lines[line].len() / 2;
                lines[line][middle] ^= 1;
            }
        }
        lines.concat()
    }

    /// Why nothing may be changed, where a line of the journal is not what was written.
    fn corrupted(&self) -> Option<DriverError> {
        self.damage?;
        read_chain(&self.bytes()).err().map(|broken| unreachable("cannot use the journal", broken))
    }

    fn head(&self) -> Head {
        self.journal.last().map_or(Head::EMPTY, |entry| Head { number: entry.number, hash: entry.hash })
    }
}

fn died() -> DriverError {
    unreachable("the run died", "killed by the sweep")
}

fn nobody() -> DriverError {
    unreachable("cannot ask the agent", "nobody listens")
}

fn full() -> DriverError {
    unreachable("cannot ask the agent", "no space left on device")
}

fn unreachable(attempt: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> DriverError {
    DriverError::Unreachable { attempt: attempt.into(), source: source.into() }
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

    async fn fetch(&self, release: &Release, _: &Path) -> Result<Option<Package>, DriverError> {
        let staged = self.up()?.staged.contains(&release.sequence);
        Ok(staged.then(|| Package {
            artifact: release.artifact,
            artifact_path: None,
            config: None,
            config_paths: Vec::new(),
            parameters: release.parameters.clone(),
        }))
    }

    async fn observe(&self) -> Result<Seen, DriverError> {
        let state = self.up()?;
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
            hosts: Vec::new(),
        })
    }

    async fn claim(&self, owner: &Owner, ttl: Span) -> Result<Lease, DriverError> {
        let now = self.now();
        let expires = now.checked_add(ttl.get()).expect("no lease lasts that long");
        self.up()?.fence.claim(owner, now, expires).map_err(DriverError::Fence)
    }

    async fn release(&self, lease: &Lease) -> Result<(), DriverError> {
        self.up()?.fence.release(lease.epoch);
        Ok(())
    }

    async fn apply(&self, lease: &Lease, step: &Step) -> Result<String, DriverError> {
        let epoch = lease.epoch;
        for_no_host(step)?;
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
                Step::Shift { weights, .. } => {
                    let before = std::mem::replace(&mut state.weights, weights.clone());
                    let is_left = |revision| weights.0.get(revision).is_none_or(|weight| *weight == 0);
                    state.in_flight |=
                        before.0.iter().any(|(revision, weight)| *weight > 0 && is_left(revision));
                }
                Step::Retire { live, warm, keep } => {
                    state.running.retain(|revision, _| revision == live || warm.contains(revision));
                    state.staged.retain(|revision| keep.contains(revision));
                }
                Step::Withdraw { revision } => {
                    state.running.remove(revision);
                }
                Step::Settle => state.in_flight = false,
                Step::Commit { .. } if state.in_flight => {
                    state.broken.push("committed while requests were in flight on what it replaced".into());
                }
                Step::Commit { .. } => {}
                Step::Migrate { revision, run, .. } => {
                    if self.fate.needs_files && !state.migrated.contains(revision) {
                        let ended = std::process::Command::new(&run[0]).args(&run[1..]).status();
                        assert!(ended.is_ok_and(|status| status.success()), "{run:?}");
                        state.migrated.push(*revision);
                    }
                }
                Step::Verify { .. } | Step::Pause { .. } | Step::Hook { .. } => {
                    panic!("{step} is not the driver's")
                }
            }
            Ok(String::new())
        })
    }

    async fn read(&self) -> Result<Vec<Entry>, DriverError> {
        let state = self.up()?;
        if state.damage.is_none() {
            return Ok(state.journal.clone());
        }
        let chain = read_chain(&state.bytes());
        chain.map(|chain| chain.entries).map_err(|broken| unreachable("cannot read the journal", broken))
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
