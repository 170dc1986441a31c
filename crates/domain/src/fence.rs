//! The fence: the lease and epoch that a run must hold to change a target.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The epoch of a lease: it only ever rises, and every mutation carries it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Epoch(pub u64);

/// Who asks for the fence.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Owner {
    /// A token unique to the run, so that only it can renew: 16 random bytes in hexadecimal.
    pub run: String,
    /// Who that is, for people: `ana@laptop, deploy, pid 4711` or a CI job's URL.
    pub who: String,
}

/// A lease on one target.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Lease {
    /// Who holds it.
    pub owner: Owner,
    /// The epoch under which it was granted.
    pub epoch: Epoch,
    /// When it ends unless renewed.
    #[schemars(with = "String")]
    pub expires: Timestamp,
}

/// Why a claim or a mutation was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Refusal {
    /// Another run holds the fence.
    Held {
        /// The lease in force.
        by: Lease,
    },
    /// The mutation carried an epoch that is no longer the newest.
    Stale {
        /// The epoch carried.
        carried: Epoch,
        /// The epoch in force.
        current: Epoch,
    },
    /// The lease ended before the mutation arrived; claim again.
    Expired {
        /// When it ended.
        #[schemars(with = "String")]
        at: Timestamp,
    },
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Held { by } => {
                write!(f, "held by {} (epoch {}, until {})", by.owner.who, by.epoch.0, by.expires)
            }
            Self::Stale { carried, current } if carried == current => {
                write!(f, "the lease of epoch {} was given back", carried.0)
            }
            Self::Stale { carried, current } => {
                write!(f, "epoch {} is stale: the target is at epoch {}", carried.0, current.0)
            }
            Self::Expired { at } => write!(f, "the lease expired at {at}"),
        }
    }
}

/// The target's side of the fence: the last epoch given out and the lease in force, if any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fence {
    /// The last epoch given out.
    pub epoch: Epoch,
    /// The lease in force; it may have expired.
    pub lease: Option<Lease>,
}

impl Fence {
    /// Grants, renews or refuses. The same run renews under its own epoch as long as nobody else has
    /// claimed since; anybody else must wait for the end of the lease.
    ///
    /// # Errors
    /// [`Refusal::Held`] while another run's lease is in force.
    pub fn claim(&mut self, owner: &Owner, now: Timestamp, expires: Timestamp) -> Result<Lease, Refusal> {
        let epoch = match &self.lease {
            Some(lease) if lease.owner.run == owner.run && lease.expires > now => lease.epoch,
            Some(lease) if lease.expires > now => return Err(Refusal::Held { by: lease.clone() }),
            Some(_) | None => Epoch(self.epoch.0 + 1),
        };
        let lease = Lease { owner: owner.clone(), epoch, expires };
        self.epoch = epoch;
        self.lease = Some(lease.clone());
        Ok(lease)
    }

    /// Whether a mutation that carries `carried` may happen now.
    ///
    /// # Errors
    /// [`Refusal::Stale`] for any epoch but the newest, [`Refusal::Expired`] after the lease's end.
    pub fn admit(&self, carried: Epoch, now: Timestamp) -> Result<(), Refusal> {
        match &self.lease {
            Some(lease) if lease.epoch == carried && lease.expires > now => Ok(()),
            Some(lease) if lease.epoch == carried => Err(Refusal::Expired { at: lease.expires }),
            Some(_) | None => Err(Refusal::Stale { carried, current: self.epoch }),
        }
    }

    /// Renews the lease in force under its own epoch, and grants nothing: a renewal that comes late, because its run
    /// slept or the message did, must not take the fence from whoever is next.
    ///
    /// # Errors
    /// [`Refusal::Stale`] for any epoch but the newest or another run's, [`Refusal::Expired`] after the lease's end.
    pub fn renew(
        &mut self,
        owner: &Owner,
        epoch: Epoch,
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<Lease, Refusal> {
        self.admit(epoch, now)?;
        match &mut self.lease {
            Some(lease) if lease.owner.run == owner.run => {
                lease.expires = expires;
                Ok(lease.clone())
            }
            Some(_) | None => Err(Refusal::Stale { carried: epoch, current: self.epoch }),
        }
    }

    /// Gives the lease back, or takes it from a run that is known to be gone. The epoch stays.
    pub fn release(&mut self, epoch: Epoch) {
        if self.lease.as_ref().is_some_and(|lease| lease.epoch == epoch) {
            self.lease = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(run: &str) -> Owner {
        Owner { run: run.into(), who: run.into() }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    #[test]
    fn a_second_run_waits_for_the_lease_to_end() {
        let mut fence = Fence::default();
        let first = fence.claim(&owner("a"), at(0), at(10)).expect("free");
        assert!(matches!(fence.claim(&owner("b"), at(9), at(19)), Err(Refusal::Held { .. })));
        let second = fence.claim(&owner("b"), at(10), at(20)).expect("expired");
        assert!(second.epoch > first.epoch);
        assert!(matches!(fence.admit(first.epoch, at(11)), Err(Refusal::Stale { .. })));
        assert_eq!(fence.admit(second.epoch, at(11)), Ok(()));
    }

    #[test]
    fn an_expired_lease_admits_nothing_even_unclaimed() {
        let mut fence = Fence::default();
        let lease = fence.claim(&owner("a"), at(0), at(10)).expect("free");
        assert!(matches!(fence.admit(lease.epoch, at(10)), Err(Refusal::Expired { .. })));
        let again = fence.claim(&owner("a"), at(12), at(22)).expect("free again");
        assert!(again.epoch > lease.epoch, "a lapsed lease is not renewed but claimed anew");
    }

    #[test]
    fn a_late_renewal_takes_nothing() {
        let mut fence = Fence::default();
        let first = fence.claim(&owner("a"), at(0), at(10)).expect("free");
        assert_eq!(fence.renew(&owner("a"), first.epoch, at(9), at(19)).expect("in force").expires, at(19));
        let impostor = fence.renew(&owner("b"), first.epoch, at(10), at(20));
        assert!(matches!(impostor, Err(Refusal::Stale { .. })), "another run's lease");
        let lapsed = fence.renew(&owner("a"), first.epoch, at(19), at(29));
        assert_eq!(lapsed, Err(Refusal::Expired { at: at(19) }));
        let second = fence.claim(&owner("b"), at(20), at(30)).expect("expired");
        fence.release(second.epoch);
        let before = fence.clone();
        let stale = fence.renew(&owner("a"), first.epoch, at(21), at(31));
        assert_eq!(stale, Err(Refusal::Stale { carried: first.epoch, current: second.epoch }));
        assert_eq!(fence, before, "nobody holds it, and nobody got it");
    }

    #[test]
    fn renewal_keeps_the_epoch_and_release_frees_it() {
        let mut fence = Fence::default();
        let lease = fence.claim(&owner("a"), at(0), at(10)).expect("free");
        assert_eq!(fence.claim(&owner("a"), at(5), at(15)).expect("renewed").epoch, lease.epoch);
        fence.release(lease.epoch);
        assert!(fence.claim(&owner("b"), at(6), at(16)).expect("free").epoch > lease.epoch);
    }
}
