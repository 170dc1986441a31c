//! What a check stands on: fresh targets, and the driver's verbs with an error that says what was promised.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use windlass_domain::causes::chain;
use windlass_domain::fence::{Lease, Owner};
use windlass_domain::journal::{Entry, Event, Head, verify_chain};
use windlass_domain::policy::Span;
use windlass_domain::release::Sequence;
use windlass_domain::rollout::{Step, Weights};

use crate::driver::{Driver, DriverError, Package, Seen};

/// How long the leases of checks last that are not about their end: longer than any check takes.
const LONG: Span = Span::minutes(10);

/// Where targets come from.
#[async_trait]
pub trait Bench: Send + Sync {
    /// A driver on a new, empty target. `name` is unlike that of any other target.
    ///
    /// # Errors
    /// When there is none to be had.
    async fn fresh(&self, name: &str) -> Result<Arc<dyn Driver>, DriverError>;

    /// The files of a revision, which run and get ready with one instance. Where the target answers HTTP with text
    /// that contains [`mark`] of the revision, the suite sees by that which revision serves.
    fn package(&self, revision: Sequence) -> Package;
}

/// What the answers of a revision may contain, so that it is known by them.
#[must_use]
pub fn mark(revision: Sequence) -> String {
    format!("windlass-conformance-{revision};")
}

/// Why a check did not end well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Not {
    /// The promise is broken, and how that was seen.
    Kept(String),
    /// It was not asked, and why.
    Asked(String),
}

pub(super) type Verdict<T = ()> = Result<T, Not>;

/// A promise is broken when `is_kept` is false; `how` says what was seen.
pub(super) fn demand(is_kept: bool, how: impl FnOnce() -> String) -> Verdict {
    if is_kept { Ok(()) } else { Err(Not::Kept(how())) }
}

/// What was asked and did not work, with its causes.
pub(super) fn broken<'a>(what: &'a str) -> impl Fn(DriverError) -> Not + 'a {
    move |error| Not::Kept(format!("{what}: {}", chain(&error)))
}

/// Where one check is made.
pub struct Ground<'a> {
    bench: &'a dyn Bench,
    check: &'static str,
    made: Mutex<Vec<Arc<dyn Driver>>>,
    /// How many kills the sweep makes.
    pub(super) kills: usize,
}

impl<'a> Ground<'a> {
    pub(super) fn new(bench: &'a dyn Bench, check: &'static str, kills: usize) -> Self {
        Self { bench, check, made: Mutex::default(), kills }
    }

    /// A new target.
    pub(super) async fn target(&self) -> Verdict<Target<'a>> {
        let count = self.made().len();
        let name = format!("{}-{count}", self.check);
        let driver = self.bench.fresh(&name).await.map_err(broken("no new target"))?;
        self.made().push(Arc::clone(&driver));
        driver.wake().await.map_err(broken("the target does not wake"))?;
        Ok(Target { driver, bench: self.bench })
    }

    fn made(&self) -> MutexGuard<'_, Vec<Arc<dyn Driver>>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has nothing run on any target of this check any more, as far as its driver can.
    pub(super) async fn clean(&self) {
        let made = std::mem::take(&mut *self.made());
        for driver in made {
            // What a broken driver does not do here, it was told of before.
            let _ = clean(&*driver).await;
        }
    }

    /// A new target on which revision 1 serves, and the lease that did it.
    pub(super) async fn serving(&self) -> Verdict<(Target<'a>, Lease)> {
        let target = self.target().await?;
        let lease = target.claim("first").await?;
        target.raise(&lease, 1).await?;
        target.serve(&lease, 1).await?;
        Ok((target, lease))
    }
}

async fn clean(driver: &dyn Driver) -> Result<(), DriverError> {
    let seen = driver.observe().await?;
    if seen.revisions.is_empty() {
        return Ok(());
    }
    if let Some(lease) = seen.lease {
        driver.release(&lease).await?;
    }
    let lease = driver.claim(&owner("clean"), LONG).await?;
    driver.apply(&lease, &shift(Weights::none())).await?;
    driver.apply(&lease, &Step::Settle).await?;
    for (revision, _) in seen.revisions {
        driver.apply(&lease, &Step::Withdraw { revision }).await?;
    }
    driver.release(&lease).await
}

/// A target, and who has its files.
pub(super) struct Target<'a> {
    pub(super) driver: Arc<dyn Driver>,
    bench: &'a dyn Bench,
}

/// What a target serves and has, without its clock and lease.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scene {
    pub(super) weights: Weights,
    pub(super) revisions: Vec<(Sequence, u16)>,
}

impl Scene {
    pub(super) fn has(&self, revision: u64) -> bool {
        self.revisions.iter().any(|(there, _)| *there == Sequence(revision))
    }

    pub(super) fn ready(&self, revision: u64) -> u16 {
        self.revisions.iter().find(|(there, _)| *there == Sequence(revision)).map_or(0, |(_, ready)| *ready)
    }
}

pub(super) fn owner(run: &str) -> Owner {
    Owner { run: format!("conformance-{run}"), who: format!("the conformance kit, run {run}") }
}

impl Target<'_> {
    pub(super) async fn claim(&self, run: &str) -> Verdict<Lease> {
        self.claim_for(run, LONG).await
    }

    pub(super) async fn claim_for(&self, run: &str, ttl: Span) -> Verdict<Lease> {
        self.driver.claim(&owner(run), ttl).await.map_err(broken("a free fence was not given"))
    }

    /// Frees the fence whoever holds it, as the end of that run's lease would.
    pub(super) async fn free(&self) -> Verdict {
        if let Some(lease) = self.seen().await?.lease {
            self.driver.release(&lease).await.map_err(broken("the holder cannot give the fence back"))?;
        }
        Ok(())
    }

    pub(super) async fn apply(&self, lease: &Lease, step: &Step) -> Verdict<String> {
        let applied = self.driver.apply(lease, step).await;
        applied.map_err(|error| broken(&format!("`{step}` did not take effect"))(error))
    }

    /// Gives the files of a revision and stages it.
    pub(super) async fn stage(&self, lease: &Lease, revision: u64) -> Verdict {
        self.supply(revision);
        self.apply(lease, &stage(revision)).await.map(drop)
    }

    pub(super) fn supply(&self, revision: u64) {
        let revision = Sequence(revision);
        self.driver.supply(revision, self.bench.package(revision));
    }

    /// Stages a revision and waits until it is ready.
    pub(super) async fn raise(&self, lease: &Lease, revision: u64) -> Verdict {
        self.stage(lease, revision).await?;
        self.apply(lease, &ready(revision)).await.map(drop)
    }

    /// Sends everything to a revision, and waits until that is so.
    pub(super) async fn serve(&self, lease: &Lease, revision: u64) -> Verdict {
        self.apply(lease, &shift(Weights::all(Sequence(revision)))).await?;
        self.apply(lease, &Step::Settle).await.map(drop)
    }

    pub(super) async fn seen(&self) -> Verdict<Seen> {
        self.driver.observe().await.map_err(broken("the target cannot be observed"))
    }

    pub(super) async fn scene(&self) -> Verdict<Scene> {
        let seen = self.seen().await?;
        Ok(Scene { weights: seen.weights, revisions: seen.revisions })
    }

    /// The journal, and that its chain holds.
    pub(super) async fn journal(&self) -> Verdict<(Vec<Entry>, Head)> {
        let entries = self.driver.read().await.map_err(broken("the journal cannot be read"))?;
        let head = verify_chain(&entries).map_err(|why| Not::Kept(format!("the journal's chain: {why}")))?;
        Ok((entries, head))
    }

    pub(super) async fn append(&self, lease: &Lease, after: Head, events: Vec<Event>) -> Verdict<Head> {
        let appended = self.driver.append(lease, after, "the conformance kit", events).await;
        appended.map_err(broken("an append that follows the head was not kept"))
    }

    /// Does `change`, and demands that it changes nothing that is seen or journalled.
    pub(super) async fn unchanged(&self, what: &str, change: impl Future<Output = Verdict>) -> Verdict {
        let before = (self.scene().await?, self.journal().await?.1);
        change.await?;
        let after = (self.scene().await?, self.journal().await?.1);
        demand(before == after, || format!("{what} changed the target from {before:?} to {after:?}"))
    }
}

pub(super) fn stage(revision: u64) -> Step {
    Step::stage(Sequence(revision), 1)
}

pub(super) fn ready(revision: u64) -> Step {
    Step::await_ready(Sequence(revision), 1)
}

pub(super) const fn shift(weights: Weights) -> Step {
    Step::shift(weights)
}

pub(super) fn retire(live: u64, keep: &[u64]) -> Step {
    Step::Retire {
        live: Sequence(live),
        warm: Vec::new(),
        keep: keep.iter().copied().map(Sequence).collect(),
    }
}

pub(super) const fn withdraw(revision: u64) -> Step {
    Step::Withdraw { revision: Sequence(revision) }
}

pub(super) fn hold(reason: &str) -> Event {
    Event::Hold { reason: reason.to_owned(), until: None }
}
