//! Any plan, and any story that a run may have with it.

use proptest::prelude::*;
use windlass_domain::digest::Digest;
use windlass_domain::policy::{
    Clocks, CustomStep, Hook, HookPhase, Migrate, Percent, Span, Strategy as Takes, When,
};
use windlass_domain::release::{Release, Sequence};
use windlass_domain::rollout::{Intent, Plan, Standing, Takeover, WayBack, compile, compile_rollback};

pub(crate) fn release(sequence: u64) -> Release {
    Release::bare(Sequence(sequence), "shop", Digest::of(&sequence.to_le_bytes()))
}

/// Any time; none at all in every third case, since steps fall away with it.
fn span(most_seconds: u64) -> impl Strategy<Value = Span> {
    prop_oneof![1 => Just(0), 2 => 0..=most_seconds].prop_map(Span::seconds)
}

fn share() -> impl Strategy<Value = Percent> {
    (1_u16..10_000).prop_map(|share| Percent::new(f64::from(share) / 100.0).expect("below 100%"))
}

fn custom_step() -> impl Strategy<Value = CustomStep> {
    let change =
        (proptest::option::of(share()), proptest::option::of(1_u16..4), any::<bool>(), any::<bool>());
    (change, span(60), span(60)).prop_map(|((weight, batch, settle, verify), bake, pause)| CustomStep {
        weight,
        batch,
        settle,
        verify,
        bake,
        pause,
    })
}

pub(crate) fn strategy() -> impl Strategy<Value = Takes> {
    prop_oneof![
        (1_u16..5, span(60)).prop_map(|(batch, bake)| Takes::Rolling { batch, bake }),
        span(60).prop_map(|bake| Takes::BlueGreen { bake }),
        (proptest::collection::vec(share(), 1..5), span(60)).prop_map(|(mut steps, bake)| {
            steps.sort_by(|one, other| one.get().total_cmp(&other.get()));
            Takes::Canary { steps, bake }
        }),
        proptest::collection::vec(custom_step(), 1..6).prop_map(|mut steps| {
            let mut weights: Vec<Percent> = steps.iter().filter_map(|step| step.weight).collect();
            weights.sort_by(|one, other| one.get().total_cmp(&other.get()));
            let mut weights = weights.into_iter();
            for step in steps.iter_mut().filter(|step| step.weight.is_some()) {
                step.weight = weights.next();
            }
            Takes::Custom { steps }
        }),
    ]
}

fn hook() -> impl Strategy<Value = Hook> {
    let phases = vec![
        HookPhase::Stage,
        HookPhase::Migrate,
        HookPhase::Shift,
        HookPhase::Commit,
        HookPhase::Retire,
        HookPhase::Revert,
    ];
    (any::<bool>(), proptest::sample::select(phases), 1_u64..120).prop_map(|(before, phase, timeout)| Hook {
        when: if before { When::Before } else { When::After },
        phase,
        run: vec!["bin/tell".into()],
        env: std::collections::BTreeMap::new(),
        timeout: Span::seconds(timeout),
    })
}

pub(crate) fn takeover() -> impl Strategy<Value = Takeover> {
    let around = (any::<bool>(), any::<bool>(), any::<bool>(), proptest::collection::vec(hook(), 0..4));
    let around = (around, any::<bool>());
    let several = prop_oneof![Just(0_usize), 2_usize..5];
    (proptest::option::of(1_u16..5), 1_u16..6, several, around).prop_map(
        |(old, instances, hosts, ((verify, migrates, prove, hooks), joins))| Takeover {
            verify,
            hosts: (0..hosts).map(|number| format!("host{number}")).collect(),
            lacking: (1..hosts).filter(|_| joins).map(|number| format!("host{number}")).collect(),
            migrate: migrates.then(|| Migrate {
                up: vec!["bin/migrate".into()],
                reversible: true,
                timeout: Span::seconds(90),
            }),
            hooks,
            prove,
            ..Takeover::bare(Sequence(2), old.map(|instances| (Sequence(1), instances)), instances)
        },
    )
}

fn clocks() -> impl Strategy<Value = Clocks> {
    (1_u64..300, 1_u64..600, 1_u64..3_600).prop_map(|(step, progress, total)| Clocks {
        step: Span::seconds(step),
        progress: Span::seconds(progress),
        total: Span::seconds(total),
    })
}

/// Any plan; without a way back, one in four.
pub(crate) fn plan() -> impl Strategy<Value = Plan> {
    (strategy(), takeover(), clocks(), 0_u8..4, any::<bool>()).prop_map(
        |(strategy, takeover, clocks, way, back)| {
            let way_back = match (way, takeover.old) {
                (0, _) => WayBack::None,
                (_, Some((revision, instances))) => WayBack::Anchor { revision, instances },
                (_, None) => WayBack::Empty,
            };
            let is_rollback = back && takeover.old.is_some();
            let intent =
                if is_rollback { Intent::Rollback { reason: None, hold: true } } else { Intent::Deploy };
            let revert =
                takeover.hooks.iter().filter(|hook| hook.phase == HookPhase::Revert).cloned().collect();
            Plan {
                environment: "production".into(),
                intent,
                release: release(2),
                way_back,
                steps: if is_rollback { compile_rollback(&takeover) } else { compile(&strategy, &takeover) },
                strategy,
                clocks,
                hooks: revert,
                from: Standing::default(),
            }
        },
    )
}

/// What becomes of the next step that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It takes so many seconds, if it has so many.
    Done(u64),
    /// It never ends, and its clock ends it.
    Late,
    /// It is judged no.
    Failed,
    /// The run dies, and another one takes over after so many seconds.
    Died(u64),
}

pub(crate) fn story() -> impl Strategy<Value = Vec<Turn>> {
    let turn = prop_oneof![
        12 => (0_u64..40).prop_map(Turn::Done),
        1 => Just(Turn::Late),
        1 => Just(Turn::Failed),
        1 => (0_u64..900).prop_map(Turn::Died),
    ];
    proptest::collection::vec(turn, 0..80)
}
