//! What is released, and how: every strategy, what may stand around it, and the way back.

use std::path::Path;

/// How a run must end that nobody kills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ends {
    /// The release is live.
    Live,
    /// It never becomes ready, and is put back.
    NotReady,
    /// It serves everything, and is put back before it is committed.
    Refused,
}

/// What moves the environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    Deploy,
    /// `rollback`, after a `deploy` of something to go back from.
    Rollback,
}

/// What surrounds a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Around {
    Nothing,
    Hooks,
    Migration,
    /// The way back is walked on purpose.
    Proof,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) tool: Tool,
    pub(crate) ends: Ends,
    pub(crate) around: Around,
    pub(crate) instances: usize,
    strategy: &'static str,
}

const ROLLING: &str = "{ kind: rolling, batch: 1, bake: 0s }";
const BLUE_GREEN: &str = "{ kind: blue-green, bake: 0s }";
const CANARY: &str = "{ kind: canary, steps: [25%, 50%], bake: 0s }";
const CUSTOM: &str = "{ kind: custom, steps: [{ weight: 10%, settle: false, verify: false }, { weight: 60%, pause: 10ms }, { batch: 1 }] }";

const fn deploy(name: &'static str, strategy: &'static str, ends: Ends) -> Scenario {
    Scenario { name, tool: Tool::Deploy, ends, around: Around::Nothing, instances: 1, strategy }
}

/// Every scenario.
pub(crate) const ALL: [Scenario; 15] = [
    Scenario { instances: 2, ..deploy("rolling", ROLLING, Ends::Live) },
    Scenario { instances: 2, ..deploy("rolling, not ready", ROLLING, Ends::NotReady) },
    Scenario { instances: 2, ..deploy("rolling, refused", ROLLING, Ends::Refused) },
    deploy("blue-green", BLUE_GREEN, Ends::Live),
    deploy("blue-green, refused", BLUE_GREEN, Ends::Refused),
    deploy("canary", CANARY, Ends::Live),
    deploy("canary, not ready", CANARY, Ends::NotReady),
    deploy("canary, refused", CANARY, Ends::Refused),
    Scenario { instances: 2, ..deploy("custom", CUSTOM, Ends::Live) },
    Scenario { instances: 2, ..deploy("custom, refused", CUSTOM, Ends::Refused) },
    Scenario { around: Around::Hooks, ..deploy("hooks", CANARY, Ends::Live) },
    Scenario { around: Around::Migration, ..deploy("migration", BLUE_GREEN, Ends::Live) },
    Scenario { around: Around::Migration, ..deploy("migration, not ready", ROLLING, Ends::NotReady) },
    Scenario { around: Around::Proof, ..deploy("way back walked", BLUE_GREEN, Ends::Live) },
    Scenario { tool: Tool::Rollback, ..deploy("rollback", BLUE_GREEN, Ends::Live) },
];

/// The simplest one, to set an environment up with.
pub(crate) const PLAIN: Scenario = deploy("blue-green", BLUE_GREEN, Ends::Live);

/// A release of a scenario.
#[derive(Clone, Debug)]
pub(crate) struct Release {
    /// Its number among those of its environment, which is the schema that it writes, too.
    pub(crate) number: usize,
    pub(crate) scenario: Scenario,
}

impl Release {
    /// What it answers with.
    pub(crate) fn label(&self) -> String {
        format!("v{}", self.number)
    }

    /// The words that start it.
    pub(crate) fn script(&self, program: &str) -> String {
        let flags = if self.scenario.ends == Ends::NotReady { "--never-ready" } else { "" };
        let label = self.label();
        format!("#!/bin/sh\nexec '{program}' demo-service --port \"$1\" --version-label {label} {flags}\n")
    }

    /// What its migration runs: it says for which revision, in a file of the environment.
    pub(crate) fn migration(ups: &Path) -> String {
        format!("#!/bin/sh\necho \"$1\" >> '{}'\n", ups.display())
    }

    /// The policy under which it is released.
    pub(crate) fn policy(&self, root: &Path, port: u16) -> String {
        let Scenario { ends, around, instances, strategy, .. } = self.scenario;
        let within = if ends == Ends::NotReady { "150ms" } else { "20s" };
        let migrate = match around {
            Around::Migration => {
                "\n  migrate: { up: [bin/migrate, '{revision}'], reversible: true, timeout: 20s }"
            }
            Around::Nothing | Around::Hooks | Around::Proof => "",
        };
        let mut hooks: Vec<String> = match around {
            Around::Hooks => ["stage", "shift", "commit", "retire"]
                .iter()
                .flat_map(|phase| {
                    ["before", "after"].map(|when| format!("{{ {when}: {phase}, run: /bin/true }}"))
                })
                .collect(),
            Around::Nothing | Around::Migration | Around::Proof => Vec::new(),
        };
        if ends == Ends::Refused {
            hooks.push("{ before: commit, run: /bin/false }".to_owned());
        }
        format!(
            r#"version: 1
app: shop
release:
  artifact: dist/
  schema: {number}
  reads: 1..100000{migrate}
environments:
  production:
    gates: none
    evidence: unsigned
    prove_rollback: {prove}
    hooks: [{hooks}]
    target:
      kind: host
      root: "{root}"
      listen: 127.0.0.1:{port}
      run: [bin/shop, "{{port}}"]
      instances: {instances}
      ready: {{ http: /healthz, within: {within} }}
      drain: 1s
    strategy: {strategy}
"#,
            number = self.number,
            prove = around == Around::Proof,
            hooks = hooks.join(", "),
            root = root.display(),
        )
    }
}
