//! The target's side: what the agent keeps on its disk, and what it answers. The fence and the journal are the real
//! ones; what a step does to the environment is told again, with the checks that the host agent makes.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use jiff::Timestamp;
use windlass_domain::fence::{Epoch, Fence, Lease, Owner, Refusal};
use windlass_domain::journal::{Entry, Event, Head, History};
use windlass_domain::release::Sequence;
use windlass_domain::rollout::{Step, Weights};

/// The fence's three decisions and the journal's one, so that a test can put a broken one in its place.
#[derive(Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) claim: fn(&mut Fence, &Owner, Timestamp, Timestamp) -> Result<Lease, Refusal>,
    pub(crate) renew: fn(&mut Fence, &Lease, Timestamp, Timestamp) -> Result<Lease, Refusal>,
    pub(crate) admit: fn(&Fence, Epoch, Timestamp) -> bool,
    pub(crate) follows: fn(Head, Head) -> bool,
}

impl Rules {
    /// What the product does.
    pub(crate) const REAL: Self = Self {
        claim: Fence::claim,
        renew: |fence, lease, now, expires| fence.renew(&lease.owner, lease.epoch, now, expires),
        admit: |fence, epoch, now| fence.admit(epoch, now).is_ok(),
        follows: |after, head| after == head,
    };
}

/// A journal, as its head and what it replays to. Two with the same head are the same.
#[derive(Clone, Debug)]
pub(crate) struct Journal {
    pub(crate) head: Head,
    pub(crate) history: Arc<History>,
    pub(crate) last: Epoch,
    /// Whether an entry had a lower epoch than one before it.
    pub(crate) fell: bool,
    /// Why an entry could not follow, if one could not.
    pub(crate) broken: Option<String>,
}

impl Journal {
    pub(crate) fn empty() -> Self {
        let history = Arc::new(History::default());
        Self { head: Head::EMPTY, history, last: Epoch(0), fell: false, broken: None }
    }

    pub(crate) fn append(&mut self, events: &[Event], epoch: Epoch) {
        let history = Arc::make_mut(&mut self.history);
        for event in events {
            let entry = Entry::seal(self.head, NOW, epoch, "model".into(), event.clone());
            if let Err(error) = history.take(&entry) {
                self.broken = Some(error.to_string());
            }
            self.head = entry.head();
        }
        // What is over is over: only its commits and releases still matter, and those stay.
        let over = history.rollouts.len().saturating_sub(1);
        history.rollouts.drain(..over);
        self.fell |= epoch < self.last;
        self.last = epoch;
    }

    /// Everything in it that any later decision can depend on.
    pub(crate) fn hash_what_matters<H: Hasher>(&self, state: &mut H) {
        self.broken.is_some().hash(state);
        for commit in &self.history.commits {
            (commit.revision, commit.before).hash(state);
        }
        for release in self.history.releases.values() {
            (release.sequence, release.artifact).hash(state);
        }
        if let Some(rollout) = self.history.rollouts.last() {
            let plan = &rollout.plan;
            (plan.release.sequence, plan.release.artifact, rollout.is_committed()).hash(state);
            format!("{:?} {:?} {:?}", plan.intent, plan.way_back, rollout.phase).hash(state);
        }
    }
}

/// When everything is written: no clock of a rollout runs out here, which `next`'s own tests are about.
pub(crate) const NOW: Timestamp = Timestamp::UNIX_EPOCH;

impl PartialEq for Journal {
    fn eq(&self, other: &Self) -> bool {
        (self.head, self.fell) == (other.head, other.fell)
    }
}

impl Eq for Journal {}

/// What runs and what gets requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Site {
    pub(crate) weights: BTreeMap<Sequence, u16>,
    pub(crate) running: BTreeSet<Sequence>,
}

impl Site {
    /// Makes a step take effect, or says why it cannot.
    pub(crate) fn apply(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Stage { revision, .. } => {
                self.running.insert(*revision);
            }
            Step::AwaitReady { revision, .. } if !self.running.contains(revision) => {
                return Err(format!("{revision} is not there"));
            }
            Step::Shift { weights, .. } => {
                if let Some(cold) = weights.0.keys().find(|revision| !self.running.contains(revision)) {
                    return Err(format!("{cold} has no ready instance"));
                }
                self.weights = weights.0.clone();
            }
            Step::Commit { revision } if self.weights != Weights::all(*revision).0 => {
                return Err(format!("{revision} does not get everything"));
            }
            Step::Retire { live, .. } => {
                if self.weights.keys().any(|revision| revision != live) {
                    return Err("another revision still gets requests".into());
                }
                self.running.retain(|revision| revision == live);
            }
            Step::Withdraw { revision } => {
                if self.weights.contains_key(revision) {
                    return Err(format!("{revision} still gets requests"));
                }
                self.running.remove(revision);
            }
            Step::AwaitReady { .. } | Step::Settle | Step::Commit { .. } => {}
            other => panic!("the model's plans have no {other}"),
        }
        Ok(())
    }

    /// The revisions that get requests and have nobody to answer them.
    pub(crate) fn is_cold(&self) -> bool {
        self.weights.iter().any(|(revision, weight)| *weight > 0 && !self.running.contains(revision))
    }
}

/// The one mutation that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) epoch: Epoch,
    pub(crate) step: Step,
    /// Who waits for its end; nobody does when the caller is gone.
    pub(crate) caller: Option<usize>,
    /// Whether a newer claim has called it off. Its effect may be past the last look at that.
    pub(crate) off: bool,
}

impl Hash for Turn {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.epoch, self.caller, self.off).hash(state);
        self.step.to_string().hash(state);
    }
}

/// The agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Agent {
    pub(crate) fence: Fence,
    pub(crate) journal: Journal,
    pub(crate) site: Site,
    pub(crate) turn: Option<Turn>,
    /// The newest epoch that anybody was told of, whatever the fence believes.
    pub(crate) newest: Epoch,
    /// The epoch of the last effect.
    pub(crate) landed: Epoch,
    /// What must never happen, and did.
    pub(crate) wrong: BTreeSet<Wrong>,
}

impl Hash for Agent {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.journal.hash_what_matters(state);
        (self.journal.last, self.journal.fell).hash(state);
        (&self.fence, &self.site, &self.turn, self.newest, self.landed, &self.wrong).hash(state);
    }
}

/// What must never happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Wrong {
    /// A mutation was admitted under another epoch than the newest.
    Stale,
    /// A renewal gave what it did not renew.
    Granted,
    /// An effect came after one of a newer epoch.
    Late,
}

impl Agent {
    pub(crate) fn new() -> Self {
        Self {
            fence: Fence::default(),
            journal: Journal::empty(),
            site: Site::default(),
            turn: None,
            newest: Epoch(0),
            landed: Epoch(0),
            wrong: BTreeSet::new(),
        }
    }

    pub(crate) fn claim(&mut self, rules: &Rules, run: usize, now: u8) -> Option<Lease> {
        let lease = (rules.claim)(&mut self.fence, &owner(run), at(now), at(now + 1)).ok()?;
        if lease.epoch > self.newest
            && let Some(turn) = &mut self.turn
        {
            turn.off = true;
        }
        self.newest = self.newest.max(lease.epoch);
        Some(lease)
    }

    pub(crate) fn renew(&mut self, rules: &Rules, run: usize, epoch: Epoch, now: u8) {
        let lease = Lease { owner: owner(run), epoch, expires: at(now) };
        if let Ok(renewed) = (rules.renew)(&mut self.fence, &lease, at(now), at(now + 1))
            && (renewed.epoch != epoch || epoch != self.newest)
        {
            self.wrong.insert(Wrong::Granted);
            self.newest = self.newest.max(renewed.epoch);
        }
    }

    pub(crate) fn append(
        &mut self,
        rules: &Rules,
        epoch: Epoch,
        now: u8,
        after: Head,
        events: &[Event],
    ) -> bool {
        if !self.admits(rules, epoch, now) || !(rules.follows)(after, self.journal.head) {
            return false;
        }
        self.journal.append(events, epoch);
        true
    }

    /// Whether a mutation may begin; notes where that is wrong.
    pub(crate) fn admits(&mut self, rules: &Rules, epoch: Epoch, now: u8) -> bool {
        let admitted = (rules.admit)(&self.fence, epoch, at(now));
        if admitted && epoch != self.newest {
            self.wrong.insert(Wrong::Stale);
        }
        admitted
    }

    /// What is under way takes effect.
    pub(crate) fn land(&mut self) -> Option<(Turn, Result<(), String>)> {
        let turn = self.turn.take()?;
        if turn.epoch < self.landed {
            self.wrong.insert(Wrong::Late);
        }
        self.landed = self.landed.max(turn.epoch);
        let result = self.site.apply(&turn.step);
        Some((turn, result))
    }
}

pub(crate) fn owner(run: usize) -> Owner {
    Owner { run: format!("run {run}"), who: String::new() }
}

pub(crate) fn at(moment: u8) -> Timestamp {
    Timestamp::constant(i64::from(moment), 0)
}
