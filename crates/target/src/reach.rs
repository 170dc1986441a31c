//! From a policy's target to its driver: the registry of drivers.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use windlass_domain::place::host_root;
use windlass_domain::policy::{Environment, ExecTarget, HostTarget, Target, TargetKind};
use windlass_domain::release::Release;

use crate::driver::Driver;
use crate::exec::{Exec, Setting};
use crate::fenced::Clock;
use crate::host::control::{Launch, Place};
use crate::host::{AgentCommand, Host, check_root};
use crate::hosts::Hosts;

/// A target, found and not yet talked to.
#[derive(Clone)]
pub struct Reached {
    /// Its driver.
    pub driver: Arc<dyn Driver>,
    /// What a release that enters now carries with it.
    pub terms: Terms,
}

/// What the policy's target says of a release, and not of the place: it comes back with the release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The release's driver parameters.
    pub parameters: Value,
    /// How many instances it has.
    pub instances: u16,
}

impl Terms {
    fn host(target: &HostTarget) -> Self {
        let parameters = serde_json::to_value(Launch::from(target));
        Self { parameters: parameters.expect("a launch has only string keys"), instances: target.instances }
    }

    /// What runs, and how many of it, is the command's own; it is asked for one.
    fn exec() -> Self {
        Self { parameters: serde_json::json!({ "instances": 1 }), instances: 1 }
    }
}

/// How many instances a release of the ledger has.
#[must_use]
pub fn instances(release: &Release) -> u16 {
    let instances = release.parameters.get("instances").and_then(Value::as_u64);
    instances.and_then(|instances| u16::try_from(instances).ok()).unwrap_or(1)
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
                write!(f, "this build has no driver for targets of kind {kind}; it has: host, exec")
            }
            Self::NoRoot => f.write_str("neither `root:` of the target nor HOME says where its files are"),
            Self::Root(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for NoDriver {}

/// Where an environment is reached from.
#[derive(Clone, Copy)]
pub struct Origin<'a> {
    /// The application.
    pub app: &'a str,
    /// The folder of `windlass.yml`.
    pub policy_folder: &'a Path,
    /// The environment variables of the run.
    pub vars: &'a BTreeMap<String, String>,
    /// The running program, by which the host's agent is found.
    pub program: &'a Path,
    /// The local clock.
    pub clock: &'a Clock,
}

/// Finds the driver of an environment.
///
/// # Errors
/// See [`NoDriver`].
pub fn reach(environment: &Environment, from: Origin<'_>) -> Result<Reached, NoDriver> {
    match &environment.target {
        Target::Host(target) => host(environment, target, from),
        Target::Exec(target) => Ok(exec(environment, target, from)),
        Target::Kubernetes(_) => Err(NoDriver::Kind(environment.target.kind())),
    }
}

fn host(environment: &Environment, target: &HostTarget, from: Origin<'_>) -> Result<Reached, NoDriver> {
    let place = Place::of(from.app, &environment.name, target);
    let (step, terms) = (environment.clocks.step, Terms::host(target));
    if !target.hosts.is_empty() {
        let root = target.root.as_deref();
        let driver = Hosts::over_ssh(&target.hosts, root, place, step, from.program, from.vars);
        return Ok(Reached { driver: Arc::new(driver), terms });
    }
    let root = host_root(from.vars, from.app, &environment.name, target.root.as_deref(), from.policy_folder)
        .ok_or(NoDriver::NoRoot)?;
    let root = check_root(&root).map_err(NoDriver::Root)?;
    let agent = AgentCommand::find(from.program, from.vars);
    let driver = Host::new(&root, place, step).started_by(agent);
    Ok(Reached { driver: Arc::new(driver), terms })
}

fn exec(environment: &Environment, target: &ExecTarget, from: Origin<'_>) -> Reached {
    let setting = Setting {
        app: from.app.to_owned(),
        environment: environment.name.clone(),
        folder: from.policy_folder.to_owned(),
        vars: from.vars.keys().cloned().collect(),
        step: environment.clocks.step,
        clock: Arc::clone(from.clock),
    };
    Reached { driver: Arc::new(Exec::new(target, setting)), terms: Terms::exec() }
}
