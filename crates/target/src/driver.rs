//! What a driver must provide: a handful of verbs over one environment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use jiff::Timestamp;
use windlass_domain::digest::Digest;
use windlass_domain::fence::{Lease, Owner, Refusal};
use windlass_domain::journal::{Entry, Event, Head, History};
use windlass_domain::outcome::Outcome;
use windlass_domain::policy::Span;
use windlass_domain::release::{Release, SecretVersion, Sequence};
use windlass_domain::rollout::{Standing, Step, Weights};

use crate::fenced;

/// What a driver can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Its kind, as `windlass.yml` calls it: `host`.
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
    /// The revisions that are staged on each host, by its name, where there are several or other ones than this machine.
    pub hosts: Vec<(String, Vec<Sequence>)>,
}

impl Seen {
    /// Whether a revision's files are on the target: everywhere, or on a host that the others can get them from.
    #[must_use]
    pub fn keeps(&self, revision: Sequence) -> bool {
        self.revisions.iter().any(|(staged, _)| *staged == revision)
            || self.hosts.iter().any(|(_, staged)| staged.contains(&revision))
    }

    /// The hosts that have not got a revision's files.
    #[must_use]
    pub fn lacking(&self, revision: Sequence) -> Vec<String> {
        let lacks = self.hosts.iter().filter(|(_, staged)| !staged.contains(&revision));
        lacks.map(|(name, _)| name.clone()).collect()
    }

    /// Whether everything goes to this revision, and an instance of it is ready.
    #[must_use]
    pub fn serves_only(&self, revision: Sequence) -> bool {
        let is_ready = |(staged, ready): &(Sequence, u16)| *staged == revision && *ready > 0;
        self.weights == Weights::all(revision) && self.revisions.iter().any(is_ready)
    }
}

/// Where the target stands, as a plan is made from it.
#[must_use]
pub fn standing(history: &History, seen: &Seen) -> Standing {
    Standing::new(history.live().map(|commit| commit.revision), &seen.weights, &seen.revisions)
}

/// What a target shows to whoever only looks.
#[derive(Clone, Debug)]
pub struct Look {
    /// What its journal says.
    pub history: History,
    /// What is seen on it.
    pub seen: Seen,
    /// Whether it can be asked and changed as it is; otherwise the first move wakes it, and what is seen is what its
    /// files say.
    pub is_awake: bool,
    /// What it counted; `None` where it counts nothing.
    pub tallies: Option<Tallies>,
    /// Each host by itself, where there are several or other ones than this machine.
    pub hosts: Vec<HostLook>,
}

/// What one of several hosts shows.
#[derive(Clone, Debug)]
pub struct HostLook {
    /// Its name, as the policy has it.
    pub name: String,
    /// What is seen on it, and whether its agent runs; or why it cannot be looked at.
    pub seen: Result<(Seen, bool), String>,
    /// What is wrong with its copy of the ledger, if anything.
    pub ledger: Option<String>,
}

impl Look {
    /// Where the target stands for a plan that is made under the fence, when this look was taken before it was woken: a
    /// target that slept is told as it slept, since that is what an approved plan was made from. What `history` and
    /// `seen` say counts as soon as anything was written since.
    #[must_use]
    pub fn standing_under(&self, history: &History, seen: &Seen) -> Standing {
        if self.is_awake || self.history.head != history.head {
            standing(history, seen)
        } else {
            standing(&self.history, &self.seen)
        }
    }
}

/// What was counted, by revision.
pub type Tallies = BTreeMap<Sequence, Tally>;

/// What a target counted of one revision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Instances that are ready.
    pub ready: u16,
    /// Instances that shall run.
    pub wanted: u16,
    /// How often instances were started again after they had ended by themselves.
    pub restarts: u32,
    /// Requests being answered, upgraded connections included.
    pub in_flight: u64,
    /// Requests that were answered or failed.
    pub requests: u64,
    /// Of these, bad answers: 5xx, and connections that the service broke.
    pub bad: u64,
    /// Of these, requests that found no instance or no connection.
    pub failed: u64,
    /// Memory of all its instances, in bytes; `None` where nothing runs or it is not measured, as for those that follow.
    pub memory_bytes: Option<u64>,
    /// Processor time of all its instances since they started, in milliseconds.
    pub cpu_ms: Option<u64>,
    /// Open file descriptors of all its instances.
    pub open_files: Option<u64>,
    /// From its start to its readiness, of the slowest instance, in milliseconds.
    pub start_ms: Option<u64>,
}

/// What staging needs beside the step: where the files lie on this machine, and what comes back with the release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// The digest that the staged copy must have.
    pub artifact: Digest,
    /// The file or folder to copy; `None` where the revision must be staged already.
    pub artifact_path: Option<PathBuf>,
    /// The digest of the configuration.
    pub config: Option<Digest>,
    /// Its files and folders: the name beside the artifact, and where it lies.
    pub config_paths: Vec<(String, PathBuf)>,
    /// The release's driver parameters.
    pub parameters: serde_json::Value,
}

/// Where a target tells what it measures: Prometheus text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Metrics {
    /// `GET /metrics` on this Unix socket.
    UnixSocket(PathBuf),
    /// The same on each of these, one a host; what they count is added up.
    Several(Vec<PathBuf>),
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

/// Refuses a step for some hosts only, where the target has none to tell apart.
///
/// # Errors
/// Judged no, with the name of such a host.
pub(crate) fn for_no_host(step: &Step) -> Result<(), DriverError> {
    let (Step::Stage { on, .. } | Step::AwaitReady { on, .. } | Step::Shift { on, .. }) = step else {
        return Ok(());
    };
    let Some(name) = on.first() else { return Ok(()) };
    let why =
        format!("`{step}` is for the host {name}, and the target has no hosts: put it back into `hosts:`");
    Err(DriverError::Judged { why, log: Vec::new() })
}

/// One environment, reached. Every mutation carries the lease's epoch; `apply` is idempotent.
#[async_trait]
pub trait Driver: Send + Sync {
    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// Where it is, for people: `host at /var/lib/shop`.
    fn place(&self) -> String;

    /// Where its files are on this machine, where that is known.
    fn folder(&self) -> Option<&Path> {
        None
    }

    /// Where errors and latency are measured; `None` where only probes can judge.
    fn metrics(&self) -> Option<Metrics> {
        None
    }

    /// Says where the files of a revision lie, for its `stage` step.
    fn supply(&self, revision: Sequence, package: Package);

    /// Brings the staged files of a release into an empty folder of this machine, and says where they lie there; `None`
    /// where the target cannot.
    async fn fetch(&self, _release: &Release, _into: &Path) -> Result<Option<Package>, DriverError> {
        Ok(None)
    }

    /// Makes the target answer: whoever moves it calls this first. Nothing that is served changes. Returns what people
    /// should know of it.
    async fn wake(&self) -> Result<Option<String>, DriverError> {
        Ok(None)
    }

    /// Looks at everything, and wakes nothing.
    async fn look(&self) -> Result<Look, DriverError> {
        let seen = self.observe().await?;
        let history = fenced::history(self).await?;
        Ok(Look { history, seen, is_awake: true, tallies: self.tallies().await?, hosts: Vec::new() })
    }

    /// What was counted since it began to count; `None` where it counts nothing.
    async fn tallies(&self) -> Result<Option<Tallies>, DriverError> {
        Ok(None)
    }

    /// The versions that the secrets of a release with these parameters have now; none where it has none, or where
    /// the target does not tell. A secret that cannot be given is judged no.
    async fn secrets(&self, _parameters: &serde_json::Value) -> Result<Vec<SecretVersion>, DriverError> {
        Ok(Vec::new())
    }

    /// Looks.
    async fn observe(&self) -> Result<Seen, DriverError>;

    /// Takes the fence.
    async fn claim(&self, owner: &Owner, ttl: Span) -> Result<Lease, DriverError>;

    /// Renews the lease under its own epoch. A target that only knows claims may grant a new epoch to a lease that
    /// has lapsed meanwhile: that is given back, and the renewal is refused.
    async fn renew(&self, lease: &Lease, ttl: Span) -> Result<Lease, DriverError> {
        let renewed = self.claim(&lease.owner, ttl).await?;
        if renewed.epoch == lease.epoch {
            return Ok(renewed);
        }
        self.release(&renewed).await?;
        Err(DriverError::Fence(Refusal::Stale { carried: lease.epoch, current: renewed.epoch }))
    }

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
