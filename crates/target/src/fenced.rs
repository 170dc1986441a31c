//! A run that holds the fence: the lease, kept alive, and the journal as it stands under it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use windlass_domain::fence::{Lease, Owner, Refusal};
use windlass_domain::journal::{Event, History};
use windlass_domain::policy::Span;

use crate::driver::{Driver, DriverError};

/// How long a lease lasts unless it is renewed. It is renewed every third of that.
pub const LEASE: Span = Span::seconds(15);

/// The local clock, as a value.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A run that holds the fence of one target. Dropping it stops the renewal; [`Fenced::leave`] gives the lease back.
pub struct Fenced {
    /// The target.
    pub driver: Arc<dyn Driver>,
    /// The lease.
    pub lease: Lease,
    /// What the journal says.
    pub history: History,
    /// Becomes the refusal when a renewal was refused.
    pub lost: watch::Receiver<Option<Refusal>>,
    who: String,
    /// The target's time when it was asked, and the moment of that here.
    asked: (Timestamp, Instant),
    renewal: JoinHandle<()>,
}

/// A run that will claim the fence; `who` is for people.
///
/// # Errors
/// When the operating system gives no random bytes.
pub fn owner(who: String) -> Result<Owner, DriverError> {
    let mut token = [0; 16];
    getrandom::fill(&mut token).map_err(|error| DriverError::Unreachable {
        attempt: "cannot make a token for this run".to_owned(),
        source: error.to_string().into(),
    })?;
    Ok(Owner { run: token.iter().map(|byte| format!("{byte:02x}")).collect(), who })
}

/// The journal was read but cannot be replayed: a human must look.
#[derive(Debug)]
pub struct Unreplayable(pub windlass_domain::journal::NotReplayable);

impl std::fmt::Display for Unreplayable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cannot replay the target's journal")
    }
}

impl std::error::Error for Unreplayable {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

/// Reads and replays a journal.
///
/// # Errors
/// When the target cannot be reached, or its journal cannot be replayed.
pub async fn history<D: Driver + ?Sized>(driver: &D) -> Result<History, DriverError> {
    History::replay(&driver.read().await?).map_err(|error| DriverError::Unreachable {
        attempt: "cannot use the target's journal".to_owned(),
        source: Box::new(Unreplayable(error)),
    })
}

impl Fenced {
    /// Claims the fence, then reads the journal, so that nothing can change between the two.
    ///
    /// # Errors
    /// [`DriverError::Fence`] while somebody else holds it. Where the target cannot be read, the lease is given back.
    pub async fn claim(driver: Arc<dyn Driver>, owner: Owner) -> Result<Self, DriverError> {
        let lease = driver.claim(&owner, LEASE).await?;
        let read = async { Ok((driver.observe().await?.now, Instant::now(), history(&*driver).await?)) };
        let (then, at, history) = match read.await {
            Ok(read) => read,
            Err(error) => {
                // Where that fails too, the lease ends by itself.
                let _ = driver.release(&lease).await;
                return Err(error);
            }
        };
        let (sender, lost) = watch::channel(None);
        let renewal = tokio::spawn(renew(Arc::clone(&driver), lease.clone(), sender));
        Ok(Self { driver, lease, history, lost, who: owner.who, asked: (then, at), renewal })
    }

    /// The target's time: as it was at the claim, and what has passed since. No clock that somebody sets meanwhile,
    /// here or there, shortens a bake or ends a rollout.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let (then, at) = self.asked;
        then.checked_add(at.elapsed()).unwrap_or(Timestamp::MAX)
    }

    /// Appends events to the journal and takes them into the history.
    ///
    /// # Errors
    /// When the fence or the journal's head refuses, or the target cannot be reached.
    pub async fn record(&mut self, events: Vec<Event>) -> Result<(), DriverError> {
        let head = self.driver.append(&self.lease, self.history.head, &self.who, events.clone()).await?;
        let at = self.now();
        for event in &events {
            self.history.record(event, at, &self.who, head).map_err(|error| DriverError::Unreachable {
                attempt: "cannot follow the journal that was just written".to_owned(),
                source: Box::new(Unreplayable(error)),
            })?;
        }
        Ok(())
    }

    /// Gives the lease back.
    ///
    /// # Errors
    /// When the target cannot be reached; the lease then ends by itself.
    pub async fn leave(self) -> Result<(), DriverError> {
        self.renewal.abort();
        self.driver.release(&self.lease).await
    }
}

impl Drop for Fenced {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

async fn renew(driver: Arc<dyn Driver>, lease: Lease, lost: watch::Sender<Option<Refusal>>) {
    let pause: Duration = LEASE.get() / 3;
    loop {
        tokio::time::sleep(pause).await;
        // A target that cannot be reached may be back before the lease ends; only a refusal is final.
        if let Err(DriverError::Fence(refusal)) = driver.renew(&lease, LEASE).await {
            lost.send_replace(Some(refusal));
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use jiff::SignedDuration;
    use windlass_domain::fence::{Epoch, Fence};
    use windlass_domain::journal::{Entry, Head};
    use windlass_domain::release::Sequence;
    use windlass_domain::rollout::{Step, Weights};

    use super::*;
    use crate::driver::{Capabilities, Package, Seen};

    /// A target that only knows claims, and whose clock the test sets.
    struct Plain {
        fence: Mutex<Fence>,
        now: Mutex<Timestamp>,
        readable: bool,
    }

    impl Plain {
        fn new(readable: bool) -> Arc<Self> {
            let start = "2026-11-26T12:00:00Z".parse().unwrap();
            Arc::new(Self { fence: Mutex::default(), now: Mutex::new(start), readable })
        }

        fn passes(&self, seconds: i64) {
            let mut now = self.now.lock().unwrap();
            *now = now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
        }
    }

    #[async_trait]
    impl Driver for Plain {
        fn capabilities(&self) -> Capabilities {
            panic!("nobody asks")
        }
        fn place(&self) -> String {
            "a plain target".to_owned()
        }
        fn supply(&self, _: Sequence, _: Package) {}
        async fn observe(&self) -> Result<Seen, DriverError> {
            let now = *self.now.lock().unwrap();
            Ok(Seen {
                weights: Weights::none(),
                revisions: Vec::new(),
                url: None,
                lease: None,
                now,
                hosts: Vec::new(),
            })
        }
        async fn claim(&self, owner: &Owner, ttl: Span) -> Result<Lease, DriverError> {
            let now = *self.now.lock().unwrap();
            let expires = now.checked_add(ttl.get()).unwrap();
            self.fence.lock().unwrap().claim(owner, now, expires).map_err(DriverError::Fence)
        }
        async fn release(&self, lease: &Lease) -> Result<(), DriverError> {
            self.fence.lock().unwrap().release(lease.epoch);
            Ok(())
        }
        async fn apply(&self, _: &Lease, _: &Step) -> Result<String, DriverError> {
            panic!("nobody applies")
        }
        async fn read(&self) -> Result<Vec<Entry>, DriverError> {
            if self.readable {
                return Ok(Vec::new());
            }
            Err(DriverError::Unreachable {
                attempt: "cannot read".into(),
                source: "line 3 is corrupted".into(),
            })
        }
        async fn append(&self, _: &Lease, _: Head, _: &str, _: Vec<Event>) -> Result<Head, DriverError> {
            panic!("nobody appends")
        }
    }

    fn someone(run: &str) -> Owner {
        Owner { run: run.into(), who: run.into() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_that_slept_past_its_lease_is_told_so_and_takes_nothing() {
        let target = Plain::new(true);
        let mut slept = Fenced::claim(target.clone(), someone("a")).await.expect("free");
        target.passes(16);
        let other = Fenced::claim(target.clone(), someone("b")).await.expect("it has lapsed");
        assert_eq!(other.lease.epoch, Epoch(2));
        other.leave().await.expect("given back");
        // Its renewal comes when nobody holds the fence any more.
        slept.lost.wait_for(Option::is_some).await.expect("the renewal says so");
        assert!(matches!(*slept.lost.borrow(), Some(Refusal::Stale { carried: Epoch(1), .. })));
        assert_eq!(target.fence.lock().unwrap().lease, None, "nobody holds it, so nobody has to wait");
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_is_renewed_for_as_long_as_its_run_lives() {
        let target = Plain::new(true);
        let run = Fenced::claim(target.clone(), someone("a")).await.expect("free");
        for _ in 0..10 {
            target.passes(5);
            tokio::time::sleep(Duration::from_millis(5001)).await;
            assert!(run.lost.borrow().is_none());
        }
        assert_eq!(target.fence.lock().unwrap().epoch, run.lease.epoch);
    }

    #[tokio::test(start_paused = true)]
    async fn the_runs_time_passes_whatever_becomes_of_the_targets_clock() {
        let target = Plain::new(true);
        let run = Fenced::claim(target.clone(), someone("a")).await.expect("free");
        let begun = run.now();
        target.passes(-3600);
        tokio::time::sleep(Duration::from_secs(7)).await;
        assert_eq!(run.now().duration_since(begun).as_secs(), 7);
    }

    #[tokio::test(start_paused = true)]
    async fn a_journal_that_cannot_be_read_does_not_keep_the_fence() {
        let target = Plain::new(false);
        assert!(Fenced::claim(target.clone(), someone("a")).await.is_err());
        assert_eq!(target.fence.lock().unwrap().lease, None);
    }
}
