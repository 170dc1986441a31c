//! Targets in the schema.

use std::collections::BTreeMap;

use schemars::JsonSchema;

use super::form::{Address, AnyText, Command, Name, Path, Text, Time};

/// Where an environment runs, by kind.
#[derive(JsonSchema)]
#[schemars(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Target {
    /// A plain host, by its agent windlassd.
    Host {
        /// The address that the router listens on.
        listen: Address,
        /// The address that serves Prometheus metrics; absent means only on the control socket.
        metrics: Option<Address>,
        /// The folder of revisions, ledger and socket; by default one in the user's state folder.
        root: Option<Text>,
        /// The command, started in the staged artifact's folder; {port}, {dir} and {revision} are filled in.
        run: Command,
        /// How many processes of one revision.
        #[schemars(range(min = 1, max = 1000), extend("default" = 1))]
        instances: Option<u16>,
        /// When a process counts as ready; absent means that its port accepting a connection is enough.
        ready: Option<ReadyForm>,
        /// Its environment, with the same placeholders.
        #[schemars(extend("propertyNames" = { "pattern": "^[A-Za-z_][A-Za-z0-9_]*$" }))]
        env: Option<BTreeMap<String, AnyText>>,
        /// How long requests on the old may take to end.
        #[schemars(extend("default" = "30s"))]
        drain: Option<Time>,
        /// How long a process may take to stop before it is killed.
        #[schemars(extend("default" = "10s"))]
        stop: Option<Time>,
    },
    /// A Kubernetes namespace.
    Kubernetes {
        /// The namespace.
        namespace: Name,
        /// The folder of manifests, relative to windlass.yml.
        manifests: Text,
        /// The context of the kubeconfig; absent means the current one.
        context: Option<Text>,
    },
    /// Anything, by commands that speak JSON.
    Exec {
        /// The command; the verb is added as its last argument.
        command: Command,
        /// Whether it can split traffic by weight, or only flip it.
        #[schemars(extend("default" = false))]
        weights: Option<bool>,
    },
}

/// The path alone, or the long form.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub(super) enum ReadyForm {
    /// The path that must answer 2xx.
    Short(Path),
    Long(Ready),
}

/// When a process counts as ready.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Ready {
    /// The path that must answer 2xx; absent means that the port accepting a connection is enough.
    http: Option<Path>,
    /// How long that may take from its start.
    #[schemars(extend("default" = "30s"))]
    within: Option<Time>,
    /// The time between two tries.
    #[schemars(extend("default" = "250ms"))]
    every: Option<Time>,
}
