//! From a policy's target to its driver: the registry of drivers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use windlass_domain::place::host_root;
use windlass_domain::policy::{Environment, Target, TargetKind};

use crate::host::control::Place;
use crate::host::{AgentCommand, Host, check_root};

/// A host target, found and not yet talked to.
#[derive(Clone, Debug)]
pub struct ReachedHost {
    /// Its driver.
    pub driver: Host,
    /// The agent's folder.
    pub root: PathBuf,
    /// How its agent is started.
    pub agent: AgentCommand,
}

/// Why there is no driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoDriver {
    /// This build has none for that kind.
    Kind(TargetKind),
    /// Neither `root:` nor `HOME` says where the host's files are.
    NoRoot,
    /// The root cannot hold a socket.
    Root(String),
}

impl std::fmt::Display for NoDriver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Kind(kind) => {
                let kind = serde_json::to_value(kind).unwrap_or_default();
                write!(f, "this build has no driver for targets of kind {kind}; it has: host")
            }
            Self::NoRoot => f.write_str("neither `root:` of the target nor HOME says where its files are"),
            Self::Root(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for NoDriver {}

/// Finds the driver of an environment. `program` is the running program, by which the agent is found.
///
/// # Errors
/// See [`NoDriver`].
pub fn reach(
    app: &str,
    environment: &Environment,
    policy_folder: &Path,
    vars: &BTreeMap<String, String>,
    program: &Path,
) -> Result<ReachedHost, NoDriver> {
    let target = match &environment.target {
        Target::Host(target) => target,
        Target::Kubernetes(_) | Target::Exec(_) => return Err(NoDriver::Kind(environment.target.kind())),
    };
    let root = host_root(vars, app, &environment.name, target.root.as_deref(), policy_folder)
        .ok_or(NoDriver::NoRoot)?;
    let root = check_root(&root).map_err(NoDriver::Root)?;
    let place = Place {
        app: app.to_owned(),
        environment: environment.name.clone(),
        listen: target.listen.clone(),
        metrics: target.metrics.clone(),
    };
    let driver = Host::new(&root, place, environment.clocks.step);
    Ok(ReachedHost { driver, root, agent: AgentCommand::find(program, vars) })
}
