//! `windlass status`: what is live, what runs, what is open, who holds it.

use std::fmt::Write as _;

use clap::Parser;
use schemars::JsonSchema;
use serde::Serialize;
use windlass_ci::args::{Common, ToolArgs};
use windlass_ci::fail::Result;
use windlass_ci::report::Report;
use windlass_ci::session::Session;
use windlass_ci::sink;
use windlass_domain::outcome::Outcome;
use windlass_domain::policy::Environment;
use windlass_domain::release::{Release, Sequence};
use windlass_target::driver::{HostLook, Look, Tally};

use super::target::{self, Standing};
use super::watch::{self, Change};

/// Say what is live in each environment, or in one: revision, instances, weights, open rollout, hold and fence.
#[derive(Debug, Parser)]
#[command(name = "status", version)]
pub(crate) struct Arguments {
    #[command(flatten)]
    common: Common,
    /// Follow the rollout that is under way until it ends, a line for each change; the exit code is how it ended
    #[arg(long)]
    pub(super) watch: bool,
    /// With --watch: wait for the next rollout to begin, where none is under way
    #[arg(long, requires = "watch")]
    pub(super) next: bool,
}

impl ToolArgs for Arguments {
    fn common(&self) -> &Common {
        &self.common
    }
}

/// The own part of the document.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Own {
    /// The environments, in the order of the policy.
    pub(super) environments: Vec<Line>,
    /// With `--watch`: what has just changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) change: Option<Change>,
}

/// One environment.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct Line {
    /// Its name.
    name: String,
    /// The live revision.
    live: Option<Sequence>,
    /// The live release.
    release: Option<Release>,
    /// The state of the open rollout.
    open: Option<String>,
    /// The reason of the hold in force.
    hold: Option<String>,
    /// Who holds the fence.
    fence: Option<String>,
    /// The address that serves it, without `http://`; absent while no agent of a host runs.
    address: Option<String>,
    /// The weights in effect.
    weights: Option<String>,
    /// The revisions and their instances.
    revisions: Vec<Running>,
    /// Each host, where there are several or other ones than this machine.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hosts: Vec<OneHost>,
    /// Where the target is: `host at /var/lib/shop`.
    target: String,
    /// The target's folder, where it is on this machine.
    root: Option<String>,
}

/// One of several hosts.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct OneHost {
    /// Its name, as the policy has it.
    name: String,
    /// The address that serves there, without `http://`.
    address: Option<String>,
    /// The weights in effect there; absent while no agent runs.
    weights: Option<String>,
    /// What is wrong there: it cannot be reached, or its ledger is not a copy of the first host's.
    wrong: Option<String>,
}

impl From<&HostLook> for OneHost {
    fn from(look: &HostLook) -> Self {
        let name = look.name.clone();
        match &look.seen {
            Ok((seen, is_awake)) => Self {
                name,
                address: seen.url.as_deref().map(address),
                weights: is_awake.then(|| seen.weights.to_string()),
                wrong: look.ledger.clone(),
            },
            Err(why) => Self { name, address: None, weights: None, wrong: Some(why.clone()) },
        }
    }
}

impl OneHost {
    fn text(&self) -> String {
        let parts = [
            self.address.as_deref(),
            Some(self.weights.as_deref().unwrap_or("no agent runs")),
            self.wrong.as_deref(),
        ];
        let parts = if self.wrong.is_some() && self.weights.is_none() { &parts[2..] } else { &parts[..] };
        let parts: Vec<String> = parts.iter().flatten().map(|part| sink::line(part).to_string()).collect();
        format!("  {:<9} {}", sink::line(&self.name), parts.join(", "))
    }
}

/// One revision that is there.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Running {
    revision: Sequence,
    ready: u16,
    #[serde(flatten)]
    counted: Option<Counted>,
}

/// What a target that counts says of a revision.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Counted {
    wanted: u16,
    restarts: u32,
    in_flight: u64,
    requests: u64,
    bad: u64,
    /// Of all its instances, in bytes; absent where nothing runs or the agent does not measure it.
    memory_bytes: Option<u64>,
    /// Processor time of all its instances since they started, in milliseconds.
    cpu_ms: Option<u64>,
    /// Open file descriptors of all its instances.
    open_files: Option<u64>,
    /// From its start to its readiness, of the slowest instance, in milliseconds.
    start_ms: Option<u64>,
}

impl From<Tally> for Counted {
    fn from(tally: Tally) -> Self {
        Self {
            wanted: tally.wanted,
            restarts: tally.restarts,
            in_flight: tally.in_flight,
            requests: tally.requests,
            bad: tally.bad,
            memory_bytes: tally.memory_bytes,
            cpu_ms: tally.cpu_ms,
            open_files: tally.open_files,
            start_ms: tally.start_ms,
        }
    }
}

impl Running {
    /// Whether anything of it runs.
    fn is_up(&self) -> bool {
        self.ready > 0 || self.counted.as_ref().is_some_and(|one| one.wanted > 0 || one.in_flight > 0)
    }
}

pub(super) fn look(session: &Session, arguments: &Arguments) -> Result<Report<Own>> {
    let located = session.policy()?;
    if arguments.watch {
        let environment = session.environment(&located.policy)?;
        return watch::follow(session, &located, environment, arguments.next);
    }
    let chosen: Vec<&Environment> = match &session.common.environment {
        Some(_) => vec![session.environment(&located.policy)?],
        None => located.policy.environments.iter().collect(),
    };
    let mut report: Report<Own> = Report::new(Outcome::Passed);
    for environment in chosen {
        let standing = target::block_on(target::look(session, &located, environment))?;
        report.own.environments.push(line(&environment.name, &standing));
    }
    report.text = report.own.environments.iter().map(text).collect();
    report.markdown = markdown(&report.own);
    Ok(report)
}

pub(super) fn line(name: &str, standing: &Standing) -> Line {
    let Standing { reached, look: Look { history, seen, is_awake, tallies, hosts } } = standing;
    let revisions = seen.revisions.iter().filter(|_| *is_awake).map(|(revision, ready)| Running {
        revision: *revision,
        ready: *ready,
        counted: tallies.as_ref().and_then(|tallies| tallies.get(revision)).copied().map(Counted::from),
    });
    let now = if *is_awake { seen.now } else { windlass_moving::now() };
    Line {
        name: name.to_owned(),
        live: history.live().map(|commit| commit.revision),
        release: history.live_release().cloned(),
        open: history.open().map(|open| format!("{} {}", open.plan.release.sequence, open.word())),
        hold: history.held(now).map(|hold| hold.reason.clone()),
        fence: seen.lease.as_ref().map(|lease| lease.owner.who.clone()),
        address: seen.url.as_deref().map(address),
        weights: is_awake.then(|| seen.weights.to_string()),
        revisions: revisions.collect(),
        hosts: hosts.iter().map(OneHost::from).collect(),
        target: reached.driver.place(),
        root: reached.driver.folder().map(|folder| folder.display().to_string()),
    }
}

fn address(url: &str) -> String {
    url.strip_prefix("http://").unwrap_or(url).trim_end_matches('/').to_owned()
}

pub(super) fn text(line: &Line) -> String {
    let mut text = String::new();
    let live =
        line.live.map_or_else(|| "nothing is live".to_owned(), |revision| format!("{revision} is live"));
    let artifact =
        line.release.as_ref().map(|release| format!(" ({})", release.artifact)).unwrap_or_default();
    put(&mut text, &format!("{}: {live}{artifact}", line.name));
    match &line.address {
        Some(_) if !line.hosts.is_empty() => {}
        Some(address) if address.contains("://") => {
            put(&mut text, &format!("  serves    {}", sink::line(address)))
        }
        Some(address) => put(&mut text, &format!("  serves    http://{}", sink::line(address))),
        None if line.live.is_some() && line.weights.is_none() && line.hosts.is_empty() => {
            put(&mut text, "  agent     does not run: the next deploy starts it")
        }
        None => {}
    }
    for host in &line.hosts {
        put(&mut text, &host.text());
    }
    for one in line.revisions.iter().filter(|one| one.is_up()) {
        let revision = one.revision.to_string();
        put(
            &mut text,
            &match &one.counted {
                None => format!("  {revision:<9} {} ready", one.ready),
                Some(counted) => format!(
                    "  {revision:<9} {} of {} ready, {} restarts, {} in flight, {} requests, {} bad",
                    one.ready,
                    counted.wanted,
                    counted.restarts,
                    counted.in_flight,
                    counted.requests,
                    counted.bad
                ),
            },
        );
        if let Some(used) = one.counted.as_ref().and_then(used) {
            put(&mut text, &format!("  {:<9} {used}", ""));
        }
    }
    for (name, value) in
        [("weights", &line.weights), ("open", &line.open), ("hold", &line.hold), ("fence", &line.fence)]
    {
        if let Some(value) = value {
            put(&mut text, &format!("  {name:<9} {}", sink::line(value)));
        }
    }
    match &line.root {
        Some(root) => put(&mut text, &format!("  root      {}", sink::line(root))),
        None => put(&mut text, &format!("  target    {}", sink::line(&line.target))),
    }
    text
}

/// What its instances use: `34.1 MiB, 1.2 s of processor time, 31 open files, ready after 210 ms`.
fn used(one: &Counted) -> Option<String> {
    let (memory, cpu, files) = (one.memory_bytes?, one.cpu_ms?, one.open_files?);
    // Tenths by whole numbers: a rounded digit is enough for people, the document has the rest.
    let tenths = memory.saturating_mul(10) / (1 << 20);
    let mut used = format!(
        "{}.{} MiB, {}.{} s of processor time, {files} open files",
        tenths / 10,
        tenths % 10,
        cpu / 1000,
        cpu % 1000 / 100
    );
    if let Some(start) = one.start_ms {
        write!(used, ", ready after {start} ms").expect("writing to a string cannot fail");
    }
    Some(used)
}

fn put(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("writing to a string cannot fail");
}

pub(super) fn markdown(own: &Own) -> String {
    let mut text = String::from("## Status\n\n| environment | live | open | hold |\n|---|---|---|---|\n");
    for line in &own.environments {
        let cell = |value: &Option<String>| value.as_deref().map(sink::markdown).unwrap_or_default();
        let live = line.live.map(|revision| revision.to_string()).unwrap_or_default();
        put(&mut text, &format!("| {} | {live} | {} | {} |", line.name, cell(&line.open), cell(&line.hold)));
    }
    text
}
