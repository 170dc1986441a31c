//! The whole of it: the agent, the runs, and what is on its way between them.

use std::hash::{DefaultHasher, Hash, Hasher};

use windlass_domain::fence::{Epoch, Lease};
use windlass_domain::outcome::Outcome;

use crate::agent::{Agent, Journal, Turn};
use crate::run::{Ask, Run, Under};
use crate::{Verdict, Windlass};

/// How much trouble there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Limits {
    /// Ends of leases.
    pub(crate) lapses: u8,
    /// Messages that are sent twice, or whose sender gives up.
    pub(crate) troubles: u8,
    /// Deaths of the agent.
    pub(crate) deaths: u8,
    /// Renewals that come at any later time.
    pub(crate) renewals: u8,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct World {
    pub(crate) agent: Agent,
    pub(crate) runs: Vec<Run>,
    /// What is on its way and nobody waits for.
    pub(crate) stray: Vec<Stray>,
    pub(crate) now: u8,
    pub(crate) left: Limits,
    pub(crate) refused: bool,
}

/// Two worlds with the same future are one: how a journal came to be what it is does not matter any more.
impl Hash for World {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.agent.hash(state);
        (self.now, self.left, self.refused).hash(state);
        for run in &self.runs {
            match run {
                Run::Fresh => 0_u8.hash(state),
                Run::Over(outcome) => (1_u8, outcome.code()).hash(state),
                Run::Under(under) => {
                    2_u8.hash(state);
                    under.hash_what_matters(&self.agent.journal, state);
                }
            }
        }
        for stray in &self.stray {
            stray.key(&self.agent.journal).hash(state);
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stray {
    /// A request, as its run was when it sent it.
    Request(Under),
    Renewal(usize, Epoch),
    Release(Epoch),
}

impl Stray {
    pub(crate) fn key(&self, journal: &Journal) -> u64 {
        let mut hasher = DefaultHasher::new();
        match self {
            Self::Request(under) => {
                0_u8.hash(&mut hasher);
                under.hash_what_matters(journal, &mut hasher);
            }
            Self::Renewal(run, epoch) => (1_u8, run, epoch).hash(&mut hasher),
            Self::Release(epoch) => (2_u8, epoch).hash(&mut hasher),
        }
        hasher.finish()
    }
}

impl World {
    pub(crate) fn ended(&self, outcome: Outcome) -> bool {
        self.runs.contains(&Run::Over(outcome))
    }

    /// A run ends, and its lease is on its way back.
    pub(crate) fn ends(&mut self, index: usize, epoch: Epoch, outcome: Outcome) {
        self.runs[index] = Run::Over(outcome);
        self.stray.push(Stray::Release(epoch));
    }

    pub(crate) fn becomes(&mut self, index: usize, epoch: Epoch, run: Run) {
        match run {
            Run::Over(outcome) => self.ends(index, epoch, outcome),
            run @ (Run::Fresh | Run::Under(_)) => self.runs[index] = run,
        }
    }

    /// A run's request arrives and it hears the answer. `None` where nothing changes.
    pub(crate) fn answers(&mut self, model: &Windlass, index: usize, verdict: Verdict) -> Option<()> {
        let errand = model.errands[index];
        let under = match &self.runs[index] {
            Run::Fresh => {
                let lease: Lease = self.agent.claim(&model.rules, index, self.now)?;
                // One that reads later, after another has claimed, is refused whatever it reads.
                let run = Under::granted(lease.epoch).read(&self.agent.journal, errand);
                self.becomes(index, lease.epoch, run);
                return Some(());
            }
            Run::Under(under) => under.clone(),
            Run::Over(_) => return None,
        };
        let epoch = under.epoch;
        match &*under.ask.clone() {
            Ask::Read => {
                let run = under.read(&self.agent.journal, errand);
                self.becomes(index, epoch, run);
            }
            Ask::Judge => {
                let result = match verdict {
                    Verdict::Holds => Ok(()),
                    Verdict::IsWorse => Err("worse".to_owned()),
                };
                self.becomes(index, epoch, under.answered(result, errand));
            }
            Ask::Append(_) | Ask::Apply(_) => self.arrives(model, &under, Some(index)),
        }
        Some(())
    }

    /// A mutation arrives, whether or not somebody waits for its answer.
    pub(crate) fn arrives(&mut self, model: &Windlass, under: &Under, caller: Option<usize>) {
        let admitted = match &*under.ask {
            Ask::Read | Ask::Judge => return,
            Ask::Append(events) => {
                self.agent.append(&model.rules, under.epoch, self.now, under.knows.head, events)
            }
            Ask::Apply(step) => {
                let follows = (model.rules.follows)(under.knows.head, self.agent.journal.head);
                let admitted = follows && self.agent.admits(&model.rules, under.epoch, self.now);
                if admitted {
                    // What is under way is called off, and this one waits for its end.
                    if let Some(before) = &mut self.agent.turn {
                        before.off = true;
                        self.lands(model);
                    }
                    let (epoch, step) = (under.epoch, step.clone());
                    self.agent.turn = Some(Turn { epoch, step, caller, off: false });
                }
                admitted
            }
        };
        let Some(index) = caller else {
            self.refused |= !admitted;
            return;
        };
        match (&*under.ask, admitted) {
            (_, false) => {
                self.refused = true;
                self.ends(index, under.epoch, Outcome::Refused);
            }
            (Ask::Append(_), true) => {
                let run = under.clone().appended(model.errands[index]);
                self.becomes(index, under.epoch, run);
            }
            (Ask::Apply(_) | Ask::Read | Ask::Judge, true) => {
                let mut waiting = under.clone();
                waiting.waits = true;
                self.runs[index] = Run::Under(waiting);
            }
        }
    }

    /// What is under way takes effect, and whoever waits for it hears so.
    pub(crate) fn lands(&mut self, model: &Windlass) {
        let Some((turn, result)) = self.agent.land() else { return };
        if turn.off {
            return self.breaks_off(&turn, Outcome::Refused);
        }
        if let Some(index) = turn.caller
            && let Run::Under(under) = self.runs[index].clone()
        {
            self.becomes(index, turn.epoch, under.answered(result, model.errands[index]));
        }
    }

    /// Whoever waits for this hears that it came to nothing.
    pub(crate) fn breaks_off(&mut self, turn: &Turn, outcome: Outcome) {
        if let Some(index) = turn.caller {
            self.ends(index, turn.epoch, outcome);
        }
    }
}
