//! A run that holds the fence: the lease, kept alive, and the journal as it stands under it.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::task::JoinHandle;
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
    clock: Clock,
    ahead: SignedDuration,
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
    /// [`DriverError::Fence`] while somebody else holds it.
    pub async fn claim(driver: Arc<dyn Driver>, owner: Owner, clock: Clock) -> Result<Self, DriverError> {
        let lease = driver.claim(&owner, LEASE).await?;
        let seen = driver.observe().await?;
        let ahead = seen.now.duration_since(clock());
        let history = history(&*driver).await?;
        let (sender, lost) = watch::channel(None);
        let renewal = tokio::spawn(renew(Arc::clone(&driver), owner.clone(), sender));
        Ok(Self { driver, lease, history, lost, who: owner.who, clock, ahead, renewal })
    }

    /// The target's time, by the local clock and the difference seen at the claim.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.clock)().checked_add(self.ahead).unwrap_or(Timestamp::MAX)
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

async fn renew(driver: Arc<dyn Driver>, owner: Owner, lost: watch::Sender<Option<Refusal>>) {
    let pause: Duration = LEASE.get() / 3;
    loop {
        tokio::time::sleep(pause).await;
        // A target that cannot be reached may be back before the lease ends; only a refusal is final.
        if let Err(DriverError::Fence(refusal)) = driver.claim(&owner, LEASE).await {
            lost.send_replace(Some(refusal));
            return;
        }
    }
}
