//! The tools' side: what `deploy` and `rollback` do under the fence, one message after the other. What follows from a
//! journal is asked of the real `next`.

use std::hash::{Hash as _, Hasher};
use std::sync::Arc;

use windlass_domain::digest::Digest;
use windlass_domain::fence::Epoch;
use windlass_domain::journal::{Event, History};
use windlass_domain::outcome::Outcome;
use windlass_domain::policy::{Clocks, Span, Strategy};
use windlass_domain::release::Release;
use windlass_domain::rollout::{
    Decision, Finished, Intent, Observation, Plan, Rollout, Standing, Step, Takeover, WayBack, compile,
    compile_rollback, next,
};

use crate::agent::{Journal, NOW};

/// What a run is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Errand {
    /// Deploys this artifact.
    Deploy(u8),
    /// Goes back to what was live before.
    Rollback,
}

/// A run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Run {
    /// It has not claimed the fence yet.
    Fresh,
    /// It holds the fence, or believes so.
    Under(Under),
    /// It is over.
    Over(Outcome),
}

/// A run that was given the fence.
#[derive(Clone, Debug)]
pub(crate) struct Under {
    pub(crate) epoch: Epoch,
    pub(crate) knows: Journal,
    stage: Stage,
    /// What it has asked last, and has no answer to.
    pub(crate) ask: Arc<Ask>,
    /// What tells that from everything else that it may ask.
    key: Digest,
    /// Whether the agent has it, and makes it take effect.
    pub(crate) waits: bool,
}

/// What a run asks.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    /// The journal.
    Read,
    /// To append to the journal.
    Append(Vec<Event>),
    /// To make a step take effect.
    Apply(Step),
    /// Its own judge.
    Judge,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    Reading,
    /// With what an earlier run left open; back where `abort` says so.
    Recovering {
        abort: bool,
        resumed: bool,
    },
    /// With its own plan.
    Own,
}

impl PartialEq for Under {
    fn eq(&self, other: &Self) -> bool {
        (self.epoch, &self.knows, self.stage, self.key, self.waits)
            == (other.epoch, &other.knows, other.stage, other.key, other.waits)
    }
}

impl Eq for Under {}

impl Under {
    /// A run whose journal is the target's knows nothing else; one that is behind is refused whatever it knows.
    pub(crate) fn hash_what_matters<H: Hasher>(&self, target: &Journal, state: &mut H) {
        let is_behind = self.knows.head != target.head;
        (self.epoch, self.stage, self.key, self.waits, is_behind).hash(state);
    }

    pub(crate) fn granted(epoch: Epoch) -> Self {
        Self {
            epoch,
            knows: Journal::empty(),
            stage: Stage::Reading,
            ask: Arc::new(Ask::Read),
            key: Digest::of(b"read"),
            waits: false,
        }
    }

    /// The journal, as it is now.
    pub(crate) fn read(mut self, journal: &Journal, errand: Errand) -> Run {
        self.knows = journal.clone();
        let open = self.knows.history.open();
        let Some(open) = open else { return self.begin(errand) };
        let going_back = matches!(open.plan.intent, Intent::Rollback { .. });
        let abort = match errand {
            Errand::Deploy(artifact) => open.plan.release.artifact != digest(artifact),
            Errand::Rollback => !going_back && !open.is_committed(),
        };
        self.stage = Stage::Recovering { abort, resumed: false };
        self.asks(Ask::Append(vec![Event::Resumed]))
    }

    /// What it asked for is in the journal.
    pub(crate) fn appended(mut self, errand: Errand) -> Run {
        let Ask::Append(events) = &*self.ask else { panic!("it asked for something else") };
        self.knows.append(events, self.epoch);
        if let Stage::Recovering { resumed, .. } = &mut self.stage {
            *resumed = true;
        }
        self.think(errand, None)
    }

    /// What it asked for took effect, or was judged no.
    pub(crate) fn answered(mut self, result: Result<(), String>, errand: Errand) -> Run {
        self.waits = false;
        let finished = match result {
            Ok(()) => Finished::Done { note: String::new() },
            Err(why) => Finished::Failed { why },
        };
        self.think(errand, Some(finished))
    }

    fn asks(mut self, ask: Ask) -> Run {
        self.key = Digest::of(format!("{ask:?}").as_bytes());
        self.ask = Arc::new(ask);
        Run::Under(self)
    }

    fn think(self, errand: Errand, finished: Option<Finished>) -> Run {
        let abort = matches!(self.stage, Stage::Recovering { abort: true, .. });
        let seen = Observation {
            finished,
            cancelled: false,
            abort: abort.then(|| "another was asked for".to_owned()),
        };
        let history = Arc::clone(&self.knows.history);
        let rollout = history.rollouts.last().expect("one was opened");
        match next(rollout, &seen, NOW) {
            Decision::Record(events) => self.asks(Ask::Append(events)),
            Decision::Run { step: Step::Verify { .. }, .. } => self.asks(Ask::Judge),
            Decision::Run { step, .. } => self.asks(Ask::Apply(step)),
            Decision::Leave { outcome, .. } => Run::Over(outcome),
            Decision::Wait(_) => panic!("the model's plans have no pause"),
            Decision::Finish(outcome) => self.finish(rollout, outcome, errand),
        }
    }

    fn finish(self, rollout: &Rollout, outcome: Outcome, errand: Errand) -> Run {
        let Stage::Recovering { abort, .. } = self.stage else { return Run::Over(outcome) };
        match errand {
            Errand::Deploy(artifact) if rollout.plan.release.artifact == digest(artifact) => {
                Run::Over(outcome)
            }
            Errand::Rollback if abort && outcome == Outcome::Failed => Run::Over(Outcome::Passed),
            Errand::Rollback if matches!(rollout.plan.intent, Intent::Rollback { .. }) => Run::Over(outcome),
            _ if outcome == Outcome::Stuck => Run::Over(outcome),
            Errand::Deploy(_) | Errand::Rollback => self.begin(errand),
        }
    }

    /// Its own plan, where there is anything to do.
    fn begin(mut self, errand: Errand) -> Run {
        self.stage = Stage::Own;
        match plan(&self.knows.history, errand) {
            Some(plan) => self.asks(Ask::Append(vec![Event::Opened { plan: Box::new(plan) }])),
            None => Run::Over(Outcome::Passed),
        }
    }
}

/// What a run would open; `None` where it has nothing to do.
fn plan(history: &History, errand: Errand) -> Option<Plan> {
    let live = history.live_release().map(|release| release.sequence);
    let strategy = Strategy::BlueGreen { bake: Span::seconds(1) };
    let (release, intent) = match errand {
        Errand::Deploy(artifact) => {
            let artifact = digest(artifact);
            if history.live_release().is_some_and(|release| release.artifact == artifact) {
                return None;
            }
            (Release::bare(history.next_sequence(), "shop", artifact), Intent::Deploy)
        }
        Errand::Rollback => {
            let before = history.releases.get(&history.before_live()?)?.clone();
            (before, Intent::Rollback { reason: None, hold: false })
        }
    };
    let takeover = Takeover {
        new: release.sequence,
        old: live.map(|live| (live, 1)),
        instances: 1,
        hosts: Vec::new(),
        lacking: Vec::new(),
        verify: true,
        migrate: None,
        hooks: Vec::new(),
        prove: false,
        warm: Vec::new(),
        keep: history.keep(release.sequence, 3),
    };
    let steps = match intent {
        Intent::Deploy => compile(&strategy, &takeover),
        Intent::Rollback { .. } => compile_rollback(&takeover),
    };
    let way_back = live.map_or(WayBack::Empty, |revision| WayBack::Anchor { revision, instances: 1 });
    let environment = "production".to_owned();
    let clocks = Clocks::default();
    Some(Plan {
        environment,
        intent,
        release,
        way_back,
        strategy,
        steps,
        clocks,
        hooks: Vec::new(),
        from: Standing::default(),
    })
}

pub(crate) fn digest(artifact: u8) -> Digest {
    Digest::of(&[artifact])
}
