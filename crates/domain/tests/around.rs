//! What stands around a rollout's steps: a migration that cannot be undone, hooks, and what is removed when.
#![expect(clippy::unwrap_used, reason = "a test may stop where its set-up does")]

use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::prelude::*;
use windlass_domain::digest::Digest;
use windlass_domain::journal::{Event, Head, History, Way};
use windlass_domain::policy::{Clocks, Hook, HookPhase, Migrate, Span, Strategy, When};
use windlass_domain::release::{Release, Sequence};
use windlass_domain::rollout::{
    Decision, End, Finished, Intent, Observation, Phase, Plan, Rollout, Standing, Step, Takeover, WayBack,
    compile, next,
};

fn hook(when: When, phase: HookPhase) -> Hook {
    let (run, env) = (vec!["bin/told".to_owned()], BTreeMap::new());
    Hook { when, phase, run, env, timeout: Span::minutes(1) }
}

fn release(sequence: u64) -> Release {
    Release::bare(Sequence(sequence), "shop", Digest::of(&sequence.to_le_bytes()))
}

/// A plan with everything around it; `reversible` says whether its migration is.
fn plan(reversible: bool) -> Plan {
    let hooks = vec![
        hook(When::Before, HookPhase::Stage),
        hook(When::Before, HookPhase::Shift),
        hook(When::After, HookPhase::Commit),
        hook(When::Before, HookPhase::Revert),
        hook(When::After, HookPhase::Revert),
    ];
    let takeover = Takeover {
        verify: true,
        migrate: Some(Migrate { up: vec!["bin/up".into()], reversible, timeout: Span::minutes(5) }),
        hooks: hooks.clone(),
        prove: true,
        ..Takeover::bare(Sequence(2), Some((Sequence(1), 1)), 1)
    };
    let strategy = Strategy::BlueGreen { bake: Span::seconds(1) };
    Plan {
        environment: "live".into(),
        intent: Intent::Deploy,
        release: release(2),
        way_back: WayBack::Anchor { revision: Sequence(1), instances: 1 },
        steps: compile(&strategy, &takeover),
        strategy,
        clocks: Clocks::default(),
        hooks: hooks.into_iter().filter(|hook| hook.phase == HookPhase::Revert).collect(),
        from: Standing::default(),
    }
}

/// What the world does next.
#[derive(Clone, Copy, Debug)]
enum World {
    Done,
    Failed,
    Aborted,
    Cancelled,
    /// Nothing ends for an hour, and another run goes on.
    Killed,
}

/// Drives a rollout as the drive loop does, and tells every event with the state before it.
fn drive(plan: Plan, mut world: impl FnMut(Option<&Step>) -> World) -> (Rollout, Vec<(Rollout, Event)>) {
    let mut now = Timestamp::UNIX_EPOCH;
    let mut rollout = Rollout::open(plan, now, "test".into());
    let mut told = Vec::new();
    let mut seen = Observation::default();
    for _ in 0..2000 {
        let events = match next(&rollout, &seen, now) {
            Decision::Record(events) => events,
            Decision::Run { step, .. } => {
                seen = Observation::default();
                match world(Some(&step)) {
                    World::Done => seen.finished = Some(Finished::Done { note: String::new() }),
                    World::Failed => seen.finished = Some(Finished::Failed { why: "no".into() }),
                    World::Aborted => seen.abort = Some("asked to".into()),
                    World::Cancelled => seen.cancelled = true,
                    World::Killed => {
                        now += std::time::Duration::from_secs(3600);
                        told.push((rollout.clone(), Event::Resumed));
                        rollout.take(&Event::Resumed, now).unwrap();
                    }
                }
                continue;
            }
            Decision::Wait(until) => {
                now = until;
                continue;
            }
            Decision::Leave { .. } => {
                seen = Observation::default();
                continue;
            }
            Decision::Finish(_) => break,
        };
        seen.finished = None;
        for event in events {
            told.push((rollout.clone(), event.clone()));
            rollout.take(&event, now).unwrap();
        }
        now += std::time::Duration::from_millis(10);
    }
    (rollout, told)
}

fn worlds() -> impl proptest::strategy::Strategy<Value = Vec<World>> {
    let world = prop_oneof![
        12 => Just(World::Done),
        1 => Just(World::Failed),
        1 => Just(World::Aborted),
        1 => Just(World::Cancelled),
        1 => Just(World::Killed),
    ];
    proptest::collection::vec(world, 1..80)
}

proptest! {
    #[test]
    fn a_migration_for_good_closes_the_way_back_when_it_begins_and_not_before(
        worlds in worlds(),
        reversible in any::<bool>(),
    ) {
        let mut worlds = worlds.into_iter();
        let (rollout, told) = drive(plan(reversible), |_| worlds.next().unwrap_or(World::Done));
        let mut has_begun = false;
        for (before, event) in &told {
            if let Event::Started { way: Way::Forward, index } = event {
                has_begun |= before.plan.steps[*index].is_for_good();
            }
            match event {
                Event::Reverting { .. } => prop_assert!(!has_begun, "it turned back after the migration had begun"),
                Event::Stuck { .. } if matches!(before.phase, Phase::Forward { .. }) => {
                    prop_assert!(has_begun, "it froze where it could go back");
                }
                _ => {}
            }
        }
        prop_assert_eq!(has_begun, rollout.has_crossed());
        prop_assert!(!(reversible && has_begun));
        prop_assert!(matches!(rollout.phase, Phase::Over(_)), "{:?}", rollout.phase);
    }

    #[test]
    fn nothing_is_removed_before_the_release_is_live_and_never_what_the_way_back_needs(worlds in worlds()) {
        let mut worlds = worlds.into_iter();
        let (_, told) = drive(plan(true), |_| worlds.next().unwrap_or(World::Done));
        for (before, event) in told {
            let Event::Started { way, index } = event else { continue };
            let step = match way {
                Way::Forward => before.plan.steps[index].clone(),
                Way::Back => before.plan.undo()[index].clone(),
            };
            if let Step::Retire { keep, .. } = step {
                prop_assert!(before.is_committed(), "garbage was collected before the commit");
                prop_assert!(keep.contains(&Sequence(1)), "the anchor is kept");
            }
        }
    }
}

#[test]
fn a_hook_that_fails_turns_back_before_the_commit_and_holds_nothing_up_after_it_or_on_the_way_back() {
    let fails = |name: &'static str| {
        move |step: Option<&Step>| match step {
            Some(Step::Hook { name: hook, .. }) if hook == name => World::Failed,
            _ => World::Done,
        }
    };
    let (rollout, _) = drive(plan(true), fails("before shift"));
    let shifted = |rollout: &Rollout| {
        rollout.done.iter().any(|one| matches!(one.step, Step::Shift { .. }) && one.way == Way::Forward)
    };
    assert!(matches!(rollout.phase, Phase::Over(End::Reverted { .. })), "{:?}", rollout.phase);
    assert!(!shifted(&rollout));

    let (rollout, _) = drive(plan(true), fails("after commit"));
    assert_eq!(rollout.phase, Phase::Over(End::Live));
    assert!(rollout.done.iter().any(|one| one.result.is_err()), "the failure is kept");

    let (rollout, _) = drive(plan(true), |step| match step {
        Some(Step::Hook { name, .. }) if name.ends_with("revert") => World::Failed,
        Some(Step::Verify { .. }) => World::Failed,
        _ => World::Done,
    });
    assert!(matches!(rollout.phase, Phase::Over(End::Reverted { .. })), "{:?}", rollout.phase);
    let failed = rollout.done.iter().filter(|one| one.result.is_err()).count();
    assert_eq!(failed, 3, "the verdict and both hooks");
}

#[test]
fn a_release_that_migrated_for_good_stands_between_an_older_one_and_its_return() {
    let mut history = History::default();
    let mut number = 0;
    let mut take = |history: &mut History, event: &Event| {
        number += 1;
        let head = Head { number, hash: Digest::of(&number.to_le_bytes()) };
        history.record(event, Timestamp::UNIX_EPOCH, "test", head).unwrap();
    };
    let mut first = plan(true);
    first.release = release(1);
    first.way_back = WayBack::Empty;
    first.steps = compile(&first.strategy, &Takeover::bare(Sequence(1), None, 1));
    for (plan, fails) in [(first, false), (plan(false), true)] {
        take(&mut history, &Event::Opened { plan: Box::new(plan.clone()) });
        let (_, told) = drive(plan, |step| match step {
            Some(Step::Verify { .. }) if fails => World::Failed,
            _ => World::Done,
        });
        for (_, event) in told {
            take(&mut history, &event);
        }
    }
    assert!(history.is_stuck());
    assert_eq!(history.migrated_past(Sequence(1)), Some(Sequence(2)), "also where it was never committed");
    assert_eq!(history.migrated_past(Sequence(2)), None);
}

#[test]
fn the_way_back_is_not_walked_where_a_migration_closes_it() {
    assert!(plan(true).walk().is_some());
    assert_eq!(plan(true).crossing(), None);
    assert!(plan(false).walk().is_none());
    let place = plan(false).crossing().unwrap();
    assert_eq!(plan(false).steps[place].to_string(), "migrate to the schema of r2, for good");
}
