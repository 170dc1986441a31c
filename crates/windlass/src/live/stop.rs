//! `windlass stop`: end the agent of an environment, and what it runs.

use clap::Parser;
use schemars::JsonSchema;
use serde::Serialize;
use windlass_ci::args::{Common, ToolArgs};
use windlass_ci::fail::{Failure, Result};
use windlass_ci::report::Report;
use windlass_ci::session::{Located, Session};
use windlass_ci::sink;
use windlass_domain::outcome::Outcome;
use windlass_domain::place::host_root;
use windlass_domain::policy::{Environment, Target};
use windlass_target::host::control::Place;
use windlass_target::host::{Host, Unusable, check_root};

use super::target::{self, FAILURES};
use super::{DRIVER, FENCE, TARGET};

/// End the agent of an environment on this host. Its instances run on, and the next agent adopts them; the ledger stays.
#[derive(Debug, Parser)]
#[command(name = "stop", version)]
pub(crate) struct Arguments {
    #[command(flatten)]
    common: Common,
    /// End the instances too: nothing is served any more
    #[arg(long)]
    instances: bool,
}

impl ToolArgs for Arguments {
    fn common(&self) -> &Common {
        &self.common
    }
}

/// The own part of the document.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Own {
    /// The agent's process; absent where none ran.
    agent: Option<u32>,
    /// How many instances were ended.
    instances: usize,
}

pub(super) fn stop(session: &Session, arguments: &Arguments) -> Result<Report<Own>> {
    let located = session.policy()?;
    let environment = session.environment(&located.policy)?;
    let host = host(session, &located, environment)?;
    let own = target::block_on(end(&host, environment, arguments.instances))?;
    let now = match own.agent {
        None => "no agent runs".to_owned(),
        Some(pid) if arguments.instances => {
            format!("the agent (pid {pid}) and {} instances have ended", own.instances)
        }
        Some(pid) => format!("the agent (pid {pid}) has ended, its instances run on"),
    };
    let mut report: Report<Own> = Report::new(Outcome::Passed);
    report.environment = Some(environment.name.clone());
    report.text = format!("passed: {}: {now}\n", environment.name);
    report.markdown = format!("## {}: {}\n", sink::markdown(&environment.name), sink::markdown(&now));
    report.own = own;
    Ok(report)
}

fn host(session: &Session, located: &Located, environment: &Environment) -> Result<Host> {
    let Target::Host(target) = &environment.target else {
        let why = format!("the target of {} is no host: it has no agent to end", environment.name);
        return Err(Failure::invalid(&DRIVER, why));
    };
    if !target.hosts.is_empty() {
        let why = format!("the agents of {} run on {}", environment.name, target.hosts.join(", "));
        return Err(
            Failure::invalid(&DRIVER, why).hint("end each there, with a policy that names no `hosts:`")
        );
    }
    let vars = &session.context.vars;
    let (app, root) = (&located.policy.app, target.root.as_deref());
    let root = host_root(vars, app, &environment.name, root, &located.folder)
        .ok_or_else(|| "neither `root:` of the target nor HOME says where its files are".to_owned())
        .and_then(|root| check_root(&root))
        .map_err(|why| Failure::invalid(&DRIVER, why))?;
    let place = Place::of(app, &environment.name, target);
    Ok(Host::new(&root, place, environment.clocks.step))
}

async fn end(host: &Host, environment: &Environment, stop_instances: bool) -> Result<Own> {
    match host.client().connect().await {
        Ok(_) => {}
        Err(Unusable::Absent | Unusable::Dead(_)) => return Ok(Own::default()),
        Err(foreign @ Unusable::Foreign { .. }) => {
            return Err(Failure::unknown(&TARGET, "cannot talk to the agent").because(foreign));
        }
    }
    let state = host.state().await.map_err(|error| FAILURES.of(error))?;
    if let Some(lease) = &state.lease {
        let why = format!("{} is being moved by {}", environment.name, sink::line(&lease.owner.who));
        return Err(Failure::refused(&FENCE, why).hint("wait for its end, or end that run first"));
    }
    if state.managed && !stop_instances {
        let why = format!("a service manager keeps the agent of {} running", environment.name);
        return Err(Failure::refused(&TARGET, why).hint("end it there: systemctl stop windlassd@NAME"));
    }
    let running = state.revisions.iter().flat_map(|revision| &revision.instances);
    let running = running.filter(|instance| instance.pid.is_some()).count();
    host.shutdown(stop_instances).await.map_err(|error| FAILURES.of(error))?;
    Ok(Own { agent: Some(state.pid), instances: if stop_instances { running } else { 0 } })
}
