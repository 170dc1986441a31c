//! Whole rollouts: killed at their mutations and resumed, and with every step applied twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use tokio::sync::watch;
use windlass_domain::causes::chain;
use windlass_domain::fence::{Lease, Owner};
use windlass_domain::journal::{Entry, Event, Head, History};
use windlass_domain::outcome::Outcome;
use windlass_domain::policy::{Span, Strategy};
use windlass_domain::release::Sequence;
use windlass_domain::rollout::{Plan, Step, Weights};

use super::ground::{Ground, Not, Target, Verdict, broken, demand, owner};
use super::plans::{deploy, says, strategies};
use crate::drive::{self, Driven, News};
use crate::driver::{Capabilities, Driver, DriverError, Package, Seen};
use crate::fenced::Fenced;

/// What a run's driver does to it.
enum Fate {
    /// Applies every step twice.
    Twice,
    /// Dies at this mutation, counted from 0: before its effect where that is so, else after it.
    Dies { at: usize, before: bool },
}

/// A driver under a fate.
struct Fated {
    inner: Arc<dyn Driver>,
    fate: Fate,
    mutations: AtomicUsize,
}

impl Fated {
    fn new(inner: &Arc<dyn Driver>, fate: Fate) -> Arc<Self> {
        Arc::new(Self { inner: Arc::clone(inner), fate, mutations: AtomicUsize::new(0) })
    }

    /// Makes one mutation, or dies at it.
    async fn mutate<T>(
        &self,
        effect: impl Future<Output = Result<T, DriverError>>,
    ) -> Result<T, DriverError> {
        let number = self.mutations.fetch_add(1, Ordering::SeqCst);
        match self.fate {
            Fate::Dies { at, before: true } if number >= at => Err(died()),
            Fate::Dies { at, before: false } if number > at => Err(died()),
            Fate::Dies { at, before: false } if number == at => {
                effect.await?;
                Err(died())
            }
            Fate::Dies { .. } | Fate::Twice => effect.await,
        }
    }
}

fn died() -> DriverError {
    DriverError::Unreachable { attempt: DIED.to_owned(), source: "killed by the sweep".into() }
}

/// How many kills one target sees.
const RELEASES: usize = 20;

const DIED: &str = "the run died";

#[async_trait]
impl Driver for Fated {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn place(&self) -> String {
        self.inner.place()
    }

    fn supply(&self, revision: Sequence, package: Package) {
        self.inner.supply(revision, package);
    }

    async fn observe(&self) -> Result<Seen, DriverError> {
        self.inner.observe().await
    }

    async fn claim(&self, owner: &Owner, ttl: Span) -> Result<Lease, DriverError> {
        self.inner.claim(owner, ttl).await
    }

    async fn renew(&self, lease: &Lease, ttl: Span) -> Result<Lease, DriverError> {
        self.inner.renew(lease, ttl).await
    }

    async fn release(&self, lease: &Lease) -> Result<(), DriverError> {
        self.inner.release(lease).await
    }

    async fn apply(&self, lease: &Lease, step: &Step) -> Result<String, DriverError> {
        self.mutate(async {
            if matches!(self.fate, Fate::Twice) {
                self.inner.apply(lease, step).await?;
            }
            self.inner.apply(lease, step).await
        })
        .await
    }

    async fn read(&self) -> Result<Vec<Entry>, DriverError> {
        self.inner.read().await
    }

    async fn append(
        &self,
        lease: &Lease,
        after: Head,
        by: &str,
        events: Vec<Event>,
    ) -> Result<Head, DriverError> {
        self.mutate(self.inner.append(lease, after, by, events)).await
    }
}

/// One run of a tool: goes on with what is open, else carries the plan out. It ends without giving the fence back, as
/// a killed one does.
async fn run(driver: Arc<dyn Driver>, name: &str, plan: &Plan, holds: bool) -> Result<Driven, DriverError> {
    let mut fenced = Fenced::claim(driver, owner(name)).await?;
    let (_keep, stop) = watch::channel(false);
    let tell = |_: News| {};
    let judge = says(holds);
    if fenced.history.open().is_some() {
        return drive::resume(&mut fenced, &judge, stop, None, &tell).await;
    }
    // As the tools do: what is live already is not deployed again.
    if fenced.history.live().map(|commit| commit.revision) == Some(plan.release.sequence) {
        return Ok(Driven { outcome: Outcome::Passed, why: None });
    }
    drive::start(&mut fenced, plan.clone(), &judge, stop, &tell).await
}

/// One target through many releases.
struct Line<'a> {
    target: Target<'a>,
    runs: usize,
    live: Option<u64>,
    next: u64,
}

impl<'a> Line<'a> {
    async fn new(ground: &Ground<'a>) -> Verdict<Self> {
        Ok(Self { target: ground.target().await?, runs: 0, live: None, next: 1 })
    }

    fn plan(&self, strategy: &Strategy) -> Plan {
        self.target.supply(self.next);
        deploy(strategy, self.next, self.live, 1)
    }

    /// A run whose driver is under a fate; says how it ended, and how many mutations it made.
    async fn fated(&mut self, plan: &Plan, holds: bool, fate: Fate) -> (Result<Driven, DriverError>, usize) {
        self.runs += 1;
        let fated = Fated::new(&self.target.driver, fate);
        let driver: Arc<dyn Driver> = Arc::clone(&fated) as Arc<dyn Driver>;
        let ended = run(driver, &format!("run {}", self.runs), plan, holds).await;
        (ended, fated.mutations.load(Ordering::SeqCst))
    }

    /// Demands that the rollout is over, and the environment the new one or the old one, and nothing in between.
    async fn is_whole(&mut self, outcome: Outcome, holds: bool, case: &str) -> Verdict {
        let expected = if holds { Outcome::Passed } else { Outcome::Failed };
        demand(outcome == expected, || format!("{case}: it ended {outcome}, and not {expected}"))?;
        let (entries, _) = self.target.journal().await?;
        let history = History::replay(&entries).map_err(|error| Not::Kept(format!("{case}: {error}")))?;
        demand(history.open().is_none(), || format!("{case}: a rollout is still open"))?;
        let live = history.live().map(|commit| commit.revision);
        let should = if holds { Some(self.next) } else { self.live };
        demand(live == should.map(Sequence), || {
            format!("{case}: by the journal {live:?} is live, and not {should:?}")
        })?;
        let scene = self.target.scene().await?;
        demand(scene.weights == live.map_or_else(Weights::none, Weights::all), || {
            format!("{case}: {live:?} is live, and the weights are {}", scene.weights)
        })?;
        if let Some(live) = should {
            demand(scene.ready(live) >= 1, || format!("{case}: r{live} is live, and not ready: {scene:?}"))?;
        }
        self.live = should;
        self.next = history.next_sequence().0;
        self.target.free().await
    }

    /// A release that becomes live without anything in its way; says how many mutations that takes.
    async fn whole(&mut self, strategy: &Strategy, holds: bool) -> Verdict<usize> {
        let plan = self.plan(strategy);
        let never = Fate::Dies { at: usize::MAX, before: true };
        let (ended, mutations) = self.fated(&plan, holds, never).await;
        let driven = ended.map_err(broken("a rollout that nothing disturbs"))?;
        self.is_whole(driven.outcome, holds, &format!("an undisturbed rollout ({:?})", driven.why)).await?;
        Ok(mutations)
    }

    /// A release whose run is killed, and what one further run makes of it.
    async fn killed(&mut self, strategy: &Strategy, holds: bool, at: usize, before: bool) -> Verdict {
        let moment = if before { "before" } else { "after" };
        let ends = if holds { "holds" } else { "does not hold" };
        let case = format!("killed {moment} mutation {at} of {strategy:?} with a release that {ends}");
        let plan = self.plan(strategy);
        let (ended, _) = self.fated(&plan, holds, Fate::Dies { at, before }).await;
        let outcome = match ended {
            Ok(driven) => driven.outcome,
            Err(DriverError::Unreachable { attempt, .. }) if attempt == DIED => {
                // The lease of a run that is gone ends by itself; that it does is another check's.
                self.target.free().await?;
                let further =
                    run(Arc::clone(&self.target.driver), &format!("run {} further", self.runs), &plan, holds)
                        .await;
                further
                    .map_err(|error| Not::Kept(format!("{case}: the further run: {}", chain(&error))))?
                    .outcome
            }
            Err(error) => return Err(Not::Kept(format!("{case}: the run itself: {}", chain(&error)))),
        };
        self.is_whole(outcome, holds, &case).await
    }
}

pub(super) async fn twice(ground: &Ground<'_>) -> Verdict {
    let mut line = Line::new(ground).await?;
    line.whole(&Strategy::BlueGreen { bake: Span::millis(0) }, true).await?;
    for strategy in strategies(line.target.driver.capabilities().weights) {
        for holds in [true, false] {
            let plan = line.plan(&strategy);
            let (ended, _) = line.fated(&plan, holds, Fate::Twice).await;
            let driven = ended.map_err(broken("a rollout with every step applied twice"))?;
            let case = format!("every step of {strategy:?} applied twice ({:?})", driven.why);
            line.is_whole(driven.outcome, holds, &case).await?;
        }
    }
    Ok(())
}

pub(super) async fn kills(ground: &Ground<'_>) -> Verdict {
    let mut line = Line::new(ground).await?;
    line.whole(&Strategy::BlueGreen { bake: Span::millis(0) }, true).await?;
    let mut ways = Vec::new();
    for strategy in strategies(line.target.driver.capabilities().weights) {
        for holds in [true, false] {
            let mutations = line.whole(&strategy, holds).await?;
            ways.extend(
                (0..mutations)
                    .flat_map(|at| [(at, true), (at, false)])
                    .map(|(at, before)| (strategy.clone(), holds, at, before)),
            );
        }
    }
    let count = ground.kills.min(ways.len());
    for kill in 0..count {
        // A long journal makes each further kill slower and proves nothing more.
        if kill % RELEASES == RELEASES - 1 {
            line = Line::new(ground).await?;
            line.whole(&Strategy::BlueGreen { bake: Span::millis(0) }, true).await?;
        }
        let (strategy, holds, at, before) = &ways[kill * ways.len() / count];
        line.killed(strategy, *holds, *at, *before).await?;
    }
    Ok(())
}
