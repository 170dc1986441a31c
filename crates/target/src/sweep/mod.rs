//! The sweep: every strategy, and at every mutation, before and after its effect, the run dies, or the agent, or the disk
//! is full; then it is resumed by one further run.
//!
//! Afterwards the environment is the old or the new, or the outcome is stuck; and at no moment in between had a
//! revision without an instance any weight.

mod faults;
mod hosts;
pub(crate) mod world;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::watch;
use windlass_domain::fence::{Owner, Refusal};
use windlass_domain::journal::Event;
use windlass_domain::outcome::Outcome;
use windlass_domain::policy::{CustomStep, Hook, HookPhase, Migrate, Percent, Span, Strategy, When};
use windlass_domain::release::Sequence;
use windlass_domain::rollout::{Plan, Step, Takeover, WayBack, Weights, compile};

use self::world::{Fate, Moment, NOBODY, World};
use crate::conformance::plans::{self, Says, says};
use crate::drive::{Driven, News, resume, start};
use crate::driver::{Driver, DriverError};
use crate::fenced::Fenced;
use crate::judge::Judged;

fn good() -> Says {
    says(true)
}

fn bad() -> Says {
    says(false)
}

fn strategies() -> Vec<Strategy> {
    let step = |weight: Option<f64>, batch, settle| CustomStep {
        weight: weight.map(|share| Percent::new(share).expect("a share")),
        batch,
        settle,
        verify: settle,
        bake: Span::millis(0),
        pause: Span::millis(1),
    };
    let steps =
        vec![step(Some(10.0), None, false), step(None, Some(1), true), step(Some(100.0), None, false)];
    plans::strategies(true).into_iter().chain([Strategy::Custom { steps }]).collect()
}

/// What befalls a run at one of its mutations.
type Blow = fn(usize, Moment) -> Fate;

const BLOWS: [(&str, Blow); 3] = [
    ("the run dies", |at, moment| Fate { death: Some((at, moment)), ..Fate::default() }),
    ("the agent dies", |at, moment| Fate { agent_death: Some((at, moment)), ..Fate::default() }),
    ("the disk is full", |at, moment| Fate { full: Some((at, moment)), ..Fate::default() }),
];

fn canary() -> Strategy {
    plans::strategies(true).pop().expect("there are some")
}

fn blue_green() -> Strategy {
    Strategy::BlueGreen { bake: Span::seconds(1) }
}

fn deploy(strategy: &Strategy, new: u64, old: Option<u64>) -> Plan {
    plans::deploy(strategy, new, old, 2)
}

/// A deploy with everything around it: hooks at each phase, a migration, and the way back walked.
fn around(new: u64, old: Option<u64>) -> Plan {
    let phases = [
        HookPhase::Stage,
        HookPhase::Migrate,
        HookPhase::Shift,
        HookPhase::Commit,
        HookPhase::Retire,
        HookPhase::Revert,
    ];
    let hook = |when: When| {
        move |phase: HookPhase| Hook {
            when,
            phase,
            run: vec!["bin/told".into()],
            env: BTreeMap::new(),
            timeout: Span::minutes(1),
        }
    };
    let hooks: Vec<Hook> =
        phases.into_iter().flat_map(|phase| [hook(When::Before)(phase), hook(When::After)(phase)]).collect();
    let migrate = Migrate { up: vec!["bin/migrate".into()], reversible: true, timeout: Span::minutes(5) };
    let strategy = Strategy::BlueGreen { bake: Span::seconds(1) };
    let takeover = Takeover {
        verify: true,
        migrate: Some(migrate),
        hooks: hooks.clone(),
        prove: true,
        ..Takeover::bare(Sequence(new), old.map(|old| (Sequence(old), 2)), 2)
    };
    Plan {
        steps: compile(&strategy, &takeover),
        hooks: hooks.into_iter().filter(|hook| hook.phase == HookPhase::Revert).collect(),
        ..deploy(&strategy, new, old)
    }
}

fn rollback(new: u64, old: u64) -> Plan {
    plans::rollback(new, old, 2)
}

async fn fenced(world: &World, run: &str) -> Result<Fenced, DriverError> {
    let owner = Owner { run: run.into(), who: run.into() };
    Fenced::claim(Arc::new(world.clone()), owner).await
}

/// One run: resumes what is open, else starts `plan` where there is one.
async fn run(world: &World, plan: Option<&Plan>, judge: &Says) -> Result<Option<Driven>, DriverError> {
    let mut fenced = fenced(world, &format!("run {}", world.state.lock().unwrap().fence.epoch.0)).await?;
    let (_keep, stop) = watch::channel(false);
    let tell = |_: News| {};
    if fenced.history.open().is_some() {
        return resume(&mut fenced, judge, stop, None, &tell).await.map(Some);
    }
    let live = fenced.history.live().map(|commit| commit.revision);
    match plan {
        // As the tools do: what is live already is not deployed again.
        Some(plan) if live == Some(plan.release.sequence) => {
            Ok(Some(Driven { outcome: Outcome::Passed, why: None }))
        }
        Some(plan) => start(&mut fenced, plan.clone(), judge, stop, &tell).await.map(Some),
        None => Ok(None),
    }
}

/// A world in which release 1 is live.
async fn world_with_one() -> World {
    let world = World::new();
    let first = deploy(&Strategy::BlueGreen { bake: Span::millis(0) }, 1, None);
    let driven = run(&world, Some(&first), &good()).await.expect("a new world").expect("a plan was given");
    assert_eq!(driven.outcome, Outcome::Passed);
    world
}

/// The environment is the old or the new, or stuck; nothing in between, and never was.
fn check_world(world: &World, outcome: Outcome, case: &str) {
    let state = world.state.lock().unwrap();
    assert_eq!(state.broken, Vec::<String>::new(), "{case}");
    let history = windlass_domain::journal::History::replay(&state.journal).expect("replays");
    assert!(history.open().is_none(), "{case}: a rollout is still open");
    if outcome == Outcome::Stuck {
        return;
    }
    let live = history.live().map(|commit| commit.revision);
    assert_eq!(state.weights, live.map_or_else(Weights::none, Weights::all), "{case}");
    let running: Vec<Sequence> = state.running.keys().copied().collect();
    assert_eq!(running, live.into_iter().collect::<Vec<_>>(), "{case}: what else runs?");
}

#[tokio::test(start_paused = true)]
async fn every_kill_at_every_mutation_converges_in_one_further_run() {
    let mut plans: Vec<(Plan, bool)> = Vec::new();
    for holds in [true, false] {
        for strategy in strategies() {
            plans.push((deploy(&strategy, 2, Some(1)), holds));
            plans.push((deploy(&strategy, 1, None), holds));
        }
        plans.push((around(2, Some(1)), holds));
        plans.push((around(1, None), holds));
    }
    for (number, (name, blow)) in BLOWS.into_iter().enumerate() {
        let mut blows = 0;
        let seconds: &[_] = if number == 0 { &[None, Some(0), Some(3), Some(7)] } else { &[None] };
        for (plan, holds) in &plans {
            for second in seconds {
                for mutation in 0.. {
                    let mut fell = 0;
                    for moment in [Moment::Before, Moment::After] {
                        let case = format!(
                            "{name} at {mutation} {moment:?} of {:?} holds={holds} then {second:?}",
                            plan.strategy
                        );
                        let second = second.map(|second| blow(second, moment));
                        fell += converges((plan, *holds), blow(mutation, moment), second, &case).await;
                    }
                    if fell == 0 {
                        break;
                    }
                    blows += fell;
                }
            }
        }
        assert!(blows >= 1000, "{name}: only {blows} times");
    }
}

/// Has a run meet its fate, and perhaps the next, and checks that one further run converges. Returns how often one fell:
/// where the fate comes after the last mutation, none does.
async fn converges((plan, holds): (&Plan, bool), fate: Fate, second: Option<Fate>, case: &str) -> usize {
    let base = match plan.way_back {
        WayBack::Anchor { .. } => world_with_one().await,
        WayBack::Empty | WayBack::None => World::new(),
    };
    let judge = if holds { good() } else { bad() };
    let struck = base.again(fate);
    match run(&struck, Some(plan), &judge).await {
        Err(DriverError::Unreachable { .. }) => {}
        Ok(driven) => {
            check_world(&struck, driven.expect("a plan was given").outcome, case);
            return 0;
        }
        Err(other) => panic!("{case}: {other}"),
    }
    let mut fell = 1;
    let mut next = struck.again(Fate::default());
    if let Some(second) = second {
        let struck = next.again(second);
        fell += usize::from(run(&struck, Some(plan), &judge).await.is_err());
        next = struck.again(Fate::default());
    }
    let again = run(&next, Some(plan), &judge).await.unwrap_or_else(|error| panic!("{case}: {error}"));
    let outcome = again.expect("open, or started anew").outcome;
    assert_eq!(outcome, if holds { Outcome::Passed } else { Outcome::Failed }, "{case}");
    check_world(&next, outcome, case);
    fell
}

#[tokio::test(start_paused = true)]
async fn a_rollback_killed_anywhere_converges() {
    for (name, blow) in BLOWS {
        for mutation in 0.. {
            let mut fell = false;
            for moment in [Moment::Before, Moment::After] {
                let world = world_with_one().await;
                let second = deploy(&Strategy::BlueGreen { bake: Span::millis(0) }, 2, Some(1));
                run(&world.again(Fate::default()), Some(&second), &good()).await.expect("second");
                let struck = world.again(blow(mutation, moment));
                let plan = rollback(1, 2);
                let case = format!("rollback: {name} at {mutation} {moment:?}");
                let Err(_) = run(&struck, Some(&plan), &good()).await else { continue };
                fell = true;
                let next = struck.again(Fate::default());
                let driven = run(&next, Some(&plan), &good()).await.expect("resumes").expect("open or new");
                assert_eq!(driven.outcome, Outcome::Passed, "{case}");
                check_world(&next, driven.outcome, &case);
            }
            if !fell {
                break;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_step_applied_twice_is_the_same_as_once() {
    for strategy in strategies() {
        let base = world_with_one().await;
        let twice = TwiceWorld(base.again(Fate::default()));
        let mut fenced =
            Fenced::claim(Arc::new(twice.clone()), Owner { run: "twice".into(), who: "twice".into() })
                .await
                .expect("free");
        let (_keep, stop) = watch::channel(false);
        let driven =
            start(&mut fenced, deploy(&strategy, 2, Some(1)), &good(), stop, &|_| {}).await.expect("drives");
        assert_eq!(driven.outcome, Outcome::Passed);
        check_world(&twice.0, driven.outcome, "twice");
    }
}

/// Applies every step twice.
#[derive(Clone)]
struct TwiceWorld(World);

#[async_trait]
impl Driver for TwiceWorld {
    fn capabilities(&self) -> crate::driver::Capabilities {
        self.0.capabilities()
    }
    fn place(&self) -> String {
        self.0.place()
    }
    fn supply(&self, revision: Sequence, package: crate::driver::Package) {
        self.0.supply(revision, package);
    }
    async fn observe(&self) -> Result<crate::driver::Seen, DriverError> {
        self.0.observe().await
    }
    async fn claim(&self, owner: &Owner, ttl: Span) -> Result<windlass_domain::fence::Lease, DriverError> {
        self.0.claim(owner, ttl).await
    }
    async fn release(&self, lease: &windlass_domain::fence::Lease) -> Result<(), DriverError> {
        self.0.release(lease).await
    }
    async fn apply(&self, lease: &windlass_domain::fence::Lease, step: &Step) -> Result<String, DriverError> {
        self.0.apply(lease, step).await?;
        self.0.apply(lease, step).await
    }
    async fn read(&self) -> Result<Vec<windlass_domain::journal::Entry>, DriverError> {
        self.0.read().await
    }
    async fn append(
        &self,
        lease: &windlass_domain::fence::Lease,
        after: windlass_domain::journal::Head,
        by: &str,
        events: Vec<Event>,
    ) -> Result<windlass_domain::journal::Head, DriverError> {
        self.0.append(lease, after, by, events).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_release_that_never_gets_ready_is_put_back() {
    let world = world_with_one().await.again(Fate { never_ready: vec![Sequence(2)], ..Fate::default() });
    for strategy in strategies() {
        let driven =
            run(&world, Some(&deploy(&strategy, 2, Some(1))), &good()).await.expect("drives").expect("plan");
        assert_eq!(driven.outcome, Outcome::Failed);
        check_world(&world, driven.outcome, "never ready");
        let state = world.state.lock().unwrap();
        state.journal.last().expect("an entry");
        drop(state);
        // The next strategy starts from the same world, with the release's number taken: that is allowed here.
        let epoch = world.state.lock().unwrap().fence.epoch;
        world.state.lock().unwrap().fence.release(epoch);
    }
}

#[tokio::test(start_paused = true)]
async fn an_old_that_is_not_well_gets_no_request_back() {
    let world = world_with_one().await;
    world.state.lock().unwrap().running.remove(&Sequence(1));
    world.state.lock().unwrap().weights = Weights::none();
    let world = world.again(Fate { never_ready: vec![Sequence(1)], ..Fate::default() });
    let blue_green = Strategy::BlueGreen { bake: Span::seconds(1) };
    let driven =
        run(&world, Some(&deploy(&blue_green, 2, Some(1))), &bad()).await.expect("drives").expect("plan");
    assert_eq!(driven.outcome, Outcome::Stuck);
    let state = world.state.lock().unwrap();
    assert_eq!(state.weights, Weights::all(Sequence(2)), "traffic stays on the only copy that answers");
}

#[tokio::test(start_paused = true)]
async fn without_a_way_back_a_failure_freezes() {
    let world = world_with_one().await.again(Fate::default());
    let mut plan = deploy(&Strategy::BlueGreen { bake: Span::seconds(1) }, 2, Some(1));
    plan.way_back = WayBack::None;
    let driven = run(&world, Some(&plan), &bad()).await.expect("drives").expect("plan");
    assert_eq!(driven.outcome, Outcome::Stuck);
    let state = world.state.lock().unwrap();
    let history = windlass_domain::journal::History::replay(&state.journal).expect("replays");
    assert!(
        history.held(Timestamp::UNIX_EPOCH).is_some(),
        "nothing else may enter before a human has looked"
    );
    assert_eq!(state.weights, Weights::all(Sequence(2)));
}

#[tokio::test(start_paused = true)]
async fn a_held_verdict_leaves_the_rollout_open_and_the_next_run_goes_on() {
    let world = world_with_one().await.again(Fate::default());
    let plan = deploy(&canary(), 2, Some(1));
    let held = Says(Judged::Held { why: "too few requests".into() });
    let driven = run(&world, Some(&plan), &held).await.expect("drives").expect("plan");
    assert_eq!(driven.outcome, Outcome::Held);
    let next = world.again(Fate::default());
    let driven = run(&next, None, &good()).await.expect("drives").expect("open");
    assert_eq!(driven.outcome, Outcome::Passed);
    check_world(&next, driven.outcome, "held");
}

#[tokio::test(start_paused = true)]
async fn a_stale_run_changes_nothing() {
    let world = world_with_one().await.again(Fate::default());
    let mut stale = fenced(&world, "stale").await.expect("free");
    // Its lease is taken from it while it sleeps.
    let world = world.again(Fate::default());
    let _newer = fenced(&world, "newer").await.expect("free again");
    let before = world.state.lock().unwrap().journal.len();
    let (_keep, stop) = watch::channel(false);
    let plan = deploy(&blue_green(), 2, Some(1));
    let refused = start(&mut stale, plan, &good(), stop, &|_| {}).await;
    assert!(matches!(refused, Err(DriverError::Fence(Refusal::Stale { .. }))), "{refused:?}");
    assert_eq!(world.state.lock().unwrap().journal.len(), before);
    assert_ne!(world.state.lock().unwrap().fence.epoch, NOBODY);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_told_to_stop_leaves_at_a_safe_point() {
    let world = world_with_one().await.again(Fate::default());
    let (tell_stop, stop) = watch::channel(false);
    let stopper = Mutex::new(Some(tell_stop));
    let stop_at_shift = |news: News| {
        if let News::Begins { step: Step::Shift { .. }, .. } = news
            && let Some(sender) = stopper.lock().unwrap().as_ref()
        {
            sender.send_replace(true);
        }
    };
    let mut run_fenced = fenced(&world, "stopped").await.expect("free");
    let plan = deploy(&canary(), 2, Some(1));
    let driven = start(&mut run_fenced, plan, &good(), stop, &stop_at_shift).await.expect("leaves");
    assert_eq!(driven.outcome, Outcome::Unknown);
    drop(run_fenced);
    let next = world.again(Fate::default());
    let driven = run(&next, None, &good()).await.expect("drives").expect("open");
    assert_eq!(driven.outcome, Outcome::Passed);
    check_world(&next, driven.outcome, "stopped");
}
