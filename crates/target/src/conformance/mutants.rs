//! The suite against drivers that are broken on purpose: each breaks one promise, and the check meant for it says so.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use windlass_domain::digest::Digest;
use windlass_domain::fence::{Epoch, Lease, Owner};
use windlass_domain::journal::{Entry, Event, Head};
use windlass_domain::policy::Span;
use windlass_domain::release::Sequence;
use windlass_domain::rollout::{Step, Weights};

use super::{Bench, Extent, Held, run};
use crate::driver::{Capabilities, Driver, DriverError, Package, Seen};
use crate::sweep::world::{Fate, World};

/// What is wrong with a driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Nothing,
    /// Applies steps under any epoch.
    IgnoresEpochOfSteps,
    /// Appends under any epoch.
    IgnoresEpochOfAppends,
    /// Gives the fence to whoever asks.
    GivesToAll,
    /// Reads the fence, thinks, and writes it: no compare-and-swap.
    ThinksBetween,
    /// Gives a new epoch at each renewal.
    RenewsAnew,
    /// Begins with the same epoch after each release.
    ForgetsEpoch,
    /// Lets anybody give the fence back.
    AnybodyReleases,
    /// Lets leases last for ever.
    NeverExpires,
    /// Loses what was appended second.
    LosesAppends,
    /// Keeps the first of several entries.
    KeepsTheFirst,
    /// Appends after any head.
    AnyHead,
    /// Reads the journal, thinks, and writes it.
    ThinksBeforeAppending,
    /// Cuts texts at a line break.
    CutsLines,
    /// Adds weights to those in effect.
    AddsWeights,
    /// Knows only whole revisions, and says that it knows shares.
    Rounds,
    /// Lets a shift take effect later, and settles at once.
    SettlesAtOnce,
    /// Sends requests to what was just staged.
    ServesTheStaged,
    /// Says that everything is ready and staged.
    SaysReady,
    /// Removes all but the live one.
    RetiresAnchor,
    /// Retires the live one.
    RetiresLive,
    /// Removes nothing.
    KeepsAll,
    /// Removes the files of what is withdrawn.
    WithdrawsFiles,
    /// Fails at a step that was done already.
    NotTwice,
    /// Flips what the commit names.
    CommitStops,
    /// Retires in every environment at once.
    NotApart,
    /// Stages once and never again.
    ForgetsToRaise,
    /// Stops what is to stay warm.
    Cools,
    /// Runs a migration whenever it is asked for.
    MigratesAgain,
    /// Does for all what is asked for one host.
    TakesOneForAll,
}

#[derive(Clone)]
struct Mutant {
    world: World,
    fault: Fault,
    neighbours: Arc<Mutex<Vec<World>>>,
    appends: Arc<AtomicUsize>,
    applied: Arc<Mutex<Vec<Step>>>,
}

impl Mutant {
    /// The lease in force, whoever holds it.
    fn any_lease(&self, lease: &Lease) -> Lease {
        self.world.state.lock().unwrap().fence.lease.clone().unwrap_or_else(|| lease.clone())
    }

    fn head(&self) -> Head {
        self.world.state.lock().unwrap().journal.last().map_or(Head::EMPTY, Entry::head)
    }
}

#[async_trait]
impl Driver for Mutant {
    fn capabilities(&self) -> Capabilities {
        self.world.capabilities()
    }

    fn place(&self) -> String {
        "a mutant".to_owned()
    }

    fn supply(&self, revision: Sequence, package: Package) {
        self.world.supply(revision, package);
    }

    async fn observe(&self) -> Result<Seen, DriverError> {
        self.world.observe().await
    }

    async fn claim(&self, owner: &Owner, ttl: Span) -> Result<Lease, DriverError> {
        match self.fault {
            Fault::GivesToAll => {
                let mut state = self.world.state.lock().unwrap();
                let epoch = state.fence.epoch;
                state.fence.release(epoch);
            }
            Fault::ThinksBetween => {
                let fence = self.world.state.lock().unwrap().fence.clone();
                tokio::time::sleep(Duration::from_millis(5)).await;
                let mut thought = fence;
                let expires = self.world.now().checked_add(ttl.get()).unwrap();
                let given = thought.claim(owner, self.world.now(), expires).map_err(DriverError::Fence);
                self.world.state.lock().unwrap().fence = thought;
                return given;
            }
            Fault::RenewsAnew => {
                let mut state = self.world.state.lock().unwrap();
                if state.fence.lease.as_ref().is_some_and(|lease| lease.owner == *owner) {
                    let epoch = state.fence.epoch;
                    state.fence.release(epoch);
                }
            }
            Fault::ForgetsEpoch => {
                let mut state = self.world.state.lock().unwrap();
                if state.fence.lease.is_none() {
                    state.fence.epoch = Epoch(0);
                }
            }
            Fault::NeverExpires => return self.world.claim(owner, Span::minutes(10_000)).await,
            _ => {}
        }
        self.world.claim(owner, ttl).await
    }

    async fn release(&self, lease: &Lease) -> Result<(), DriverError> {
        let lease = if self.fault == Fault::AnybodyReleases { self.any_lease(lease) } else { lease.clone() };
        self.world.release(&lease).await
    }

    async fn apply(&self, lease: &Lease, step: &Step) -> Result<String, DriverError> {
        let lease =
            if self.fault == Fault::IgnoresEpochOfSteps { self.any_lease(lease) } else { lease.clone() };
        let done = || Ok("done".to_owned());
        match (self.fault, step) {
            (Fault::AddsWeights, Step::Shift { weights, .. }) => {
                let mut all = self.world.state.lock().unwrap().weights.clone();
                all.0.extend(weights.0.clone());
                return self.world.apply(&lease, &Step::shift(all)).await;
            }
            (Fault::Rounds, Step::Shift { weights, .. }) if weights.0.len() > 1 => {
                let most = weights.0.iter().max_by_key(|(_, weight)| **weight).unwrap();
                return self.world.apply(&lease, &Step::shift(Weights::all(*most.0))).await;
            }
            (Fault::SettlesAtOnce, Step::Shift { .. }) => {
                // It still refuses who may not, so that only its delay is wrong.
                self.world.apply(&lease, &Step::Settle).await?;
                let (world, step) = (self.world.clone(), step.clone());
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    let _ = world.apply(&lease, &step).await;
                });
                return done();
            }
            (Fault::ServesTheStaged, Step::Stage { revision, .. }) => {
                self.world.apply(&lease, step).await?;
                return self.world.apply(&lease, &Step::shift(Weights::all(*revision))).await;
            }
            (Fault::SaysReady, Step::AwaitReady { .. }) => {
                return self.world.apply(&lease, &Step::Settle).await;
            }
            (Fault::RetiresAnchor, Step::Retire { live, .. }) => {
                let step = Step::Retire { live: *live, warm: Vec::new(), keep: vec![*live] };
                let retired = self.world.apply(&lease, &step).await;
                self.world.state.lock().unwrap().supplied.retain(|supplied| supplied == live);
                return retired;
            }
            (Fault::RetiresLive, Step::Retire { keep, .. }) => {
                let step = Step::Retire { live: Sequence(0), warm: Vec::new(), keep: keep.clone() };
                return self.world.apply(&lease, &step).await;
            }
            (Fault::KeepsAll, Step::Retire { .. }) => return self.world.apply(&lease, &Step::Settle).await,
            (Fault::WithdrawsFiles, Step::Withdraw { revision }) => {
                let withdrawn = self.world.apply(&lease, step).await?;
                let mut state = self.world.state.lock().unwrap();
                state.staged.retain(|staged| staged != revision);
                state.supplied.retain(|supplied| supplied != revision);
                return Ok(withdrawn);
            }
            (Fault::NotTwice, Step::Stage { .. } | Step::Withdraw { .. }) => {
                let mut applied = self.applied.lock().unwrap();
                if applied.last() == Some(step) {
                    return Err(DriverError::Judged { why: "it is there already".into(), log: Vec::new() });
                }
                applied.push(step.clone());
            }
            (Fault::CommitStops, Step::Commit { revision }) => {
                self.world.apply(&lease, step).await?;
                return self.world.apply(&lease, &Step::Withdraw { revision: *revision }).await;
            }
            (Fault::NotApart, Step::Retire { live, keep, .. }) => {
                for other in self.neighbours.lock().unwrap().iter() {
                    let mut state = other.state.lock().unwrap();
                    state.running.retain(|revision, _| revision == live);
                    state.staged.retain(|revision| keep.contains(revision));
                }
            }
            (Fault::ForgetsToRaise, Step::Stage { revision, .. }) => {
                let staged = self.world.state.lock().unwrap().staged.contains(revision);
                if staged {
                    return self.world.apply(&lease, &Step::Settle).await;
                }
            }
            (Fault::Cools, Step::Retire { live, keep, .. }) => {
                let step = Step::Retire { live: *live, warm: Vec::new(), keep: keep.clone() };
                return self.world.apply(&lease, &step).await;
            }
            (Fault::MigratesAgain, Step::Migrate { .. }) => self.world.state.lock().unwrap().migrated.clear(),
            (Fault::TakesOneForAll, Step::Shift { weights, .. }) => {
                return self.world.apply(&lease, &Step::shift(weights.clone())).await;
            }
            _ => {}
        }
        self.world.apply(&lease, step).await
    }

    async fn read(&self) -> Result<Vec<Entry>, DriverError> {
        self.world.read().await
    }

    async fn append(
        &self,
        lease: &Lease,
        after: Head,
        by: &str,
        events: Vec<Event>,
    ) -> Result<Head, DriverError> {
        let number = self.appends.fetch_add(1, Ordering::SeqCst);
        match self.fault {
            Fault::IgnoresEpochOfAppends => {
                return self.world.append(&self.any_lease(lease), after, by, events).await;
            }
            Fault::LosesAppends if number % 2 == 1 => {
                let before = self.world.state.lock().unwrap().journal.clone();
                let head = self.world.append(lease, after, by, events).await?;
                self.world.state.lock().unwrap().journal = before;
                return Ok(head);
            }
            Fault::KeepsTheFirst => {
                let first = events.into_iter().take(1).collect();
                return self.world.append(lease, after, by, first).await;
            }
            Fault::AnyHead => return self.world.append(lease, self.head(), by, events).await,
            Fault::ThinksBeforeAppending => {
                let before = self.world.state.lock().unwrap().journal.clone();
                tokio::time::sleep(Duration::from_millis(5)).await;
                let mut after_that = std::mem::replace(&mut self.world.state.lock().unwrap().journal, before);
                let head = self.world.append(lease, after, by, events).await;
                if head.is_err() {
                    std::mem::swap(&mut self.world.state.lock().unwrap().journal, &mut after_that);
                }
                return head;
            }
            Fault::CutsLines => {
                let cut = |event| match event {
                    Event::Hold { reason, until } => {
                        Event::Hold { reason: reason.lines().next().unwrap_or_default().to_owned(), until }
                    }
                    other => other,
                };
                return self.world.append(lease, after, by, events.into_iter().map(cut).collect()).await;
            }
            _ => {}
        }
        self.world.append(lease, after, by, events).await
    }
}

struct Mutants {
    fault: Fault,
    made: Arc<Mutex<Vec<World>>>,
}

#[async_trait]
impl Bench for Mutants {
    async fn fresh(&self, _: &str) -> Result<Arc<dyn Driver>, DriverError> {
        let world = World::new().again(Fate { needs_files: true, ..Fate::default() });
        self.made.lock().unwrap().push(world.clone());
        Ok(Arc::new(Mutant {
            world,
            fault: self.fault,
            neighbours: Arc::clone(&self.made),
            appends: Arc::default(),
            applied: Arc::default(),
        }))
    }

    fn package(&self, revision: Sequence) -> Package {
        Package {
            artifact: Digest::of(&revision.0.to_le_bytes()),
            artifact_path: None,
            config: None,
            config_paths: Vec::new(),
            parameters: serde_json::Value::Null,
        }
    }
}

/// The names of the checks that a driver with this fault breaks.
async fn broken_by(fault: Fault, kills: usize) -> Vec<&'static str> {
    let bench = Mutants { fault, made: Arc::default() };
    let findings = run(&bench, Extent { kills, only: None }, &|_| {}, &|_| {}).await;
    let broken = findings.iter().filter(|finding| matches!(finding.held, Held::Broken(_)));
    broken.map(|finding| finding.name).collect()
}

#[tokio::test(start_paused = true)]
async fn a_sound_driver_keeps_every_promise() {
    let bench = Mutants { fault: Fault::Nothing, made: Arc::default() };
    let findings = run(&bench, Extent { kills: 150, only: None }, &|_| {}, &|_| {}).await;
    for finding in &findings {
        assert_eq!(finding.held, Held::Kept, "{}", finding.name);
    }
    assert_eq!(findings.len(), super::CHECKS.len());
}

#[tokio::test(start_paused = true)]
async fn every_broken_promise_is_seen_by_the_check_meant_for_it() {
    let cases = [
        (Fault::IgnoresEpochOfSteps, "fence-stale"),
        (Fault::IgnoresEpochOfAppends, "fence-stale"),
        (Fault::GivesToAll, "fence-one"),
        (Fault::ThinksBetween, "fence-race"),
        (Fault::RenewsAnew, "fence-renew"),
        (Fault::ForgetsEpoch, "fence-rises"),
        (Fault::AnybodyReleases, "fence-release"),
        (Fault::NeverExpires, "fence-expiry"),
        (Fault::LosesAppends, "journal-keeps"),
        (Fault::KeepsTheFirst, "journal-keeps"),
        (Fault::AnyHead, "journal-head"),
        (Fault::ThinksBeforeAppending, "journal-race"),
        (Fault::CutsLines, "journal-hostile"),
        (Fault::AddsWeights, "shift-absolute"),
        (Fault::Rounds, "shift-weights"),
        (Fault::SettlesAtOnce, "settle-true"),
        (Fault::ServesTheStaged, "stage-quiet"),
        (Fault::SaysReady, "stage-needs-files"),
        (Fault::RetiresAnchor, "retire-keeps"),
        (Fault::RetiresLive, "retire-keeps"),
        (Fault::KeepsAll, "retire-removes"),
        (Fault::WithdrawsFiles, "withdraw-keeps-files"),
        (Fault::NotTwice, "twice"),
        (Fault::CommitStops, "commit-quiet"),
        (Fault::NotApart, "apart"),
        (Fault::ForgetsToRaise, "retire-keeps"),
        (Fault::Cools, "retire-warm"),
        (Fault::MigratesAgain, "migrate-once"),
        (Fault::TakesOneForAll, "hosts-none"),
    ];
    for (fault, meant) in cases {
        let broken = broken_by(fault, 4).await;
        assert!(broken.contains(&meant), "{fault:?} is not seen by {meant}; broken are {broken:?}");
    }
}
