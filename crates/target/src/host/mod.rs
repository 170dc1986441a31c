//! The host driver: a plain machine, by its agent `windlassd`.

mod asleep;
mod client;
pub mod control;
mod corrupted;
pub mod secrets;
mod start;
pub(crate) mod upgrade;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use windlass_domain::fence::{Lease, Owner};
use windlass_domain::journal::{Entry, Event, Head};
use windlass_domain::policy::Span;
use windlass_domain::release::{SecretVersion, Sequence};
use windlass_domain::rollout::Step;

pub use self::asleep::asleep;
pub(crate) use self::asleep::from_files;
pub use self::client::{Client, Unusable};
use self::control::{
    AgentState, Append, Appended, Applied, Apply, AskedSecrets, Claim, Configure, KnownSecrets, Launch,
    Place, ReleaseLease, RevisionState, Shutdown, Usage,
};
pub use self::corrupted::Corrupted;
pub use self::start::{AgentCommand, NotStarted, ensure};
pub use self::upgrade::{TooNew, is_older};
use crate::driver::{
    Capabilities, Driver, DriverError, Look, Metrics, Package, Seen, Tallies, Tally, for_no_host,
};
use crate::fenced;

/// A host, reached through its agent's socket.
#[derive(Clone, Debug)]
pub struct Host {
    client: Client,
    root: PathBuf,
    place: Place,
    agent: Option<AgentCommand>,
    packages: Arc<Mutex<BTreeMap<Sequence, Package>>>,
    /// The journal's head after this run's last append: what it asks for next is asked under that.
    head: Arc<Mutex<Option<Head>>>,
    clock: Span,
}

impl Host {
    /// The host whose agent keeps its files in `root`. `clock` is the longest that a step may take.
    #[must_use]
    pub fn new(root: &Path, place: Place, clock: Span) -> Self {
        Self {
            client: Client::new(root),
            root: root.to_owned(),
            place,
            agent: None,
            packages: Arc::default(),
            head: Arc::default(),
            clock,
        }
    }

    /// A host somewhere else, whose agent is reached by a socket here, which leads there.
    pub(crate) fn behind(socket: PathBuf, root: &Path, place: Place, clock: Span) -> Self {
        Self { client: Client::at(socket), ..Self::new(root, place, clock) }
    }

    /// The same host, whose agent is started by this command where none runs.
    #[must_use]
    pub fn started_by(self, agent: AgentCommand) -> Self {
        Self { agent: Some(agent), ..self }
    }

    fn packages(&self) -> std::sync::MutexGuard<'_, BTreeMap<Sequence, Package>> {
        self.packages.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// What the agent shows, whose state this is.
    pub(crate) async fn look_at(&self, state: AgentState) -> Result<Look, DriverError> {
        let history = fenced::history(self).await?;
        let tallies = Some(tallies(&state));
        Ok(Look { history, seen: seen(state), is_awake: true, tallies, hosts: Vec::new() })
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

    fn place(&self) -> String {
        format!("host at {}", self.root.display())
    }

    fn folder(&self) -> Option<&Path> {
        Some(&self.root)
    }

    fn metrics(&self) -> Option<Metrics> {
        Some(Metrics::UnixSocket(self.client.socket().to_owned()))
    }

    fn supply(&self, revision: Sequence, package: Package) {
        self.packages().insert(revision, package);
    }

    async fn wake(&self) -> Result<Option<String>, DriverError> {
        let Some(agent) = &self.agent else { return Ok(None) };
        ensure(&self.client, &self.root, agent).await.map_err(|error| DriverError::Unreachable {
            attempt: "there is no agent for the target".to_owned(),
            source: Box::new(error),
        })
    }

    async fn look(&self) -> Result<Look, DriverError> {
        let Ok(state) = self.state().await else {
            let (history, seen) = asleep(&self.root)?;
            return Ok(Look { history, seen, is_awake: false, tallies: None, hosts: Vec::new() });
        };
        self.look_at(state).await
    }

    async fn secrets(&self, parameters: &Value) -> Result<Vec<SecretVersion>, DriverError> {
        let launch: Launch =
            serde_json::from_value(parameters.clone()).map_err(|error| DriverError::Judged {
                why: format!("the release's parameters are not a host's: {error}"),
                log: Vec::new(),
            })?;
        if launch.secrets.is_empty() {
            return Ok(Vec::new());
        }
        if self.client.connect().await.is_ok() {
            let asked = AskedSecrets { secrets: launch.secrets };
            let known: KnownSecrets = self.client.tell("/v1/secrets", &asked).await?;
            return Ok(known.versions);
        }
        // No agent to ask: the files say it, if one ever ran here and made its key.
        let faulty = |error: std::io::Error| DriverError::Unreachable {
            attempt: "cannot tell the versions of the secrets".to_owned(),
            source: error.into(),
        };
        let Some(key) = secrets::Key::read(&self.root).map_err(faulty)? else { return Ok(Vec::new()) };
        secrets::versions(&key, &launch.secrets).map_err(|why| DriverError::Judged { why, log: Vec::new() })
    }

    async fn tallies(&self) -> Result<Option<Tallies>, DriverError> {
        Ok(Some(tallies(&self.state().await?)))
    }

    async fn observe(&self) -> Result<Seen, DriverError> {
        Ok(seen(self.state().await?))
    }

    async fn claim(&self, owner: &Owner, ttl: Span) -> Result<Lease, DriverError> {
        let claim = Claim { owner: owner.clone(), ttl_ms: ttl.into(), renews: None };
        self.client.tell("/v1/claim", &claim).await
    }

    async fn renew(&self, lease: &Lease, ttl: Span) -> Result<Lease, DriverError> {
        let claim = Claim { owner: lease.owner.clone(), ttl_ms: ttl.into(), renews: Some(lease.epoch) };
        self.client.tell("/v1/claim", &claim).await
    }

    async fn release(&self, lease: &Lease) -> Result<(), DriverError> {
        self.client.tell("/v1/release", &ReleaseLease { epoch: lease.epoch }).await
    }

    async fn apply(&self, lease: &Lease, step: &Step) -> Result<String, DriverError> {
        for_no_host(step)?;
        let mut package = None;
        if let Step::Stage { revision, .. } = step {
            let configure = Configure { epoch: lease.epoch, place: self.place.clone() };
            let _: AgentState = self.client.tell("/v1/configure", &configure).await?;
            package = self.packages().get(revision).cloned().map(packed).transpose()?;
        }
        let after = *self.head.lock().unwrap_or_else(PoisonError::into_inner);
        let apply = Apply { epoch: lease.epoch, step: step.clone(), package, after };
        // The drive loop keeps the step's clock; this only bounds a silent agent a little later.
        let limit = step.own_time().unwrap_or(self.clock).get() + Duration::from_secs(30);
        let applied: Applied = self.client.post("/v1/apply", &apply, limit).await?;
        Ok(applied.note)
    }

    async fn read(&self) -> Result<Vec<Entry>, DriverError> {
        let bytes = self.client.get_bytes("/v1/journal").await?;
        asleep::entries(&bytes, &self.root.join(control::LEDGER))
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
        *self.head.lock().unwrap_or_else(PoisonError::into_inner) = Some(appended.head);
        Ok(appended.head)
    }
}

fn seen(state: AgentState) -> Seen {
    let revisions = state.revisions.iter().map(|revision| (revision.revision, ready(revision)));
    Seen {
        weights: state.weights,
        revisions: revisions.collect(),
        url: state.listening.map(|address| format!("http://{address}")),
        lease: state.lease,
        now: state.now,
        hosts: Vec::new(),
    }
}

fn tallies(state: &AgentState) -> Tallies {
    let tally = |one: &RevisionState| Tally {
        ready: ready(one),
        wanted: one.wanted,
        restarts: one.instances.iter().map(|instance| instance.restarts).sum(),
        in_flight: one.in_flight,
        requests: one.counts.requests,
        bad: one.counts.bad,
        failed: one.counts.failed,
        memory_bytes: sum(one, |usage| usage.memory_bytes),
        cpu_ms: sum(one, |usage| usage.cpu_ms),
        open_files: sum(one, |usage| usage.open_files),
        start_ms: one.instances.iter().filter_map(|instance| instance.ready_after_ms).max(),
    };
    state.revisions.iter().map(|one| (one.revision, tally(one))).collect()
}

fn sum(revision: &RevisionState, of: fn(&Usage) -> u64) -> Option<u64> {
    let each = revision.instances.iter().filter_map(|instance| instance.usage.as_ref());
    each.map(of).reduce(u64::saturating_add)
}

fn ready(revision: &RevisionState) -> u16 {
    let ready = revision.instances.iter().filter(|instance| instance.ready).count();
    u16::try_from(ready).unwrap_or(u16::MAX)
}

/// A package as the agent takes it.
fn packed(package: Package) -> Result<control::Package, DriverError> {
    let Package { artifact, artifact_path, config, config_paths, parameters } = package;
    let launch = serde_json::from_value(parameters).map_err(|error| DriverError::Judged {
        why: format!("the release does not say how a host runs it: {error}"),
        log: Vec::new(),
    })?;
    Ok(control::Package { artifact, artifact_path, config, config_paths, launch })
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
pub fn check_root(root: &Path) -> Result<PathBuf, String> {
    let socket = root.join(control::SOCKET);
    if socket.as_os_str().len() > 107 {
        return Err(format!(
            "the path of the agent's socket, {}, is longer than 107 bytes: set a shorter `root:` for the target",
            socket.display()
        ));
    }
    Ok(root.to_owned())
}
