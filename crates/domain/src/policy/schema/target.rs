//! Targets in the schema.

use std::collections::BTreeMap;

use schemars::JsonSchema;

use super::form::{Address, AnyText, Bytes, Command, Name, OneOrMore, Path, Text, Time};

/// Where an environment runs, by kind.
#[derive(JsonSchema)]
#[schemars(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
#[expect(clippy::large_enum_variant, reason = "described, never made")]
pub(super) enum Target {
    /// A plain host, by its agent windlassd.
    Host {
        /// The hosts, as ssh knows them; by default this machine.
        hosts: Option<OneOrMore<Text>>,
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
        /// Variables whose values are the contents of files on the host, by the full paths of those files.
        #[schemars(extend("propertyNames" = { "pattern": "^[A-Za-z_][A-Za-z0-9_]*$" }))]
        secrets: Option<BTreeMap<String, FullPath>>,
        /// The most memory that one instance may have.
        memory: Option<Bytes>,
        /// The most processor cores that one instance may use, such as 1.5.
        #[schemars(range(min = 0.001, max = 1024))]
        cpu: Option<f64>,
        /// How its output is kept.
        logs: Option<Logs>,
        /// How long requests on the old may take to end.
        #[schemars(extend("default" = "30s"))]
        drain: Option<Time>,
        /// How long a process may take to stop before it is killed.
        #[schemars(extend("default" = "10s"))]
        stop: Option<Time>,
        /// The certificate that the router serves; by default it serves cleartext.
        tls: Option<Tls>,
        /// What the router accepts.
        limits: Option<Limits>,
        /// Whether each request leaves a line in `access.log` of the root.
        #[schemars(extend("default" = false))]
        access_log: Option<bool>,
        /// What keeps a client on one revision; by default each request is drawn anew.
        sticky: Option<Sticky>,
        /// Who may choose the revision that answers; by default nobody.
        testers: Option<Testers>,
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

/// The full path of a file on the host.
#[derive(JsonSchema)]
#[schemars(extend("pattern" = "^/"))]
pub(super) struct FullPath(String);

/// How the output of an instance is kept.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Logs {
    /// How large the file in use may become.
    #[schemars(extend("default" = "10MiB"))]
    size: Option<Bytes>,
    /// How old the file in use may become.
    #[schemars(extend("default" = "7d"))]
    age: Option<Time>,
    /// How many rotated files stay.
    #[schemars(range(max = 1000), extend("default" = 5))]
    keep: Option<u16>,
}

/// A certificate and its key: PEM files on the host, read again when they change.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Tls {
    /// The certificate, followed by those that vouch for it.
    certificate: Text,
    /// Its private key.
    key: Text,
}

/// What the router accepts.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Limits {
    /// The most bytes of a request's line and headers.
    #[schemars(extend("default" = "64KiB"))]
    header: Option<Bytes>,
    /// The most bytes of a request's body; by default any.
    body: Option<Bytes>,
    /// How long a connection may be silent.
    #[schemars(extend("default" = "60s"))]
    idle: Option<Time>,
    /// How long one exchange may take; by default any time.
    request: Option<Time>,
    /// The most connections of clients at a time.
    #[schemars(range(min = 1, max = 1_000_000), extend("default" = 10000))]
    connections: Option<u32>,
}

/// What keeps a client on one revision: a cookie, or a header.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub(super) struct Sticky {
    /// A cookie of this name, set by the router.
    cookie: Option<Token>,
    /// The value of this header.
    header: Option<Token>,
}

/// Who may choose the revision that answers.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Testers {
    /// The file on the host that holds the token.
    token: Text,
    /// The header that names revision and token.
    #[schemars(extend("default" = "X-Windlass-Revision"))]
    header: Option<Token>,
}

/// A name that HTTP allows for headers and cookies.
#[derive(JsonSchema)]
#[schemars(extend("pattern" = "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$"))]
pub(super) struct Token(String);
