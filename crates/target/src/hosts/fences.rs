//! The fences of all hosts as one, and the copies of the ledger that are brought up to date under them.

use std::sync::Arc;

use windlass_domain::fence::{Lease, Owner, Refusal};
use windlass_domain::journal::{Entry, Head, History};
use windlass_domain::policy::Span;

use super::standing::{is_on_the_way_back, no_lease};
use super::{Hosts, merge};
use crate::driver::{Driver, DriverError};

impl Hosts {
    /// The lease of every host that takes part, if `lease` is the one that this run holds.
    pub(super) fn leases(&self, lease: &Lease) -> Result<Vec<Option<Lease>>, DriverError> {
        let standing = self.standing();
        match &standing.leases[0] {
            Some(held) if held.epoch == lease.epoch => Ok(standing.leases.clone()),
            held => Err(DriverError::Fence(Refusal::Stale {
                carried: lease.epoch,
                current: held.as_ref().map_or(lease.epoch, |held| held.epoch),
            })),
        }
    }

    /// Takes every fence, in the order of the list, or none.
    pub(super) async fn take(&self, owner: &Owner, ttl: Span) -> Result<Lease, DriverError> {
        let mut leases = vec![None; self.members.len()];
        for at in self.present() {
            match self.members[at].driver.claim(owner, ttl).await {
                Ok(lease) => leases[at] = Some(lease),
                Err(error) => {
                    self.give_back(&leases).await;
                    return Err(self.named(at, error));
                }
            }
        }
        self.standing().leases = leases.clone();
        if let Err(error) = self.agree_on_the_ledger(&leases).await {
            self.give_back(&leases).await;
            self.standing().leases = vec![None; self.members.len()];
            return Err(error);
        }
        leases.swap_remove(0).ok_or_else(|| DriverError::Unreachable {
            attempt: "the first host takes no part".to_owned(),
            source: self.members[0].name.clone().into(),
        })
    }

    pub(super) async fn give_back(&self, leases: &[Option<Lease>]) {
        let held: Vec<usize> = (0..leases.len()).filter(|at| leases[*at].is_some()).collect();
        let release = |at: usize, driver: Arc<dyn Driver>| {
            let lease = leases[at].clone();
            async move { if let Some(lease) = lease { driver.release(&lease).await } else { Ok(()) } }
        };
        // Where it cannot be given back it ends by itself.
        self.each(&held, release, |_| false).await;
    }

    /// Renews every lease under its own epoch.
    pub(super) async fn renew_all(&self, lease: &Lease, ttl: Span) -> Result<Lease, DriverError> {
        let leases = self.leases(lease)?;
        let renew = |at: usize, driver: Arc<dyn Driver>| {
            let lease = leases[at].clone();
            async move {
                match lease {
                    Some(lease) => driver.renew(&lease, ttl).await,
                    None => Err(no_lease()),
                }
            }
        };
        let mut renewed = Vec::new();
        // One that cannot be reached now does not keep the others from being renewed.
        for (_, result) in self.each(&self.present(), renew, |_| false).await {
            renewed.push(result);
        }
        let refused = renewed.iter().position(|result| matches!(result, Err(DriverError::Fence(_))));
        renewed.swap_remove(refused.unwrap_or(0))
    }

    /// Brings every copy of the ledger to what the first host's says. Where the first one's is the shorter, it was lost
    /// or is a new host's, and the others' is the one that is kept.
    async fn agree_on_the_ledger(&self, leases: &[Option<Lease>]) -> Result<(), DriverError> {
        let read = |_: usize, driver: Arc<dyn Driver>| async move { driver.read().await };
        let places = self.present();
        let mut ledgers = self.all(&places, read).await?;
        let longest =
            ledgers.iter().enumerate().max_by_key(|(at, ledger)| (ledger.len(), std::cmp::Reverse(*at)));
        if let Some(longest) = longest.map(|(at, _)| at)
            && matches!(merge::compare(&ledgers[0], &ledgers[longest]), merge::Copy::Ahead)
        {
            let missing = ledgers[longest][ledgers[0].len()..].to_vec();
            self.copy(0, leases, &ledgers[0], missing).await?;
            ledgers[0] = self.first().read().await?;
        }
        let record = ledgers[0].clone();
        let mut heads = vec![None; self.members.len()];
        for (at, ledger) in places.iter().zip(&ledgers).skip(1) {
            // One that says something else is left as it is; whoever looks is told.
            if let merge::Copy::Behind(there) = merge::compare(&record, ledger) {
                heads[*at] = self.copy(*at, leases, ledger, record[there..].to_vec()).await.ok();
            }
        }
        let mut standing = self.standing();
        standing.heads = heads;
        standing.going_back =
            History::replay(&record).is_ok_and(|history| history.open().is_some_and(is_on_the_way_back));
        Ok(())
    }

    /// Appends entries of another ledger to a host's own.
    async fn copy(
        &self,
        at: usize,
        leases: &[Option<Lease>],
        own: &[Entry],
        missing: Vec<Entry>,
    ) -> Result<Head, DriverError> {
        let mut head = own.last().map_or(Head::EMPTY, Entry::head);
        let Some(lease) = &leases[at] else { return Ok(head) };
        for entry in missing {
            let driver = &self.members[at].driver;
            head = driver
                .append(lease, head, &entry.by, vec![entry.event])
                .await
                .map_err(|error| self.named(at, error))?;
        }
        Ok(head)
    }
}
