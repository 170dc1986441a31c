//! One far host: its agent, reached through a connection that this run keeps.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::OnceCell;
use windlass_domain::fence::{Lease, Owner};
use windlass_domain::journal::{Entry, Event, Head};
use windlass_domain::place::host_root;
use windlass_domain::policy::Span;
use windlass_domain::release::{Release, SecretVersion, Sequence};
use windlass_domain::rollout::Step;

use super::agent::{Program, last_words};
use super::fetch::fetch;
use super::link::{Link, SHORT};
use super::parcel;
use super::ssh::{Ssh, unreachable};
use crate::driver::{Capabilities, Driver, DriverError, Look, Metrics, Package, Seen, Tallies};
use crate::host::control::{LEDGER, Place, SOCKET};
use crate::host::{Host, check_root, from_files};

/// How long a started agent may take until it answers.
const STARTING: Duration = Duration::from_secs(20);

/// `$1` the root: its revisions, a line each, an empty line, and the ledger.
const FILES: &str = r#"
cd "$1" 2>/dev/null || { echo; exit 0; }
ls revisions 2>/dev/null
echo
[ ! -e ledger.jsonl ] || cat ledger.jsonl
"#;

/// What is the same for all hosts of a target.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) ssh: Ssh,
    pub(super) program: Program,
    /// `root:` of the policy.
    pub(super) root: Option<String>,
    pub(super) place: Place,
    /// The longest that a step may take.
    pub(super) clock: Span,
}

/// A host behind `ssh`. It is connected once; when that connection ends, this run can do nothing more there.
#[derive(Debug)]
pub(super) struct Remote {
    name: String,
    setting: Setting,
    reached: OnceCell<Reached>,
    packages: Mutex<BTreeMap<Sequence, Package>>,
}

#[derive(Debug)]
struct Reached {
    link: Link,
    root: String,
    host: Host,
    /// Where the router's own address, which only the host itself can reach, is reached from here.
    near: tokio::sync::Mutex<BTreeMap<SocketAddr, SocketAddr>>,
}

impl Remote {
    pub(super) fn new(name: &str, setting: &Setting) -> Self {
        Self {
            name: name.to_owned(),
            setting: setting.clone(),
            reached: OnceCell::new(),
            packages: Mutex::default(),
        }
    }

    async fn reach(&self) -> Result<&Reached, DriverError> {
        let reached = self.reached.get_or_try_init(|| self.connect()).await?;
        reached.link.check()?;
        Ok(reached)
    }

    async fn connect(&self) -> Result<Reached, DriverError> {
        let Setting { ssh, root, place, clock, .. } = &self.setting;
        let link = Link::open(ssh, &self.name).await?;
        let root = self.root(&link, root.as_deref(), place)?;
        let near = link.forward("agent", &Path::new(&root).join(SOCKET)).await?;
        let host = Host::behind(near, Path::new(&root), place.clone(), *clock);
        Ok(Reached { link, root, host, near: tokio::sync::Mutex::default() })
    }

    /// The root there, by the variables there.
    fn root(&self, link: &Link, root: Option<&str>, place: &Place) -> Result<String, DriverError> {
        let attempt =
            || format!("cannot tell where the files of {} are on the host {}", place.environment, self.name);
        let far = [("HOME", &link.greeting.home), ("XDG_STATE_HOME", &link.greeting.state_home)];
        let vars = far.into_iter().filter(|(_, value)| !value.is_empty());
        let vars = vars.map(|(name, value)| (name.to_owned(), value.clone())).collect();
        let found = host_root(&vars, &place.app, &place.environment, root, Path::new(""));
        let found = found.ok_or_else(|| unreachable(attempt(), "neither `root:` nor HOME says so"))?;
        if !found.is_absolute() {
            let why =
                format!("`root: {}` must begin with / or ~/ where the target has `hosts:`", found.display());
            return Err(unreachable(attempt(), why));
        }
        let found = check_root(&found).map_err(|why| unreachable(attempt(), why))?;
        Ok(found.to_string_lossy().into_owned())
    }

    async fn agent(&self) -> Result<&Host, DriverError> {
        Ok(&self.reach().await?.host)
    }

    /// Where the connection ended meanwhile, that is what is wrong, and not what came of it.
    async fn rather<T>(&self, result: Result<T, DriverError>) -> Result<T, DriverError> {
        if let (Err(DriverError::Unreachable { .. }), Some(reached)) = (&result, self.reached.get()) {
            reached.link.check_soon().await?;
        }
        result
    }

    /// Has a revision there: as it is staged already, or sent.
    async fn stage(
        &self,
        reached: &Reached,
        lease: &Lease,
        step: &Step,
        package: Package,
    ) -> Result<String, DriverError> {
        let Step::Stage { revision, .. } = step else { return reached.host.apply(lease, step).await };
        let state = reached.host.state().await?;
        if state.revisions.iter().any(|one| one.revision == *revision && one.artifact == package.artifact) {
            reached.host.supply(*revision, Package { artifact_path: None, ..package.clone() });
            match reached.host.apply(lease, step).await {
                // Another configuration, say: the agent has to see it.
                Err(DriverError::Judged { .. }) => {}
                done => return done,
            }
        }
        let sent = parcel::send(&reached.link, &reached.root, &package, self.setting.clock.get()).await?;
        reached.host.supply(*revision, sent);
        let done = reached.host.apply(lease, step).await;
        // What stays behind is removed by whoever sends next.
        let _ = parcel::clear(&reached.link, &reached.root).await;
        done
    }

    /// The address as it can be asked from here: a host's own loopback is only there, so that it is forwarded.
    async fn nearer(&self, reached: &Reached, mut seen: Seen) -> Result<Seen, DriverError> {
        let Some((scheme, address)) = seen.url.as_deref().and_then(|url| url.split_once("://")) else {
            return Ok(seen);
        };
        let Ok(address) = address.trim_end_matches('/').parse::<SocketAddr>() else { return Ok(seen) };
        if address.ip().is_unspecified() {
            let name = reached.link.hostname().await?;
            let name = if name.contains(':') { format!("[{name}]") } else { name };
            seen.url = Some(format!("{scheme}://{name}:{}", address.port()));
        } else if address.ip().is_loopback() {
            let mut near = reached.near.lock().await;
            let here = match near.get(&address) {
                Some(here) => *here,
                None => {
                    let here = free_port()
                        .map_err(|error| unreachable("cannot find a free port".to_owned(), error))?;
                    reached.link.forward_port(here, address).await?;
                    near.insert(address, here);
                    here
                }
            };
            seen.url = Some(format!("{scheme}://{here}"));
        }
        Ok(seen)
    }
}

fn free_port() -> std::io::Result<SocketAddr> {
    TcpListener::bind((IpAddr::V4(Ipv4Addr::LOCALHOST), 0))?.local_addr()
}

#[async_trait]
impl Driver for Remote {
    fn capabilities(&self) -> Capabilities {
        Capabilities { kind: "host", weights: true }
    }

    fn place(&self) -> String {
        match self.reached.get() {
            Some(reached) => format!("{}:{}", self.name, reached.root),
            None => self.name.clone(),
        }
    }

    fn metrics(&self) -> Option<Metrics> {
        self.reached.get().and_then(|reached| reached.host.metrics())
    }

    fn supply(&self, revision: Sequence, package: Package) {
        self.packages.lock().unwrap_or_else(PoisonError::into_inner).insert(revision, package);
    }

    async fn fetch(&self, release: &Release, into: &Path) -> Result<Option<Package>, DriverError> {
        let reached = self.reach().await?;
        let limit = self.setting.clock.get();
        self.rather(fetch(&reached.link, &reached.root, release, into, limit).await.map(Some)).await
    }

    async fn wake(&self) -> Result<Option<String>, DriverError> {
        let reached = self.reach().await?;
        if let Ok(state) = reached.host.state().await {
            let Reached { link, root, host, .. } = reached;
            let renewed = self.setting.program.renew(link, &self.name, root, host.client(), &state).await;
            return self.rather(renewed).await;
        }
        self.rather(self.setting.program.start(&reached.link, &self.name, &reached.root).await).await?;
        let answers = async {
            while reached.host.state().await.is_err() && reached.link.check().is_ok() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let answered = tokio::time::timeout(STARTING, answers).await;
        reached.link.check()?;
        if answered.is_ok() {
            return Ok(None);
        }
        let said = last_words(&reached.link, &reached.root).await;
        Err(unreachable(
            format!(
                "the agent on the host {} was started for {} and does not answer",
                self.name, reached.root
            ),
            said,
        ))
    }

    async fn look(&self) -> Result<Look, DriverError> {
        let reached = self.reach().await?;
        if let Ok(state) = reached.host.state().await {
            return self.rather(reached.host.look_at(state).await).await;
        }
        let bytes = reached.link.done(FILES, &[&reached.root], SHORT, "read the files on").await?;
        let (names, ledger) = match bytes.windows(2).position(|pair| pair == b"\n\n") {
            _ if bytes.starts_with(b"\n") => (&b""[..], &bytes[1..]),
            Some(at) => (&bytes[..at], &bytes[at + 2..]),
            None => (&bytes[..], &b""[..]),
        };
        let names = String::from_utf8_lossy(names);
        let path = PathBuf::from(format!("{}:{}", self.name, reached.root)).join(LEDGER);
        let (history, seen) = from_files(ledger, names.lines(), &path)?;
        Ok(Look { history, seen, is_awake: false, tallies: None, hosts: Vec::new() })
    }

    async fn tallies(&self) -> Result<Option<Tallies>, DriverError> {
        self.rather(self.agent().await?.tallies().await).await
    }

    async fn secrets(&self, parameters: &Value) -> Result<Vec<SecretVersion>, DriverError> {
        let reached = self.reach().await?;
        if reached.host.state().await.is_err() {
            // Only looked at: no agent runs that could tell.
            return Ok(Vec::new());
        }
        self.rather(reached.host.secrets(parameters).await).await
    }

    async fn observe(&self) -> Result<Seen, DriverError> {
        let reached = self.reach().await?;
        let seen = self.rather(reached.host.observe().await).await?;
        self.nearer(reached, seen).await
    }

    async fn claim(&self, owner: &Owner, ttl: Span) -> Result<Lease, DriverError> {
        self.rather(self.agent().await?.claim(owner, ttl).await).await
    }

    async fn renew(&self, lease: &Lease, ttl: Span) -> Result<Lease, DriverError> {
        self.rather(self.agent().await?.renew(lease, ttl).await).await
    }

    async fn release(&self, lease: &Lease) -> Result<(), DriverError> {
        self.rather(self.agent().await?.release(lease).await).await
    }

    async fn apply(&self, lease: &Lease, step: &Step) -> Result<String, DriverError> {
        let reached = self.reach().await?;
        let package = match step {
            Step::Stage { revision, .. } => {
                self.packages.lock().unwrap_or_else(PoisonError::into_inner).get(revision).cloned()
            }
            _ => None,
        };
        let applied = match package {
            Some(package) => self.stage(reached, lease, step, package).await,
            None => reached.host.apply(lease, step).await,
        };
        self.rather(applied).await
    }

    async fn read(&self) -> Result<Vec<Entry>, DriverError> {
        self.rather(self.agent().await?.read().await).await
    }

    async fn append(
        &self,
        lease: &Lease,
        after: Head,
        by: &str,
        events: Vec<Event>,
    ) -> Result<Head, DriverError> {
        self.rather(self.agent().await?.append(lease, after, by, events).await).await
    }
}
