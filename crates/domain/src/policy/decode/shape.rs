//! The keys of every map of the grammar: what the decoder accepts, the schema declares and the page documents.

/// One map of the grammar.
#[derive(Debug, PartialEq, Eq)]
pub struct Shape {
    /// What it is called in messages: `release`, `an environment`.
    pub title: &'static str,
    /// Its keys, in the order of the documentation.
    pub keys: &'static [&'static str],
}

macro_rules! shapes {
    ($($(#[$doc:meta])* $name:ident = $title:literal: [$($key:literal),* $(,)?];)*) => {
        $($(#[$doc])* pub(super) static $name: Shape = Shape { title: $title, keys: &[$($key),*] };)*
        /// Every map of the grammar whose keys are fixed.
        pub static SHAPES: &[&Shape] = &[$(&$name),*];
    };
}

shapes! {
    ROOT = "windlass.yml": ["version", "app", "release", "keys", "environments", "notify"];
    RELEASE = "release": ["artifact", "config", "schema", "reads", "migrate"];
    MIGRATE = "migrate": ["up", "reversible", "timeout"];
    SCHEMA = "schema": ["version", "reads"];
    KEY = "a key": ["public", "signs", "owner"];
    ENVIRONMENT = "an environment": [
        "needs", "soak", "gates", "evidence", "approval", "freeze", "target", "strategy", "verify", "clocks", "hooks",
        "prove_rollback", "keep", "forge",
    ];
    HOOK = "a hook": ["before", "after", "run", "env", "timeout"];
    FORGE = "forge": ["records", "url"];
    KEEP = "keep": ["releases", "warm"];
    CONDITION = "a condition": ["bound", "min_lines", "advisory"];
    APPROVAL = "approval": ["count", "from", "not_author", "max_age"];
    FREEZE = "a freeze": ["from", "to", "timezone", "reason"];
    HOST = "a host target": [
        "kind", "hosts", "listen", "metrics", "root", "run", "instances", "ready", "env", "secrets", "memory", "cpu",
        "logs", "drain", "stop", "tls", "limits", "access_log", "sticky", "testers",
    ];
    LOGS = "logs": ["size", "age", "keep"];
    TLS = "tls": ["certificate", "key"];
    LIMITS = "limits": ["header", "body", "idle", "request", "connections"];
    STICKY = "sticky": ["cookie", "header"];
    TESTERS = "testers": ["token", "header"];
    KUBERNETES = "a kubernetes target": ["kind", "namespace", "manifests", "context"];
    EXEC = "an exec target": ["kind", "command", "weights"];
    READY = "ready": ["http", "within", "every"];
    ROLLING = "a rolling strategy": ["kind", "batch", "bake"];
    BLUE_GREEN = "a blue-green strategy": ["kind", "bake"];
    CANARY = "a canary strategy": ["kind", "steps", "bake"];
    CUSTOM = "a custom strategy": ["kind", "steps"];
    CUSTOM_STEP = "a custom step": ["weight", "batch", "settle", "verify", "bake", "pause"];
    VERIFY = "verify": [
        "probes", "errors", "latency", "restarts", "within", "warm_up", "on_inconclusive", "no_data",
    ];
    PROBE = "a probe": ["http", "tcp", "command", "expect", "timeout", "every", "failures"];
    EXPECT = "expect": ["status", "contains"];
    ERRORS = "errors": ["at_most", "worse_by"];
    LATENCY = "latency": ["worse_by"];
    WARM_UP = "warm_up": ["time", "requests"];
    NOTIFICATION = "a notification": [
        "slack", "teams", "discord", "webhook", "email", "on", "environments", "template",
    ];
    WEBHOOK = "webhook": ["url", "secret"];
    EMAIL = "email": ["smtp", "tls", "from", "to", "user", "password"];
    TEMPLATE = "template": ["file"];
    CLOCKS = "clocks": ["step", "progress", "total"];
}
