//! The fence as it lies on this host: persisted before it is answered, and bound to the process that claimed it.

use std::io;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use windlass_domain::fence::{Epoch, Fence, Lease, Owner, Refusal};

use crate::process::Process;
use crate::root::{Root, read_json, write_json};

/// The longest lease: a claimer that asks for more gets this, so that none holds a target for weeks.
const LONGEST: u64 = 15 * 60 * 1000;

/// The fence and who claimed it.
#[derive(Debug)]
pub(crate) struct Gate {
    root: Root,
    kept: Kept,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Kept {
    fence: Fence,
    /// The process at the other end of the socket when the lease was claimed; unknown across a PID namespace.
    holder: Option<Process>,
}

/// Why the fence was not given.
#[derive(Debug)]
pub(crate) enum NotClaimed {
    /// It is another's.
    Refused(Refusal),
    /// It could not be written down, so it was not given.
    Io(io::Error),
}

impl Gate {
    /// Reads the fence. An unreadable one is an error: it is never taken for a free one.
    pub(crate) fn open(root: &Root) -> io::Result<Self> {
        Ok(Self { root: root.clone(), kept: read_json(&root.fence())?.unwrap_or_default() })
    }

    /// The last epoch given out.
    pub(crate) const fn epoch(&self) -> Epoch {
        self.kept.fence.epoch
    }

    /// The lease in force.
    pub(crate) fn lease(&self, now: Timestamp) -> Option<Lease> {
        let lease = self.kept.fence.lease.clone().filter(|lease| lease.expires > now)?;
        (!self.holder_is_gone()).then_some(lease)
    }

    /// Grants or renews. A lease whose claimer's process is gone is void at once.
    pub(crate) fn claim(
        &mut self,
        owner: &Owner,
        holder: Option<Process>,
        ttl_ms: u64,
        now: Timestamp,
    ) -> Result<Lease, NotClaimed> {
        let mut kept = self.kept.clone();
        if self.holder_is_gone() {
            kept.fence.release(kept.fence.epoch);
        }
        let ttl = SignedDuration::from_millis(
            i64::try_from(ttl_ms.clamp(1, LONGEST)).expect("a quarter of an hour fits"),
        );
        let expires = now.checked_add(ttl).unwrap_or(Timestamp::MAX);
        let lease = kept.fence.claim(owner, now, expires).map_err(NotClaimed::Refused)?;
        kept.holder = holder;
        self.keep(kept).map_err(NotClaimed::Io)?;
        Ok(lease)
    }

    /// Whether a mutation under this epoch may happen now.
    pub(crate) fn admit(&self, epoch: Epoch, now: Timestamp) -> Result<(), Refusal> {
        self.kept.fence.admit(epoch, now)
    }

    /// Gives the lease back. Giving back what is not held any more changes nothing.
    pub(crate) fn release(&mut self, epoch: Epoch) -> io::Result<()> {
        let mut kept = self.kept.clone();
        kept.fence.release(epoch);
        if kept.fence.lease.is_none() {
            kept.holder = None;
        }
        self.keep(kept)
    }

    fn holder_is_gone(&self) -> bool {
        self.kept.fence.lease.is_some() && self.kept.holder.is_some_and(|holder| !holder.is_alive())
    }

    fn keep(&mut self, kept: Kept) -> io::Result<()> {
        write_json(&self.root.fence(), &kept)?;
        self.kept = kept;
        Ok(())
    }
}
