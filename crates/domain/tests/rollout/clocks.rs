//! The three clocks: their expiry always turns back before the commit, and never after it.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use windlass_domain::journal::Event;
use windlass_domain::outcome::Outcome;
use windlass_domain::policy::{Clocks, Span};
use windlass_domain::rollout::{
    Decision, Doing, End, Finished, Observation, Phase, Plan, Rollout, Step, WayBack, next,
};

use crate::any::{self, Turn};

/// What a run came to, and what happened on its way.
pub(crate) struct Ran {
    rollout: Rollout,
    /// Each state and the one that followed.
    pub(crate) followed: BTreeSet<(&'static str, &'static str)>,
    outcome: Outcome,
    /// A clock ended a step, or a pause, on the way forward before the commit.
    is_late: bool,
    /// A step before the commit, no hook of the way back, was judged no.
    is_refused: bool,
}

fn after(at: Timestamp, seconds: u64) -> Timestamp {
    at + SignedDuration::from_secs(i64::try_from(seconds).expect("a short time"))
}

fn is_forward(rollout: &Rollout) -> bool {
    matches!(rollout.phase, Phase::Forward { .. })
}

/// Drives a plan as the drive loop does, each step becoming what the story says, and checks on the way what must hold at
/// every moment.
pub(crate) fn run(plan: Plan, story: &[Turn]) -> Ran {
    run_with(plan, story, None)
}

/// The same, with an abort from the beginning.
pub(crate) fn run_with(plan: Plan, story: &[Turn], abort: Option<String>) -> Ran {
    let opened = Timestamp::UNIX_EPOCH;
    let total = opened + SignedDuration::try_from(plan.clocks.total.get()).expect("a short time");
    let mut now = opened;
    let mut ran = Ran {
        rollout: Rollout::open(plan, opened, "ana".into()),
        followed: BTreeSet::new(),
        outcome: Outcome::Unknown,
        is_late: false,
        is_refused: false,
    };
    let mut story = story.iter().copied();
    let mut seen = Observation { abort, ..Observation::default() };
    for _ in 0..1_000 {
        let rollout = &mut ran.rollout;
        let before_commit = is_forward(rollout) && !rollout.is_committed();
        match next(rollout, &seen, now) {
            Decision::Record(events) => {
                seen.finished = None;
                let before = rollout.word();
                for event in events {
                    let undoes = matches!(event, Event::Reverting { .. } | Event::Reverted { .. });
                    assert!(!(undoes && rollout.is_committed()), "turned back after the commit: {event:?}");
                    if matches!(event, Event::Started { .. }) && before_commit {
                        assert!(now < total, "begun after the total clock: {:?}", rollout.step());
                    }
                    rollout.take(&event, now).expect("what `next` decides can follow");
                }
                if rollout.word() != before {
                    ran.followed.insert((before, rollout.word()));
                }
            }
            Decision::Run { step, until, .. } => {
                // The intent is in the journal before the effect, always.
                let (Phase::Forward { doing, .. } | Phase::Back { doing, .. }) = rollout.phase.clone() else {
                    panic!("{step} runs when all is over");
                };
                assert!(matches!(doing, Doing::Started(_)), "{step} runs unannounced");
                assert!(!before_commit || matches!(step, Step::Commit { .. }) || until <= total, "{step}");
                seen.finished = match story.next().unwrap_or(Turn::Done(0)) {
                    Turn::Done(seconds) if after(now, seconds) < until => {
                        now = after(now, seconds);
                        Some(Finished::Done { note: String::new() })
                    }
                    Turn::Done(_) | Turn::Late => {
                        now = now.max(until);
                        ran.is_late |= before_commit;
                        Some(Finished::Failed { why: "its clock".into() })
                    }
                    Turn::Failed => {
                        ran.is_refused |= before_commit;
                        Some(Finished::Failed { why: "judged no".into() })
                    }
                    Turn::Died(seconds) => {
                        now = after(now, seconds);
                        rollout.take(&Event::Resumed, now).expect("open");
                        None
                    }
                };
            }
            Decision::Wait(until) => match story.next() {
                Some(Turn::Died(seconds)) => {
                    now = after(now, seconds);
                    rollout.take(&Event::Resumed, now).expect("open");
                }
                Some(Turn::Done(_) | Turn::Late | Turn::Failed) | None => {
                    assert!(until <= total, "a pause outlasts the total clock");
                    now = now.max(until);
                }
            },
            Decision::Finish(outcome) => {
                ran.outcome = outcome;
                return ran;
            }
            Decision::Leave { why, .. } => panic!("nobody asked it to leave: {why}"),
        }
    }
    panic!("it does not end: {:?}", ran.rollout);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn an_expired_clock_always_turns_back_before_the_commit_and_never_after(
        plan in any::plan(),
        story in any::story(),
    ) {
        let way_back = plan.way_back;
        let ran = run(plan, &story);
        let committed = ran.rollout.is_committed();
        match &ran.rollout.phase {
            Phase::Over(End::Live) => {
                prop_assert!(committed && !ran.is_late && !ran.is_refused);
                prop_assert_eq!(ran.outcome, Outcome::Passed);
            }
            Phase::Over(End::Reverted { .. }) => {
                prop_assert!(!committed && way_back != WayBack::None);
                prop_assert_eq!(ran.outcome, Outcome::Failed);
            }
            Phase::Over(End::Stuck { .. }) => {
                prop_assert!(!committed);
                prop_assert_eq!(ran.outcome, Outcome::Stuck);
            }
            open => prop_assert!(false, "left open: {open:?}"),
        }
    }

    #[test]
    fn a_plan_is_live_within_the_longest_time_that_it_names(plan in any::plan(), story in any::story()) {
        let within = Span::seconds(40);
        let longest = plan.longest(within);
        prop_assert!(longest.forward <= plan.clocks.total);
        // A verdict is there within its time, and a run that dies is no part of a plan.
        let story: Vec<Turn> = story.into_iter().filter(|turn| matches!(turn, Turn::Done(_))).collect();
        let ran = run(plan, &story);
        let commit = ran.rollout.done.iter().find(|one| matches!(one.step, Step::Commit { .. }) && one.result.is_ok());
        if let Some(commit) = commit {
            // The commit itself is not cut, once begun.
            let took = commit.began.duration_since(ran.rollout.opened);
            let longest = SignedDuration::try_from(longest.forward.get()).expect("a short time");
            prop_assert!(took <= longest, "{took:?} of {longest:?}");
        }
    }
}

const CLOCKS: Clocks =
    Clocks { step: Span::seconds(10), progress: Span::seconds(30), total: Span::seconds(100) };

fn plan(clocks: Clocks) -> Plan {
    use windlass_domain::policy::Strategy;
    use windlass_domain::release::Sequence;
    use windlass_domain::rollout::{Intent, Standing, Takeover, compile};
    let takeover = Takeover { verify: true, ..Takeover::bare(Sequence(2), Some((Sequence(1), 1)), 1) };
    let strategy = Strategy::BlueGreen { bake: Span::seconds(60) };
    Plan {
        environment: "production".into(),
        intent: Intent::Deploy,
        release: any::release(2),
        way_back: WayBack::Anchor { revision: Sequence(1), instances: 1 },
        steps: compile(&strategy, &takeover),
        strategy,
        clocks,
        hooks: Vec::new(),
        from: Standing::default(),
    }
}

/// The rollout whose first `ended` steps took five seconds each, and which has just begun the next.
fn begun(clocks: Clocks, ended: usize) -> (Rollout, Timestamp) {
    let mut now = Timestamp::UNIX_EPOCH;
    let mut rollout = Rollout::open(plan(clocks), now, "ana".into());
    let mut seen = Observation::default();
    for _ in 0..=ended * 3 {
        match next(&rollout, &seen, now) {
            Decision::Record(events) => {
                seen.finished = None;
                events.iter().for_each(|event| rollout.take(event, now).expect("follows"));
            }
            Decision::Run { .. } => {
                now = after(now, 5);
                seen.finished = Some(Finished::Done { note: String::new() });
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(rollout.done.len(), ended, "{rollout:?}");
    (rollout, now)
}

fn asked(rollout: &Rollout, now: Timestamp) -> (String, i64, String) {
    match next(rollout, &Observation::default(), now) {
        Decision::Run { step, until, clock } => {
            (step.word().to_owned(), until.duration_since(now).as_secs(), clock)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_step_has_the_time_of_the_clock_that_runs_out_first() {
    let cases = [
        (CLOCKS, 2, ("shift", 10, "the step clock of 10s")),
        (Clocks { progress: Span::seconds(4), ..CLOCKS }, 2, ("shift", 4, "the progress clock of 4s")),
        // Waiting for a verdict is no lack of progress, and takes as long as all together may.
        (Clocks { progress: Span::seconds(4), ..CLOCKS }, 4, ("verify", 80, "the total clock of 1m40s")),
        (Clocks { total: Span::seconds(12), ..CLOCKS }, 2, ("shift", 2, "the total clock of 12s")),
        // The commit is not cut by the total clock: what is half written is the worst of all.
        (Clocks { total: Span::seconds(26), ..CLOCKS }, 5, ("commit", 10, "the step clock of 10s")),
    ];
    for (clocks, ended, (word, seconds, clock)) in cases {
        let (rollout, now) = begun(clocks, ended);
        assert_eq!(asked(&rollout, now), (word.to_owned(), seconds, clock.to_owned()));
    }
}

#[test]
fn another_run_that_takes_over_has_the_whole_of_step_and_progress_clock_but_not_of_the_total() {
    let (mut rollout, now) = begun(CLOCKS, 2);
    let later = after(now, 50);
    rollout.take(&Event::Resumed, later).expect("open");
    assert_eq!(asked(&rollout, later), ("shift".to_owned(), 10, "the step clock of 10s".to_owned()));
    let too_late = after(now, 85);
    rollout.take(&Event::Resumed, too_late).expect("open");
    assert_eq!(asked(&rollout, too_late).1, 5, "the total clock goes on while nobody runs");
}
