//! What follows: one pure function from state, observation and time to a decision.

use jiff::Timestamp;

use super::plan::WayBack;
use super::state::{Doing, End, Phase, Rollout};
use super::step::Step;
use crate::journal::{Event, Way};
use crate::outcome::Outcome;
use crate::policy::Span;

/// What the run has seen since the last decision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observation {
    /// The result of the step that the last decision asked to run.
    pub finished: Option<Finished>,
    /// Somebody wants the run to stop: it leaves at the next safe point, and a later run goes on.
    pub cancelled: bool,
    /// Somebody wants the rollout to turn back, and says why.
    pub abort: Option<String>,
}

/// How a step that was run came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finished {
    /// It is in effect.
    Done {
        /// What it says of itself.
        note: String,
    },
    /// It was judged no.
    Failed {
        /// Why.
        why: String,
    },
    /// It could not be judged in its time, and someone must decide.
    Held {
        /// Why.
        why: String,
    },
}

/// What follows.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// Write these events to the journal, all or none, then ask again.
    Record(Vec<Event>),
    /// Run this step, and have its result until then; a step that takes longer has failed.
    Run {
        /// The step.
        step: Step,
        /// When its time is over.
        until: Timestamp,
        /// Which clock says so: `the step clock of 5m`.
        clock: String,
    },
    /// Ask again then.
    Wait(Timestamp),
    /// Leave the rollout open for a later run.
    Leave {
        /// How this run ends.
        outcome: Outcome,
        /// Why.
        why: String,
    },
    /// The rollout is over.
    Finish(Outcome),
}

/// What follows from the state, what was seen, and the time.
#[must_use]
pub fn next(rollout: &Rollout, seen: &Observation, now: Timestamp) -> Decision {
    match &rollout.phase {
        Phase::Over(End::Live) => Decision::Finish(Outcome::Passed),
        Phase::Over(End::Reverted { .. }) => Decision::Finish(Outcome::Failed),
        Phase::Over(End::Stuck { .. }) => Decision::Finish(Outcome::Stuck),
        Phase::Forward { index, doing } => forward(rollout, *index, *doing, seen, now),
        Phase::Back { index, doing, why } => back(rollout, *index, *doing, why, seen),
    }
}

/// The end of the way forward. A rollback's hold is written with it, so that no death comes between the two and lets the
/// next push undo it.
fn closing(rollout: &Rollout) -> Vec<Event> {
    let hold = rollout.plan.hold().map(|reason| Event::Hold { reason, until: None });
    hold.into_iter().chain([Event::Closed]).collect()
}

fn forward(rollout: &Rollout, index: usize, doing: Doing, seen: &Observation, now: Timestamp) -> Decision {
    let way = Way::Forward;
    let Some(step) = rollout.plan.steps.get(index) else {
        return Decision::Record(closing(rollout));
    };
    let Doing::Started(since) = doing else {
        if let Some(why) = &seen.abort
            && !rollout.is_committed()
        {
            return Decision::Record(turn_back(rollout, Vec::new(), why));
        }
        if seen.cancelled {
            return leave();
        }
        if let Some(clock) = expired(rollout, step, now)
            && !rollout.is_committed()
        {
            return Decision::Record(turn_back(rollout, Vec::new(), &clock));
        }
        return Decision::Record(vec![Event::Started { way, index }]);
    };
    if let Step::Pause { span } = step {
        return pause(rollout, index, later(since, *span), *span, seen, now);
    }
    match &seen.finished {
        None if seen.abort.is_some() && !rollout.is_committed() => {
            Decision::Record(turn_back(rollout, Vec::new(), seen.abort.as_deref().unwrap_or_default()))
        }
        None if seen.cancelled => leave(),
        None => {
            let (until, clock) = deadline(rollout, step, since);
            Decision::Run { step: step.clone(), until, clock }
        }
        Some(Finished::Done { note }) => {
            let mut events = vec![Event::Done { way, index, note: note.clone() }];
            if let Step::Commit { revision } = step {
                events.push(Event::Committed { revision: *revision });
            }
            Decision::Record(events)
        }
        Some(Finished::Held { why }) => Decision::Leave { outcome: Outcome::Held, why: why.clone() },
        Some(Finished::Failed { why }) => {
            let failed = Event::Failed { way, index, why: why.clone() };
            if rollout.is_committed() {
                // The release is live; what could not be cleaned up is the next run's.
                Decision::Record(vec![failed])
            } else {
                Decision::Record(turn_back(rollout, vec![failed], why))
            }
        }
    }
}

/// A pause ends by itself, by an abort, or by the total clock.
fn pause(
    rollout: &Rollout,
    index: usize,
    until: Timestamp,
    span: Span,
    seen: &Observation,
    now: Timestamp,
) -> Decision {
    let way = Way::Forward;
    if let Some(why) = &seen.abort {
        return Decision::Record(turn_back(rollout, Vec::new(), why));
    }
    if now >= until {
        return Decision::Record(vec![Event::Done { way, index, note: format!("paused for {span}") }]);
    }
    let total = later(rollout.opened, rollout.plan.clocks.total);
    if now >= total {
        let why = out_of_total(rollout);
        return Decision::Record(turn_back(rollout, Vec::new(), &why));
    }
    if seen.cancelled { leave() } else { Decision::Wait(until.min(total)) }
}

fn back(rollout: &Rollout, index: usize, doing: Doing, why: &str, seen: &Observation) -> Decision {
    let way = Way::Back;
    let undo = rollout.plan.undo();
    let Some(step) = undo.get(index) else {
        return Decision::Record(vec![Event::Reverted { why: why.to_owned() }]);
    };
    let Doing::Started(since) = doing else {
        if seen.cancelled {
            return leave();
        }
        return Decision::Record(vec![Event::Started { way, index }]);
    };
    match &seen.finished {
        None if seen.cancelled => leave(),
        // The way back has no total clock: it may not be given up half-way.
        None => {
            let (span, clock) = own_time(rollout, step);
            Decision::Run { step: step.clone(), until: later(since, span), clock }
        }
        Some(Finished::Done { note }) => {
            Decision::Record(vec![Event::Done { way, index, note: note.clone() }])
        }
        // A hook is the author's own business: it never stands between an environment and its way back.
        Some(Finished::Failed { why } | Finished::Held { why }) if matches!(step, Step::Hook { .. }) => {
            Decision::Record(vec![Event::Failed { way, index, why: why.clone() }])
        }
        Some(Finished::Failed { why: cause } | Finished::Held { why: cause }) => Decision::Record(vec![
            Event::Failed { way, index, why: cause.clone() },
            Event::Stuck { why: format!("{why}; and the way back stopped at `{step}`: {cause}") },
        ]),
    }
}

fn turn_back(rollout: &Rollout, mut events: Vec<Event>, why: &str) -> Vec<Event> {
    match rollout.way_back() {
        WayBack::Anchor { .. } | WayBack::Empty => events.push(Event::Reverting { why: why.to_owned() }),
        WayBack::None => {
            let cause = if rollout.has_crossed() {
                "the data was migrated and cannot be migrated back"
            } else {
                "--no-way-back"
            };
            let why = format!("{why}; there is no way back ({cause}), so everything stays as it is");
            events.push(Event::Hold { reason: why.clone(), until: None });
            events.push(Event::Stuck { why });
        }
    }
    events
}

fn leave() -> Decision {
    Decision::Leave {
        outcome: Outcome::Unknown,
        why: "interrupted; the next run finishes or reverts what is open".to_owned(),
    }
}

/// Which clock has run out before this step, if any. Bakes, pauses and what brings its own time are no lack of progress.
fn expired(rollout: &Rollout, step: &Step, now: Timestamp) -> Option<String> {
    let clocks = &rollout.plan.clocks;
    if now >= later(rollout.opened, clocks.total) {
        return Some(out_of_total(rollout));
    }
    (!waits(step) && now >= later(rollout.progressed, clocks.progress))
        .then(|| format!("nothing ended within the progress clock of {}", clocks.progress))
}

fn out_of_total(rollout: &Rollout) -> String {
    format!("the rollout took longer than the total clock of {}", rollout.plan.clocks.total)
}

const fn waits(step: &Step) -> bool {
    matches!(step, Step::Verify { .. } | Step::Pause { .. } | Step::Migrate { .. } | Step::Hook { .. })
}

/// When the time of a step on the way forward is over, and which clock says so: the first that runs out.
fn deadline(rollout: &Rollout, step: &Step, since: Timestamp) -> (Timestamp, String) {
    let clocks = &rollout.plan.clocks;
    let (own, name) = own_time(rollout, step);
    let mut times = Vec::new();
    if !matches!(step, Step::Verify { .. } | Step::Pause { .. }) {
        times.push((later(since, own), name));
    }
    // What is after the commit may not be cut by the other two: the release is live whatever they say.
    if !rollout.is_committed() && !matches!(step, Step::Commit { .. }) {
        if !waits(step) {
            let progress = format!("the progress clock of {}", clocks.progress);
            times.push((later(rollout.progressed, clocks.progress), progress));
        }
        times.push((later(rollout.opened, clocks.total), format!("the total clock of {}", clocks.total)));
    }
    times
        .into_iter()
        .min_by_key(|(until, _)| *until)
        .expect("a step has its own time or is before the commit")
}

/// The time of a step alone, and its name: what it brings with it, or the step clock.
fn own_time(rollout: &Rollout, step: &Step) -> (Span, String) {
    match step {
        Step::Migrate { timeout, .. } | Step::Hook { timeout, .. } => {
            (*timeout, format!("its timeout of {timeout}"))
        }
        Step::Stage { .. }
        | Step::AwaitReady { .. }
        | Step::Shift { .. }
        | Step::Settle
        | Step::Verify { .. }
        | Step::Pause { .. }
        | Step::Commit { .. }
        | Step::Retire { .. }
        | Step::Withdraw { .. } => {
            let step = rollout.plan.clocks.step;
            (step, format!("the step clock of {step}"))
        }
    }
}

fn later(from: Timestamp, span: Span) -> Timestamp {
    from.checked_add(span.get()).unwrap_or(Timestamp::MAX)
}
