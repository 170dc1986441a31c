//! What a driver must provide: a handful of verbs over one environment.

use async_trait::async_trait;
use jiff::Timestamp;
use windlass_domain::fence::{Lease, Owner, Refusal};
use windlass_domain::journal::{Entry, Event, Head};
use windlass_domain::outcome::Outcome;
use windlass_domain::policy::Span;
use windlass_domain::release::Sequence;
use windlass_domain::rollout::{Step, Weights};

/// What a driver can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Its kind: `host`.
    pub kind: &'static str,
    /// Whether requests can be split by weight; otherwise they can only be flipped.
    pub weights: bool,
}

/// What is seen on a target.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// The weights in effect.
    pub weights: Weights,
    /// The revisions that are staged and whole, oldest first, with the number of ready instances.
    pub revisions: Vec<(Sequence, u16)>,
    /// The address that serves the environment, as a URL.
    pub url: Option<String>,
    /// The lease in force.
    pub lease: Option<Lease>,
    /// The target's time.
    pub now: Timestamp,
}

/// Why a verb did not do what was asked.
#[derive(Debug)]
pub enum DriverError {
    /// The fence refused.
    Fence(Refusal),
    /// The journal has moved on; it must be read again.
    Head(Head),
    /// The step was judged no: trying again will not help.
    Judged {
        /// Why.
        why: String,
        /// The last lines of the release's log.
        log: Vec<String>,
    },
    /// The target could not be reached or could not judge. A later run may go on.
    Unreachable {
        /// What was attempted, and on what.
        attempt: String,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl std::fmt::Display for DriverError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fence(refusal) => write!(f, "the fence refused: {refusal}"),
            Self::Head(head) => write!(f, "the journal has moved on to entry {}", head.number),
            Self::Judged { why, .. } => f.write_str(why),
            Self::Unreachable { attempt, .. } => f.write_str(attempt),
        }
    }
}

impl DriverError {
    /// What a run that met it ends with: a fence or a journal that moved on means somebody else is at work.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        match self {
            Self::Fence(_) | Self::Head(_) => Outcome::Refused,
            Self::Judged { .. } => Outcome::Failed,
            Self::Unreachable { .. } => Outcome::Unknown,
        }
    }
}

impl std::error::Error for DriverError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreachable { source, .. } => Some(&**source),
            Self::Fence(_) | Self::Head(_) | Self::Judged { .. } => None,
        }
    }
}

/// One environment, reached. Every mutation carries the lease's epoch; `apply` is idempotent.
#[async_trait]
pub trait Driver: Send + Sync {
    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// Looks.
    async fn observe(&self) -> Result<Seen, DriverError>;

    /// Takes or renews the fence.
    async fn claim(&self, owner: &Owner, ttl: Span) -> Result<Lease, DriverError>;

    /// Gives it back.
    async fn release(&self, lease: &Lease) -> Result<(), DriverError>;

    /// Makes one step take effect. Returns what it says of itself, for people.
    async fn apply(&self, lease: &Lease, step: &Step) -> Result<String, DriverError>;

    /// The whole journal, oldest first.
    async fn read(&self) -> Result<Vec<Entry>, DriverError>;

    /// Appends to the journal, all or none, if its head is still `after`.
    async fn append(
        &self,
        lease: &Lease,
        after: Head,
        by: &str,
        events: Vec<Event>,
    ) -> Result<Head, DriverError>;
}
