//! Handing over, as the agent that runs does it.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::process::{Child, Command};
use windlass_target::host::control::{HandedOver, Handover, Rejected};
use windlass_target::host::is_older;

use super::channel::MOST;
use super::{Channel, FORMAT, FromNew, FromOld, Held};
use super::{NotDone, Writes};
use crate::agent::Agent;
use crate::service::OWN_VARIABLES;

/// How long the step that is under way may take before handing over is refused.
const STEP: Duration = Duration::from_secs(5);

/// How long the new agent may take to get ready. Nothing waits meanwhile but changes.
const START: Duration = Duration::from_secs(30);

/// How long it may take to answer when it is told that everything is its own.
const ANSWER: Duration = Duration::from_secs(10);

/// Hands over to the program that the request names. An error means that this agent goes on as before.
pub(crate) async fn give(agent: &Arc<Agent>, asked: &Handover) -> Result<HandedOver, NotDone> {
    if std::process::id() == 1 {
        return Err(judged(
            "the agent is process 1, whose end ends its container: replace the container instead",
        ));
    }
    let Some((program, first)) = asked.program.split_first() else {
        return Err(judged("no program is named to hand over to"));
    };
    let _one = agent.handing.try_lock().map_err(|_| judged("another handover is under way"))?;
    agent.ours()?;
    let turn = tokio::time::timeout(STEP, agent.turn.lock()).await.map_err(|_| {
        judged("a step is under way, which the agent does not leave to another: hand over when it is done")
    })?;
    agent.hold(Writes::Offered).await;
    let result = offer(agent, program, first, asked.downgrade).await;
    match result {
        Ok((handed, channel)) => {
            tracing::info!(pid = handed.pid, version = handed.version, "handed over");
            agent.handed_over(channel, handed.pid).await;
            drop(turn);
            Ok(handed)
        }
        Err(why) => {
            agent.formers().resume();
            agent.hold(Writes::Ours).await;
            tracing::warn!(why, program, "not handed over");
            Err(Rejected::Fault { why }.into())
        }
    }
}

async fn offer(
    agent: &Arc<Agent>,
    program: &str,
    first: &[String],
    downgrade: bool,
) -> Result<(HandedOver, Channel), String> {
    let broken = |what: &'static str| move |error: io::Error| format!("{what}: {error}");
    let (channel, theirs) = Channel::pair().map_err(broken("cannot make a channel to a new agent"))?;
    let mut child = start(agent, program, first, theirs)?;
    let talk = async {
        let (held, descriptors) = holdings(agent).map_err(broken("cannot hand over the listeners"))?;
        if held.len() > MOST {
            return Err(format!("{} listeners are more than can be handed over at once", held.len()));
        }
        let borrowed: Vec<_> = descriptors.iter().map(|fd| fd.as_fd()).collect();
        let offer = FromOld::Offer {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            held,
            upstreams: agent.fleet.upstreams(),
        };
        channel.send(&offer, &borrowed).await.map_err(broken("the new agent takes nothing"))?;
        drop(descriptors);
        let version = match hear(&channel, START).await? {
            FromNew::Ready { version } => version,
            other => return Err(format!("the new agent said {other:?} instead of being ready")),
        };
        let own = env!("CARGO_PKG_VERSION");
        if is_older(&version, own) && !downgrade {
            return Err(format!(
                "the program is version {version}, older than {own}, and --downgrade was not given"
            ));
        }
        channel.send(&FromOld::Yours, &[]).await.map_err(broken("the new agent is gone"))?;
        Ok(version)
    };
    let version = match talk.await {
        Ok(version) => version,
        Err(why) => return Err(give_up(agent, &mut child, why).await),
    };
    let pid = child.id();
    match hear(&channel, ANSWER).await {
        Ok(FromNew::Mine) => {}
        Ok(other) => return Err(give_up(agent, &mut child, format!("the new agent said {other:?}")).await),
        Err(why) => {
            let why = give_up(agent, &mut child, why).await;
            // It is dead now. If it took everything in its last moment, it may have changed what lies here.
            if !matches!(hear(&channel, Duration::ZERO).await, Ok(FromNew::Mine)) {
                return Err(why);
            }
        }
    }
    let pid = pid.ok_or("the new agent ended at once")?;
    Ok((HandedOver { pid, version }, channel))
}

/// Ends what was started, so that it can never take over later, and adds what it last said.
async fn give_up(agent: &Agent, child: &mut Child, why: String) -> String {
    let _ = child.start_kill();
    let ended = match child.wait().await {
        Ok(status) => status.to_string(),
        Err(error) => format!("its end cannot be read: {error}"),
    };
    let said = std::fs::read_to_string(agent.root.output()).unwrap_or_default();
    let last =
        said.lines().rfind(|line| !line.starts_with(char::is_whitespace)).unwrap_or("it wrote nothing");
    format!("{why} ({ended}; {last}); the agent with pid {} goes on", std::process::id())
}

async fn hear(channel: &Channel, limit: Duration) -> Result<FromNew, String> {
    match tokio::time::timeout(limit, channel.receive()).await {
        Ok(Ok(Some((said, _)))) => Ok(said),
        Ok(Ok(None)) => Err("the new agent ended before it had taken over".to_owned()),
        Ok(Err(error)) => Err(format!("the new agent cannot be understood: {error}")),
        Err(_) => Err(format!("the new agent said nothing for {} s", limit.as_secs())),
    }
}

fn start(agent: &Agent, program: &str, first: &[String], theirs: OwnedFd) -> Result<Child, String> {
    let output = agent.root.output();
    let unusable = |error: io::Error| format!("cannot write {}: {error}", output.display());
    // What an earlier one said is not this one's.
    let log = OpenOptions::new().create(true).append(true).open(&output).map_err(unusable)?;
    log.set_len(0).map_err(unusable)?;
    let second = log.try_clone().map_err(unusable)?;
    let mut command = Command::new(program);
    command.args(first).arg("--root").arg(agent.root.path()).args(&agent.flags).arg("--inherit");
    for name in OWN_VARIABLES {
        command.env_remove(name);
    }
    command
        .current_dir(agent.root.path())
        .stdin(Stdio::from(theirs))
        .stdout(log)
        .stderr(second)
        .spawn()
        .map_err(|error| format!("cannot start {program:?}: {error}"))
}

/// Everything that the new agent is given, and what each is.
fn holdings(agent: &Agent) -> io::Result<(Vec<Held>, Vec<OwnedFd>)> {
    let mut held = vec![Held::Lock];
    let mut descriptors = vec![agent.lock.fd().try_clone_to_owned()?];
    let mut add = |what: Held, fd: OwnedFd| {
        held.push(what);
        descriptors.push(fd);
    };
    add(Held::Control, agent.doors.control()?);
    if let Some(metrics) = agent.doors.metrics()? {
        add(Held::Metrics, metrics);
    }
    for listener in agent.router.listeners().iter() {
        add(Held::Router, listener.as_fd().try_clone_to_owned()?);
    }
    for given in agent.doors.given()? {
        add(Held::Given, given);
    }
    for (pid, channel) in agent.formers().pass_on()? {
        add(Held::Former(pid), channel);
    }
    Ok((held, descriptors))
}

fn judged(why: &str) -> NotDone {
    Rejected::Judged { why: why.to_owned(), log: Vec::new() }.into()
}

/// The arguments that the next agent gets as this one did.
pub(crate) fn flags(arguments: &crate::args::Arguments) -> Vec<OsString> {
    let mut flags: Vec<OsString> = Vec::new();
    if arguments.detach {
        flags.push("--detach".into());
    }
    if let Some(threads) = arguments.threads {
        flags.extend(["--threads".into(), threads.to_string().into()]);
    }
    if arguments.no_pin {
        flags.push("--no-pin".into());
    }
    flags.extend((0..arguments.verbose).map(|_| "--verbose".into()));
    flags
}
