//! The host driver: a plain machine, by its agent `windlassd`.

mod asleep;
mod client;
pub mod control;
mod start;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use windlass_domain::fence::{Lease, Owner};
use windlass_domain::journal::{Entry, Event, Head};
use windlass_domain::policy::Span;
use windlass_domain::release::Sequence;
use windlass_domain::rollout::Step;

pub use self::asleep::asleep;
pub use self::client::{Client, Unusable};
use self::control::{
    AgentState, Append, Appended, Applied, Apply, Claim, Configure, Package, Place, ReleaseLease, Shutdown,
};
pub use self::start::{AgentCommand, NotStarted, ensure};
use crate::driver::{Capabilities, Driver, DriverError, Seen};

/// A host, reached through its agent's socket.
#[derive(Clone, Debug)]
pub struct Host {
    client: Client,
    place: Place,
    packages: Arc<Mutex<BTreeMap<Sequence, Package>>>,
    clock: Span,
}

impl Host {
    /// The host whose agent keeps its files in `root`. `clock` is the longest that a step may take.
    #[must_use]
    pub fn new(root: &std::path::Path, place: Place, clock: Span) -> Self {
        Self { client: Client::new(root), place, packages: Arc::default(), clock }
    }

    /// Says where the files of a revision lie, for its `stage` step.
    pub fn package(&self, revision: Sequence, package: Package) {
        self.packages().insert(revision, package);
    }

    fn packages(&self) -> std::sync::MutexGuard<'_, BTreeMap<Sequence, Package>> {
        self.packages.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The agent's client.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// The agent's whole state.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn state(&self) -> Result<AgentState, DriverError> {
        self.client.get("/v1/state").await
    }

    /// Ends the agent, and waits until its process is gone: it writes its files to the last.
    ///
    /// # Errors
    /// When it cannot be reached, or does not end within a minute.
    pub async fn shutdown(&self, stop_instances: bool) -> Result<(), DriverError> {
        let pid = self.state().await?.pid;
        let limit = Duration::from_secs(60);
        let () = self.client.post("/v1/shutdown", &Shutdown { stop_instances }, limit).await?;
        for _ in 0..2400 {
            if !runs(pid) && self.client.connect().await.is_err() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        Err(DriverError::Unreachable {
            attempt: format!("cannot end the agent of {}", self.client.socket().display()),
            source: format!("process {pid} still runs after a minute").into(),
        })
    }
}

#[async_trait]
impl Driver for Host {
    fn capabilities(&self) -> Capabilities {
        Capabilities { kind: "host", weights: true }
    }

    async fn observe(&self) -> Result<Seen, DriverError> {
        let state = self.state().await?;
        let revisions = state.revisions.iter().map(|revision| {
            let ready = revision.instances.iter().filter(|instance| instance.ready).count();
            (revision.revision, u16::try_from(ready).unwrap_or(u16::MAX))
        });
        Ok(Seen {
            weights: state.weights.clone(),
            revisions: revisions.collect(),
            url: state.listening.map(|address| format!("http://{address}")),
            lease: state.lease,
            now: state.now,
        })
    }

    async fn claim(&self, owner: &Owner, ttl: Span) -> Result<Lease, DriverError> {
        self.client.tell("/v1/claim", &Claim { owner: owner.clone(), ttl_ms: ttl.into() }).await
    }

    async fn release(&self, lease: &Lease) -> Result<(), DriverError> {
        self.client.tell("/v1/release", &ReleaseLease { epoch: lease.epoch }).await
    }

    async fn apply(&self, lease: &Lease, step: &Step) -> Result<String, DriverError> {
        let mut package = None;
        if let Step::Stage { revision, .. } = step {
            let configure = Configure { epoch: lease.epoch, place: self.place.clone() };
            let _: AgentState = self.client.tell("/v1/configure", &configure).await?;
            package = self.packages().get(revision).cloned();
        }
        let apply = Apply { epoch: lease.epoch, step: step.clone(), package };
        // The drive loop keeps the step's clock; this only bounds a silent agent a little later.
        let limit = self.clock.get() + Duration::from_secs(30);
        let applied: Applied = self.client.post("/v1/apply", &apply, limit).await?;
        Ok(applied.note)
    }

    async fn read(&self) -> Result<Vec<Entry>, DriverError> {
        let bytes = self.client.get_bytes("/v1/journal").await?;
        asleep::entries(&bytes, self.client.socket())
    }

    async fn append(
        &self,
        lease: &Lease,
        after: Head,
        by: &str,
        events: Vec<Event>,
    ) -> Result<Head, DriverError> {
        let append = Append { epoch: lease.epoch, after, by: by.to_owned(), events };
        let appended: Appended = self.client.tell("/v1/journal", &append).await?;
        Ok(appended.head)
    }
}

/// Whether a process runs. One that has ended and only waits to be reaped does not; where there is no `/proc`, the
/// socket alone tells.
fn runs(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        stat.rsplit_once(')').is_some_and(|(_, fields)| !fields.trim_start().starts_with(['Z', 'X']))
    })
}

/// The root of an agent, made absolute, and short enough for its socket's path.
///
/// # Errors
/// When the socket's path is longer than the 107 bytes that the system allows.
pub fn check_root(root: &std::path::Path) -> Result<PathBuf, String> {
    let socket = root.join(control::SOCKET);
    if socket.as_os_str().len() > 107 {
        return Err(format!(
            "the path of the agent's socket, {}, is longer than 107 bytes: set a shorter `root:` for the target",
            socket.display()
        ));
    }
    Ok(root.to_owned())
}
