//! Where an environment runs.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Cores, Size, Span};

/// Where an environment runs, by kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
#[expect(clippy::large_enum_variant, reason = "one for each environment, and almost always a host")]
pub enum Target {
    /// A plain host, by its agent `windlassd`.
    Host(HostTarget),
    /// A Kubernetes namespace.
    Kubernetes(KubernetesTarget),
    /// Anything, by commands that speak JSON.
    Exec(ExecTarget),
}

impl Target {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> TargetKind {
        match self {
            Self::Host(_) => TargetKind::Host,
            Self::Kubernetes(_) => TargetKind::Kubernetes,
            Self::Exec(_) => TargetKind::Exec,
        }
    }
}

impl Target {
    /// The hosts, where there are several or other ones than this machine.
    #[must_use]
    pub fn hosts(&self) -> &[String] {
        match self {
            Self::Host(target) => &target.hosts,
            Self::Kubernetes(_) | Self::Exec(_) => &[],
        }
    }
}

/// The kinds of target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TargetKind {
    /// A plain host, by its agent `windlassd`.
    Host,
    /// A Kubernetes namespace.
    Kubernetes,
    /// Anything, by commands that speak JSON.
    Exec,
}

/// A plain host, or several. What it says of a release (`run`, `instances`, `ready`, `env`, `secrets`, `memory`, `cpu`,
/// `logs`, `drain`, `stop`) is part of the release and comes back with it; the rest belongs to the place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostTarget {
    /// The hosts, as `ssh` knows them; empty means this machine.
    pub hosts: Vec<String>,
    /// The address that the router listens on; port 0 picks a free one and keeps it.
    pub listen: String,
    /// The address that serves Prometheus metrics; absent means only on the control socket.
    pub metrics: Option<String>,
    /// The folder of revisions, ledger and socket; absent means `windlass/<app>/<environment>` in the user's
    /// state folder.
    pub root: Option<String>,
    /// The command, started in the staged artifact's folder; `{port}`, `{dir}` and `{revision}` are filled in.
    pub run: Vec<String>,
    /// How many processes of one revision.
    pub instances: u16,
    /// When a process counts as ready.
    pub ready: Ready,
    /// Its environment, with the same placeholders.
    pub env: BTreeMap<String, String>,
    /// Variables whose values are the contents of files on the host, by the variable's name.
    pub secrets: BTreeMap<String, String>,
    /// The most memory that one instance may have.
    pub memory: Option<Size>,
    /// The most processor time that one instance may have.
    pub cpu: Option<Cores>,
    /// How its output is kept.
    pub logs: Logs,
    /// How long requests and upgraded connections on the old may take to end, default 30s.
    pub drain: Span,
    /// How long a process may take to stop after SIGTERM before it is killed, default 10s.
    pub stop: Span,
    /// The certificate that the router serves; absent means cleartext.
    pub tls: Option<Tls>,
    /// What the router accepts.
    pub limits: Limits,
    /// Whether each request leaves a line in `access.log` of the root.
    pub access_log: bool,
    /// What keeps a client on one revision; absent means that each request is drawn anew.
    pub sticky: Option<Sticky>,
    /// Who may choose the revision that answers; absent means nobody.
    pub testers: Option<Testers>,
}

/// How the output of an instance is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Logs {
    /// How large the file in use may become, default 10MiB.
    pub size: Size,
    /// How old the file in use may become, default 7d.
    pub age: Span,
    /// How many rotated files stay, default 5.
    pub keep: u16,
}

impl Default for Logs {
    fn default() -> Self {
        Self { size: Size::mebibytes(10), age: Span::minutes(7 * 24 * 60), keep: 5 }
    }
}

/// A certificate and its key: PEM files on the host, read again when they change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tls {
    /// The certificate, followed by those that vouch for it.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

/// What the router accepts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Limits {
    /// The most bytes of a request's line and headers, default 64KiB.
    pub header: Size,
    /// The most bytes of a request's body; absent means any.
    pub body: Option<Size>,
    /// How long a connection may be silent, default 60s.
    pub idle: Span,
    /// How long one exchange may take, from its first byte to its last; absent means any time.
    pub request: Option<Span>,
    /// The most connections of clients at a time, default 10000.
    pub connections: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header: Size::kibibytes(64),
            body: None,
            idle: Span::seconds(60),
            request: None,
            connections: 10_000,
        }
    }
}

/// What keeps a client on one revision while weights allow it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Sticky {
    /// A cookie of this name, set by the router.
    Cookie(String),
    /// The value of this header, such as a user's or a tenant's number.
    Header(String),
}

/// Who may choose the revision that answers: whoever knows the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Testers {
    /// The file on the host that holds the token.
    pub token: String,
    /// The header that names revision and token, default `X-Windlass-Revision`.
    pub header: String,
}

/// When a process counts as ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ready {
    /// The path that must answer 2xx; absent means that the port accepting a connection is enough.
    pub http: Option<String>,
    /// How long that may take from its start, default 30s.
    pub within: Span,
    /// The time between two tries, default 250ms.
    pub every: Span,
}

/// A Kubernetes namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KubernetesTarget {
    /// The namespace.
    pub namespace: String,
    /// The folder of manifests, relative to `windlass.yml`.
    pub manifests: String,
    /// The context of the kubeconfig; absent means the current one.
    pub context: Option<String>,
}

/// Anything, by commands that speak JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExecTarget {
    /// The command; the verb is added as its last argument.
    pub command: Vec<String>,
    /// Whether it can split traffic by weight, or only flip it.
    pub weights: bool,
}
