//! What the driver and the agent say to each other: JSON over HTTP/1.1 on a Unix socket.
//!
//! | request | body | answer |
//! |---|---|---|
//! | `GET /v1/state` | | 200 [`AgentState`] |
//! | `POST /v1/configure` | [`Place`] under an epoch ([`Configure`]) | 200 [`AgentState`] |
//! | `POST /v1/claim` | [`Claim`] | 200 [`Lease`](windlass_domain::fence::Lease), 409 [`Rejected`] |
//! | `POST /v1/release` | [`ReleaseLease`] | 204 |
//! | `POST /v1/apply` | [`Apply`] | 200 [`Applied`], 409 or 422 [`Rejected`] |
//! | `GET /v1/journal` | | 200, the entries as JSON lines |
//! | `POST /v1/journal` | [`Append`] | 200 [`Appended`], 409 [`Rejected`] |
//! | `POST /v1/secrets` | [`AskedSecrets`] | 200 [`KnownSecrets`], 422 [`Rejected`]; changes nothing |
//! | `POST /v1/shutdown` | [`Shutdown`] | 204, then the agent ends |
//! | `POST /v1/handover` | [`Handover`] | 200 [`HandedOver`], then the agent answers what is under way and ends |
//! | `GET /metrics` | | 200, Prometheus text |
//!
//! 409 means that the fence or the journal's head refused; 422 that the step was judged no and will not succeed when
//! it is tried again; 503 that another agent has taken over meanwhile, and that nothing was done: ask again; 500 that the agent could not judge (disk full, ledger corrupted), which may pass.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_domain::digest::Digest;
use windlass_domain::fence::{Epoch, Lease, Owner, Refusal};
use windlass_domain::journal::{Event, Head};
use windlass_domain::policy::{Cores, HostTarget, Limits, Logs, Ready, Size, Span, Sticky, Testers, Tls};
use windlass_domain::release::{SecretVersion, Sequence};
use windlass_domain::rollout::{Step, Weights};

/// The socket's name in the agent's root; its mode is 0600.
pub const SOCKET: &str = "control.sock";
/// The ledger's name in the agent's root.
pub const LEDGER: &str = "ledger.jsonl";

/// What belongs to the place, not to a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The application.
    pub app: String,
    /// The environment.
    pub environment: String,
    /// The address that the router listens on; port 0 picks one and keeps it.
    pub listen: String,
    /// The address that serves metrics.
    pub metrics: Option<String>,
    /// The certificate that the router serves; without it, it serves cleartext.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// What it accepts.
    #[serde(default)]
    pub limits: Limits,
    /// Whether each request leaves a line in the access log.
    #[serde(default)]
    pub access_log: bool,
    /// What keeps a client on one revision.
    #[serde(default)]
    pub sticky: Option<Sticky>,
    /// Who may choose the revision that answers.
    #[serde(default)]
    pub testers: Option<Testers>,
}

impl Place {
    /// As the policy has it.
    #[must_use]
    pub fn of(app: &str, environment: &str, target: &HostTarget) -> Self {
        Self {
            app: app.to_owned(),
            environment: environment.to_owned(),
            listen: target.listen.clone(),
            metrics: target.metrics.clone(),
            tls: target.tls.clone(),
            limits: target.limits.clone(),
            access_log: target.access_log,
            sticky: target.sticky.clone(),
            testers: target.testers.clone(),
        }
    }

    /// A plain one: cleartext, with the default limits.
    #[must_use]
    pub fn plain(app: &str, environment: &str, listen: &str) -> Self {
        Self {
            app: app.to_owned(),
            environment: environment.to_owned(),
            listen: listen.to_owned(),
            metrics: None,
            tls: None,
            limits: Limits::default(),
            access_log: false,
            sticky: None,
            testers: None,
        }
    }
}

/// Tells the agent its place. The same place again changes nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Configure {
    /// The epoch held.
    pub epoch: Epoch,
    /// The place.
    pub place: Place,
}

/// What a release needs to run on a host: the driver parameters that come back with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// The command, with `{port}`, `{dir}` and `{revision}`.
    pub run: Vec<String>,
    /// How many processes.
    pub instances: u16,
    /// When a process counts as ready.
    pub ready: Ready,
    /// Its environment.
    pub env: BTreeMap<String, String>,
    /// Variables whose values are the contents of files on the host, by the variable's name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, String>,
    /// The most memory that one instance may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Size>,
    /// The most processor time that one instance may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Cores>,
    /// How its output is kept.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub logs: Logs,
    /// How long requests and upgraded connections on it may take to end.
    pub drain: Span,
    /// How long it may take to stop after SIGTERM.
    pub stop: Span,
}

fn is_usual(logs: &Logs) -> bool {
    *logs == Logs::default()
}

impl From<&HostTarget> for Launch {
    fn from(target: &HostTarget) -> Self {
        Self {
            run: target.run.clone(),
            instances: target.instances,
            ready: target.ready.clone(),
            env: target.env.clone(),
            secrets: target.secrets.clone(),
            memory: target.memory,
            cpu: target.cpu,
            logs: target.logs.clone(),
            drain: target.drain,
            stop: target.stop,
        }
    }
}

/// Asks for the versions of secrets.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AskedSecrets {
    /// Files on the host, by the variable that gets their content.
    pub secrets: BTreeMap<String, String>,
}

/// The versions that secrets have now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KnownSecrets {
    /// By the variable's name.
    pub versions: Vec<SecretVersion>,
}

/// Asks for the fence, or renews it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Claim {
    /// Who asks. The agent notes the process at the other end of the socket: when that is gone, so is the lease.
    pub owner: Owner,
    /// For how long.
    pub ttl_ms: u64,
    /// The epoch that is held already and only to be renewed: where it is not in force any more, nothing is granted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renews: Option<Epoch>,
}

/// Gives the fence back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReleaseLease {
    /// The epoch held.
    pub epoch: Epoch,
}

/// What staging needs beside the step: where the files lie on this machine, and how they are started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// The digest that the staged copy must have.
    pub artifact: Digest,
    /// The file or folder to copy; `None` where the revision must be staged already.
    pub artifact_path: Option<PathBuf>,
    /// The digest of the configuration.
    pub config: Option<Digest>,
    /// Its files and folders: the name under the revision's folder, and where it lies.
    pub config_paths: Vec<(String, PathBuf)>,
    /// How it is started.
    pub launch: Launch,
}

/// Applies one step. The answer comes when the step is in effect, or will never be.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Apply {
    /// The epoch held.
    pub epoch: Epoch,
    /// The step; never `verify` or `pause`.
    pub step: Step,
    /// For `stage`.
    pub package: Option<Package>,
    /// The journal's head under which it was asked. Once that has moved on, a request that comes late is refused, also
    /// under its own epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Head>,
}

/// A step is in effect.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Applied {
    /// What it says of itself, for people: `2 of 2 ready after 310 ms`.
    pub note: String,
}

/// Appends events to the journal, in order and all or none.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Append {
    /// The epoch held.
    pub epoch: Epoch,
    /// The head that they follow.
    pub after: Head,
    /// Who writes them, for people.
    pub by: String,
    /// The events.
    pub events: Vec<Event>,
}

/// The events are in the journal and synced.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Appended {
    /// The new head.
    pub head: Head,
}

/// Ends the agent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Shutdown {
    /// Whether the instances are stopped too; otherwise they live on and the next agent adopts them.
    pub stop_instances: bool,
}

/// Has the agent hand its listeners, its lock and its instances over to another program, which it starts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Handover {
    /// The program, by its absolute path, and its first arguments; `--root DIR` and the like follow.
    pub program: Vec<String>,
    /// Whether it may be an older version than the agent that runs.
    #[serde(default)]
    pub downgrade: bool,
}

/// Another agent has taken over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedOver {
    /// Its process.
    pub pid: u32,
    /// Its version.
    pub version: String,
}

/// Why a request was refused.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "rejected", rename_all = "kebab-case")]
pub enum Rejected {
    /// By the fence.
    Fence {
        /// Why.
        refusal: Refusal,
    },
    /// By the journal: it has moved on.
    Head {
        /// Its head now.
        head: Head,
    },
    /// The step was judged no.
    Judged {
        /// Why, in a sentence.
        why: String,
        /// The last lines of the release's log, where it has one.
        #[serde(default)]
        log: Vec<String>,
    },
    /// The agent could not judge.
    Fault {
        /// Why.
        why: String,
    },
}

/// What the agent sees.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AgentState {
    /// The agent's version.
    pub version: String,
    /// The agent's process.
    pub pid: u32,
    /// Its place; `None` before the first `configure`.
    pub place: Option<Place>,
    /// The router's real address.
    pub listening: Option<String>,
    /// The metrics' real address.
    pub metrics: Option<String>,
    /// The weights in effect.
    pub weights: Weights,
    /// Every revision on this host, oldest first.
    pub revisions: Vec<RevisionState>,
    /// The last epoch given out.
    pub epoch: Epoch,
    /// The lease in force.
    pub lease: Option<Lease>,
    /// The journal's head.
    pub head: Head,
    /// The agent's time.
    pub now: Timestamp,
    /// The processes of agents that have handed over and still answer what was under way at them.
    #[serde(default)]
    pub formers: Vec<u32>,
    /// Whether a service manager started it, and so decides which program it is.
    #[serde(default)]
    pub managed: bool,
}

/// One revision on this host.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RevisionState {
    /// Its number.
    pub revision: Sequence,
    /// The artifact's digest.
    pub artifact: Digest,
    /// Its processes.
    pub instances: Vec<InstanceState>,
    /// How many shall run.
    pub wanted: u16,
    /// Requests being answered, upgraded connections included.
    pub in_flight: u64,
    /// Counted since the agent first routed to it.
    pub counts: Counts,
}

/// What was counted of one revision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Requests that were answered or failed.
    pub requests: u64,
    /// Of these, 5xx answers of the service, and connections that it broke.
    pub bad: u64,
    /// Of these, requests that failed on our side of the service: no instance, no connection.
    pub failed: u64,
    /// Requests and upgraded connections that were cut off when the time to drain was over.
    #[serde(default)]
    pub cut: u64,
}

/// One process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InstanceState {
    /// Its index in the revision, from 0.
    pub index: u16,
    /// Its process; `None` between two starts.
    pub pid: Option<u32>,
    /// Its port.
    pub port: u16,
    /// Whether it is ready.
    pub ready: bool,
    /// How often it was started again after it had ended by itself.
    pub restarts: u32,
    /// From its start to its readiness.
    pub ready_after_ms: Option<u64>,
    /// How it last ended: `exit code 1`, `signal 9`.
    pub ended: Option<String>,
    /// What it uses; `None` between two starts, and from an agent that does not measure it.
    #[serde(default)]
    pub usage: Option<Usage>,
}

/// What a process and those that it started use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Memory in bytes: where it has a control group, what counts against its limit less files that could be dropped
    /// at once; elsewhere its proportional share of what is resident.
    pub memory_bytes: u64,
    /// Processor time since its start, in milliseconds.
    pub cpu_ms: u64,
    /// Open file descriptors.
    pub open_files: u64,
}
