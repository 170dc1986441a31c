//! Where an environment runs.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Span;

/// Where an environment runs, by kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
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

/// A plain host. What it says of a release (`run`, `instances`, `ready`, `env`, `drain`, `stop`) is part of the
/// release and comes back with it; the rest belongs to the place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostTarget {
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
    /// How long requests and upgraded connections on the old may take to end, default 30s.
    pub drain: Span,
    /// How long a process may take to stop after SIGTERM before it is killed, default 10s.
    pub stop: Span,
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
