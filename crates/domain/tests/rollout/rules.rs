//! What every list of steps keeps, whatever the strategy and whatever stands around it.

use jiff::Timestamp;
use proptest::prelude::*;
use windlass_domain::journal::{Event, Way};
use windlass_domain::outcome::Outcome;
use windlass_domain::policy::Strategy;
use windlass_domain::release::Sequence;
use windlass_domain::rollout::{
    Decision, End, Finished, Observation, Phase, Rollout, Step, Takeover, WayBack, Weights, compile,
    compile_rollback, next, spelled_out,
};

use crate::any;

const OLD: Sequence = Sequence(1);
const NEW: Sequence = Sequence(2);

fn place(steps: &[Step], wanted: impl Fn(&Step) -> bool) -> Option<usize> {
    steps.iter().position(wanted)
}

fn last(steps: &[Step], wanted: impl Fn(&Step) -> bool) -> Option<usize> {
    steps.iter().rposition(wanted)
}

fn is_commit(step: &Step) -> bool {
    matches!(step, Step::Commit { revision: NEW })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_shift_is_settled_before_the_commit_whatever_the_list_says(
        strategy in any::strategy(),
        takeover in any::takeover(),
    ) {
        let steps = compile(&strategy, &takeover);
        let commit = place(&steps, is_commit).expect("a commit");
        let shift = last(&steps[..commit], |step| matches!(step, Step::Shift { .. })).expect("a shift");
        let settle = last(&steps[..commit], |step| *step == Step::Settle);
        prop_assert!(settle.is_some_and(|settle| settle > shift), "{steps:?}");
        let Step::Shift { weights, .. } = &steps[shift] else { panic!("a shift") };
        prop_assert!(weights.of(NEW) == Weights::WHOLE, "{steps:?}");
    }

    #[test]
    fn nothing_is_retired_before_the_last_verdict_and_never_the_anchor(
        strategy in any::strategy(),
        takeover in any::takeover(),
    ) {
        let steps = compile(&strategy, &takeover);
        let commit = place(&steps, is_commit).expect("a commit");
        let retire = place(&steps, |step| matches!(step, Step::Retire { .. })).expect("a retire");
        let verdict = last(&steps, |step| matches!(step, Step::Verify { .. } | Step::Pause { .. }));
        prop_assert!(commit < retire && verdict.is_none_or(|verdict| verdict < commit), "{steps:?}");
        let Step::Retire { live, keep, .. } = &steps[retire] else { panic!("a retire") };
        prop_assert!(*live == NEW && keep.contains(&NEW), "{steps:?}");
        if takeover.old.is_some() {
            prop_assert!(keep.contains(&OLD), "the files of the anchor go: {steps:?}");
        }
        // Stopped before the commit is only what is brought back at once, to prove that it can be.
        let stopped = place(&steps, |step| matches!(step, Step::Withdraw { .. }));
        prop_assert!(stopped.is_none() || takeover.prove, "{steps:?}");
    }

    #[test]
    fn a_revision_is_ready_before_it_gets_requests(
        strategy in any::strategy(),
        takeover in any::takeover(),
    ) {
        let mut lists = vec![compile(&strategy, &takeover)];
        if takeover.old.is_some() {
            lists.push(compile_rollback(&takeover));
        }
        for steps in lists {
            let shift = place(&steps, |step| matches!(step, Step::Shift { .. })).expect("a shift");
            let ready = |step: &Step| matches!(step, Step::AwaitReady { revision: NEW, .. });
            prop_assert!(place(&steps, ready).is_some_and(|ready| ready < shift), "{steps:?}");
        }
    }

    #[test]
    fn a_preset_spelled_out_is_the_same_list_of_steps(
        strategy in any::strategy(),
        takeover in any::takeover(),
    ) {
        let steps = spelled_out(&strategy, takeover.instances, takeover.hosts.len());
        prop_assert_eq!(compile(&Strategy::Custom { steps }, &takeover), compile(&strategy, &takeover));
    }

    #[test]
    fn a_rollout_that_turned_back_never_ends_green(plan in any::plan(), at in 0_usize..40) {
        // Something goes wrong at some step of the way forward; whatever follows, it is not a pass.
        prop_assume!(plan.way_back != WayBack::None);
        let commit = place(&plan.steps, is_commit).expect("a commit");
        let at = at % (commit + 1);
        let now = Timestamp::UNIX_EPOCH;
        let mut rollout = Rollout::open(plan, now, "ana".into());
        let mut seen = Observation::default();
        loop {
            match next(&rollout, &seen, now) {
                Decision::Record(events) => {
                    seen.finished = None;
                    events.iter().for_each(|event| rollout.take(event, now).expect("follows"));
                }
                Decision::Run { step, .. } => {
                    let fails = matches!(rollout.phase, Phase::Forward { index, .. } if index == at);
                    let (note, why) = (String::new(), step.to_string());
                    seen.finished = Some(if fails { Finished::Failed { why } } else { Finished::Done { note } });
                }
                Decision::Wait(_) => {
                    // A pause is passed by an abort here: it cannot fail by itself.
                    seen.abort = Some("enough".into());
                }
                Decision::Finish(outcome) => {
                    prop_assert_eq!(outcome, Outcome::Failed);
                    let is_reverted = matches!(rollout.phase, Phase::Over(End::Reverted { .. }));
                    prop_assert!(is_reverted, "it does not end reverted");
                    prop_assert!(!rollout.is_committed());
                    break;
                }
                Decision::Leave { why, .. } => prop_assert!(false, "left: {}", why),
            }
        }
    }
}

#[test]
fn a_rollback_skips_shares_and_verdicts_but_never_readiness() {
    let takeover = Takeover { verify: true, ..Takeover::bare(NEW, Some((OLD, 2)), 2) };
    let words: Vec<&str> = compile_rollback(&takeover).iter().map(Step::word).collect();
    assert_eq!(words, ["stage", "await-ready", "shift", "settle", "commit", "retire"]);
}

fn plan_of(way_back: WayBack) -> windlass_domain::rollout::Plan {
    let strategy = Strategy::BlueGreen { bake: windlass_domain::policy::Span::seconds(1) };
    windlass_domain::rollout::Plan {
        environment: "production".into(),
        intent: windlass_domain::rollout::Intent::Deploy,
        release: any::release(2),
        way_back,
        steps: compile(&strategy, &Takeover::bare(NEW, Some((OLD, 2)), 2)),
        strategy,
        clocks: windlass_domain::policy::Clocks::default(),
        hooks: Vec::new(),
        from: windlass_domain::rollout::Standing::default(),
    }
}

#[test]
fn on_the_way_back_the_old_is_enabled_before_the_new_is_disabled() {
    let undo = plan_of(WayBack::Anchor { revision: OLD, instances: 2 }).undo();
    let told: Vec<String> = undo.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["stage r1 ×2", "await-ready r1 ×2", "shift r1 100%", "settle", "withdraw r2"]);
}

#[test]
fn an_abort_with_nothing_in_flight_undoes_nothing() {
    let now = Timestamp::UNIX_EPOCH;
    let mut rollout =
        Rollout::open(plan_of(WayBack::Anchor { revision: OLD, instances: 2 }), now, "ana".into());
    let seen = Observation { abort: Some("not today".into()), ..Observation::default() };
    let mut recorded = Vec::new();
    let outcome = loop {
        match next(&rollout, &seen, now) {
            Decision::Record(events) => {
                events.iter().for_each(|event| rollout.take(event, now).expect("follows"));
                recorded.extend(events);
            }
            Decision::Finish(outcome) => break outcome,
            other => panic!("something is done: {other:?}"),
        }
    };
    assert_eq!(outcome, Outcome::Failed);
    let why = "not today".to_owned();
    assert_eq!(recorded, [Event::Reverting { why: why.clone() }, Event::Reverted { why }]);
}

/// A host that joins and cannot run what is live takes no part: the others were not touched, and are not now.
#[test]
fn a_host_that_cannot_join_undoes_nothing() {
    let now = Timestamp::UNIX_EPOCH;
    let on = vec!["b".to_owned()];
    let mut plan = plan_of(WayBack::Anchor { revision: OLD, instances: 2 });
    let join = [
        Step::Stage { revision: OLD, instances: 2, on: on.clone() },
        Step::AwaitReady { revision: OLD, instances: 2, on: on.clone() },
    ];
    plan.steps.splice(0..0, join);
    assert_eq!(plan.joining(), on);
    let mut rollout = Rollout::open(plan, now, "ana".into());
    for (step, joins) in [(0, true), (1, true), (2, false)] {
        let mut failing = rollout.clone();
        let mut undone = Vec::new();
        let mut seen = Observation::default();
        loop {
            match next(&failing, &seen, now) {
                Decision::Record(events) => {
                    events.iter().for_each(|event| failing.take(event, now).expect("follows"));
                    seen = Observation::default();
                }
                Decision::Run { .. } if matches!(failing.phase, Phase::Forward { .. }) => {
                    seen.finished = Some(Finished::Failed { why: "no".into() });
                }
                Decision::Run { step, .. } => {
                    undone.push(step);
                    seen.finished = Some(Finished::Done { note: String::new() });
                }
                Decision::Finish(outcome) => break assert_eq!(outcome, Outcome::Failed),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(undone.is_empty(), joins, "step {step}: {undone:?}");
        for event in [
            Event::Started { way: Way::Forward, index: step },
            Event::Done { way: Way::Forward, index: step, note: String::new() },
        ] {
            rollout.take(&event, now).expect("follows");
        }
    }
}

#[test]
fn an_undo_that_fails_is_terminal() {
    let now = Timestamp::UNIX_EPOCH;
    let mut rollout =
        Rollout::open(plan_of(WayBack::Anchor { revision: OLD, instances: 2 }), now, "ana".into());
    let started = Event::Started { way: Way::Forward, index: 0 };
    for event in
        [started, Event::Reverting { why: "slow".into() }, Event::Started { way: Way::Back, index: 0 }]
    {
        rollout.take(&event, now).expect("follows");
    }
    let seen =
        Observation { finished: Some(Finished::Failed { why: "no space".into() }), ..Observation::default() };
    let Decision::Record(events) = next(&rollout, &seen, now) else { panic!("it is written down") };
    events.iter().for_each(|event| rollout.take(event, now).expect("follows"));
    assert!(
        matches!(&rollout.phase, Phase::Over(End::Stuck { why }) if why.contains("slow") && why.contains("no space"))
    );
    for seen in
        [Observation::default(), Observation { abort: Some("again".into()), ..Observation::default() }]
    {
        assert_eq!(next(&rollout, &seen, now), Decision::Finish(Outcome::Stuck));
    }
}

/// What is written at the end of a rollout of which every step is done at once.
fn last_record(plan: windlass_domain::rollout::Plan) -> Vec<Event> {
    let now = Timestamp::UNIX_EPOCH;
    let mut rollout = Rollout::open(plan, now, "ana".into());
    let (mut seen, mut last) = (Observation::default(), Vec::new());
    loop {
        match next(&rollout, &seen, now) {
            Decision::Record(events) => {
                events.iter().for_each(|event| rollout.take(event, now).expect("follows"));
                seen.finished = None;
                last = events;
            }
            Decision::Run { step, .. } => {
                if is_commit(&step) {
                    let committed = Event::Committed { revision: rollout.plan.release.sequence };
                    rollout.take(&committed, now).expect("follows");
                }
                seen.finished = Some(Finished::Done { note: String::new() });
            }
            Decision::Finish(Outcome::Passed) => return last,
            other => panic!("it ends well: {other:?}"),
        }
    }
}

#[test]
fn a_rollbacks_hold_is_written_with_its_end() {
    use windlass_domain::rollout::Intent;
    let back = |hold| windlass_domain::rollout::Plan {
        intent: Intent::Rollback { reason: Some("errors".into()), hold },
        steps: compile_rollback(&Takeover::bare(NEW, Some((OLD, 2)), 2)),
        ..plan_of(WayBack::Anchor { revision: OLD, instances: 2 })
    };
    let hold = Event::Hold { reason: "rolled back to r2: errors".into(), until: None };
    assert_eq!(last_record(back(true)), [hold, Event::Closed]);
    assert_eq!(last_record(back(false)), [Event::Closed]);
}
