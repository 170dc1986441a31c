//! The state of a rollout: what the journal replays to, one event at a time.

use jiff::Timestamp;
use serde::Serialize;

use super::plan::{Plan, WayBack};
use super::step::Step;
use crate::journal::{Event, Way};

/// A rollout that was opened, as far as its journal goes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rollout {
    /// What it does.
    pub plan: Plan,
    /// When it was opened.
    pub opened: Timestamp,
    /// Who opened it.
    pub by: String,
    /// When anything last ended, or another run took over; of a rollout that is over, when that was.
    pub progressed: Timestamp,
    /// How often another run took over.
    pub resumed: u32,
    /// Where it is.
    pub phase: Phase,
    /// What was done, in order.
    pub done: Vec<Record>,
    /// Whether a migration that cannot be undone has begun; what became of it need not be known.
    #[serde(skip)]
    crossed: bool,
}

/// One step that was done, or judged no.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Record {
    /// Which list.
    pub way: Way,
    /// The step.
    pub step: Step,
    /// When it began.
    pub began: Timestamp,
    /// When it ended.
    pub at: Timestamp,
    /// How: what it says of itself, or why it was judged no.
    pub result: Result<String, String>,
}

/// Where a rollout is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Phase {
    /// On the way forward, before or in the step of this index.
    Forward {
        /// The index in the plan's steps.
        index: usize,
        /// Whether it has begun.
        doing: Doing,
    },
    /// On the way back, before or in the step of this index.
    Back {
        /// The index in the plan's undo.
        index: usize,
        /// Whether it has begun.
        doing: Doing,
        /// Why it turned back.
        why: String,
    },
    /// Over.
    Over(End),
}

/// Whether the step at hand has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Doing {
    /// Not yet.
    Idle,
    /// It has, and no result is known: it runs, or ran in a process that is gone, and is run again.
    Started(Timestamp),
}

/// How a rollout ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum End {
    /// The release is live.
    Live,
    /// The environment is as it was before.
    Reverted {
        /// Why.
        why: String,
    },
    /// A human is needed.
    Stuck {
        /// Why.
        why: String,
    },
}

impl Rollout {
    /// A rollout that was just opened.
    #[must_use]
    pub const fn open(plan: Plan, at: Timestamp, by: String) -> Self {
        Self {
            plan,
            opened: at,
            by,
            progressed: at,
            resumed: 0,
            phase: Phase::Forward { index: 0, doing: Doing::Idle },
            done: Vec::new(),
            crossed: false,
        }
    }

    /// Whether the release is in the ledger as live: from then on there is no turning back, only a rollback.
    #[must_use]
    pub fn is_committed(&self) -> bool {
        self.done.iter().any(|record| matches!(record.step, Step::Commit { .. }) && record.result.is_ok())
    }

    /// Whether a migration that cannot be undone has begun. What became of it need not be known.
    #[must_use]
    pub const fn has_crossed(&self) -> bool {
        self.crossed
    }

    /// What happens from here when the release does not hold.
    #[must_use]
    pub const fn way_back(&self) -> WayBack {
        if self.crossed { WayBack::None } else { self.plan.way_back }
    }

    /// The step at hand, if it is not over.
    #[must_use]
    pub fn step(&self) -> Option<Step> {
        match &self.phase {
            Phase::Forward { index, .. } => self.plan.steps.get(*index).cloned(),
            Phase::Back { index, .. } => self.plan.undo().get(*index).cloned(),
            Phase::Over(_) => None,
        }
    }

    /// Every word that [`word`](Self::word) can say.
    pub const WORDS: [&str; 16] = [
        "planned",
        "staging",
        "migrating",
        "hook",
        "starting",
        "shifting",
        "settling",
        "verifying",
        "pausing",
        "proving",
        "committing",
        "retiring",
        "reverting",
        "live",
        "reverted",
        "stuck",
    ];

    /// The state's word, for people: `planned`, `staged`, `shifting`, `reverting`, …
    #[must_use]
    pub fn word(&self) -> &'static str {
        match &self.phase {
            Phase::Forward { index: 0, doing: Doing::Idle } => "planned",
            Phase::Forward { index, .. } => match self.plan.steps.get(*index) {
                Some(Step::Stage { .. }) => "staging",
                Some(Step::Migrate { .. }) => "migrating",
                Some(Step::Hook { .. }) => "hook",
                Some(Step::AwaitReady { .. }) => "starting",
                Some(Step::Shift { .. }) => "shifting",
                Some(Step::Settle) => "settling",
                Some(Step::Verify { .. }) => "verifying",
                Some(Step::Pause { .. }) => "pausing",
                Some(Step::Commit { .. }) => "committing",
                // On the way forward only the proof of the way back stops anything before the commit.
                Some(Step::Withdraw { .. }) => "proving",
                Some(Step::Retire { .. }) | None => "retiring",
            },
            Phase::Back { .. } => "reverting",
            Phase::Over(End::Live) => "live",
            Phase::Over(End::Reverted { .. }) => "reverted",
            Phase::Over(End::Stuck { .. }) => "stuck",
        }
    }

    /// Takes one event of the journal into the state.
    ///
    /// # Errors
    /// A sentence, when the event cannot follow: the journal is not one of ours, or was altered.
    pub fn take(&mut self, event: &Event, at: Timestamp) -> Result<(), String> {
        let word = self.word();
        let misplaced = || Err(format!("{event:?} cannot follow in state {word}"));
        match event {
            Event::Resumed => {
                self.resumed += 1;
                self.progressed = at;
                if let Phase::Forward { doing: Doing::Started(since), .. }
                | Phase::Back { doing: Doing::Started(since), .. } = &mut self.phase
                {
                    *since = at;
                }
            }
            Event::Started { way, index } => match (&mut self.phase, way) {
                (Phase::Forward { index: here, doing: doing @ Doing::Idle }, Way::Forward)
                | (Phase::Back { index: here, doing: doing @ Doing::Idle, .. }, Way::Back)
                    if here == index =>
                {
                    *doing = Doing::Started(at);
                    let is_for_good = self.plan.steps.get(*index).is_some_and(Step::is_for_good);
                    self.crossed |= *way == Way::Forward && is_for_good;
                }
                _ => return misplaced(),
            },
            Event::Done { way, index, note } => self.end_step(*way, *index, at, Ok(note.clone()))?,
            Event::Failed { way, index, why } => self.end_step(*way, *index, at, Err(why.clone()))?,
            Event::Reverting { why } => match self.phase {
                Phase::Forward { index, doing }
                    if !self.is_committed() && self.way_back() != WayBack::None =>
                {
                    // Before the first step began there is nothing to undo, nor while only hosts got the old that lacked it.
                    let at_hand = self.plan.steps.get(index).filter(|_| doing != Doing::Idle);
                    let mut begun = self.done.iter().map(|record| &record.step).chain(at_hand);
                    let untouched = begun.all(|step| self.plan.joins(step));
                    let index = if untouched { self.plan.undo().len() } else { 0 };
                    self.phase = Phase::Back { index, doing: Doing::Idle, why: why.clone() };
                    self.progressed = at;
                }
                Phase::Forward { .. } | Phase::Back { .. } | Phase::Over(_) => return misplaced(),
            },
            Event::Committed { revision } if *revision == self.plan.release.sequence => {}
            Event::Closed if self.is_committed() => {
                self.phase = Phase::Over(End::Live);
                self.progressed = at;
            }
            Event::Reverted { why } if matches!(self.phase, Phase::Back { .. }) => {
                self.phase = Phase::Over(End::Reverted { why: why.clone() });
                self.progressed = at;
            }
            Event::Stuck { why } => {
                self.phase = Phase::Over(End::Stuck { why: why.clone() });
                self.progressed = at;
            }
            Event::Hold { .. } | Event::Unhold { .. } => {}
            Event::Opened { .. } | Event::Committed { .. } | Event::Closed | Event::Reverted { .. } => {
                return misplaced();
            }
        }
        Ok(())
    }

    fn end_step(
        &mut self,
        way: Way,
        index: usize,
        at: Timestamp,
        result: Result<String, String>,
    ) -> Result<(), String> {
        let Some(step) = self.step() else {
            return Err(format!("a step cannot end in state {}", self.word()));
        };
        // What cannot be undone any more, or belongs to no state of the environment, holds nothing up.
        let goes_on = match step {
            Step::Retire { .. } => true,
            Step::Hook { .. } => way == Way::Back || self.is_committed(),
            _ => false,
        };
        let mut began = at;
        match (&mut self.phase, way) {
            (Phase::Forward { index: here, doing }, Way::Forward)
            | (Phase::Back { index: here, doing, .. }, Way::Back)
                if *here == index && *doing != Doing::Idle =>
            {
                if let Doing::Started(since) = *doing {
                    began = since;
                }
                *doing = Doing::Idle;
                // A step that was judged no is not passed: what follows it is decided by the next event.
                if result.is_ok() || goes_on {
                    *here += 1;
                }
            }
            _ => return Err(format!("step {index} cannot end in state {}", self.word())),
        }
        self.progressed = at;
        self.done.push(Record { way, step, began, at, result });
        Ok(())
    }
}
