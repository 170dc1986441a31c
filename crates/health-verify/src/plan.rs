//! What shall be watched: resolved from the flags alone, or from the policy and what is live.

use windlass_ci::fail::{Failure, Result};
use windlass_ci::session::{Located, Session};
use windlass_domain::digest::Digest;
use windlass_domain::place::host_root;
use windlass_domain::policy::{
    Environment, Expect, HostTarget, NoData, OnInconclusive, Probe, ProbeKind, Span, Target, Verify, WarmUp,
};
use windlass_domain::release::Sequence;
use windlass_domain::verdict::Arm;
use windlass_signal::judge::{Source, Watch};
use windlass_signal::record::{Recording, Scrape};

use crate::args::HealthVerify;
use crate::{live, platform, topics};

/// What shall be watched, and what a verdict would be about.
pub(crate) struct Plan {
    pub(crate) watch: Watch,
    pub(crate) environment: Option<String>,
    /// The artifact of the judged revision, by the agent's word.
    pub(crate) artifact: Option<Digest>,
    pub(crate) policy: Option<Digest>,
    /// Whether there is a revision at all.
    pub(crate) revision: Option<Sequence>,
}

/// A service alone, by the flags.
pub(crate) fn alone(session: &Session, arguments: &HealthVerify) -> Plan {
    let within = arguments.within.unwrap_or(Span::seconds(30));
    let probe = |kind, expect| Probe {
        kind,
        expect,
        timeout: within.min(Span::seconds(5)),
        every: arguments.every.unwrap_or(Span::seconds(1)),
        failures: arguments.failures.unwrap_or(u32::MAX),
    };
    let http = arguments.url.iter().map(|url| {
        let expect = Expect {
            status: arguments.expect_status,
            contains: contains(arguments, arguments.command_line.is_none()),
        };
        probe(ProbeKind::Http(with_scheme(url)), expect)
    });
    let tcp = arguments.tcp.iter().map(|address| probe(ProbeKind::Tcp(address.clone()), Expect::default()));
    let command = arguments.command_line.iter().map(|line| {
        let words = vec!["sh".to_owned(), "-c".to_owned(), line.clone()];
        probe(ProbeKind::Command(words), Expect { status: None, contains: contains(arguments, true) })
    });
    let verify = Verify {
        probes: http.chain(tcp).chain(command).collect(),
        errors: None,
        latency: None,
        restarts: 0,
        within,
        warm_up: WarmUp { time: Span::millis(0), requests: 0 },
        on_inconclusive: OnInconclusive::Hold,
        no_data: NoData::Inconclusive,
    };
    let watch = Watch {
        verify,
        new: Sequence(0),
        old: None,
        base_url: arguments.url.as_deref().map(with_scheme),
        source: Source::None,
        bake: Span::millis(0),
        offline: session.common.offline,
        history: Vec::new(),
    };
    let environment = session.common.environment.clone();
    Plan { watch, environment, artifact: None, policy: None, revision: None }
}

/// The text belongs to the command where there is one, else to the URL.
fn contains(arguments: &HealthVerify, here: bool) -> Option<String> {
    arguments.expect_contains.clone().filter(|_| here)
}

fn with_scheme(url: &str) -> String {
    if url.contains("://") { url.to_owned() } else { format!("http://{url}") }
}

/// An environment, by its policy and what is live in it.
///
/// # Errors
/// Invalid (2) without `verify`; unknown (3) when the agent cannot be asked or nothing is live; refused (6) when
/// another artifact is live than the one that was named.
pub(crate) async fn environment(
    session: &Session,
    arguments: &HealthVerify,
    located: &Located,
    environment: &Environment,
) -> Result<Plan> {
    let Some(mut verify) = environment.verify.clone() else {
        return Err(Failure::invalid(
            &topics::NOTHING_TO_VERIFY,
            format!("nothing to verify: environment {:?} has no `verify`", environment.name),
        )
        .hint("add probes, errors or latency under `verify` in windlass.yml"));
    };
    if let Some(within) = arguments.within {
        verify.within = within;
    }
    let mut plan = Plan {
        watch: Watch {
            verify,
            new: Sequence(0),
            old: None,
            base_url: None,
            source: Source::None,
            bake: Span::millis(0),
            offline: session.common.offline,
            history: history(session, arguments)?,
        },
        environment: Some(environment.name.clone()),
        artifact: None,
        policy: Some(located.policy.digest),
        revision: None,
    };
    match &environment.target {
        // Without the network not even the agent is asked: the watch says that it could not judge.
        Target::Host(_) if session.common.offline => {}
        // Other machines' agents are asked by `deploy` while it moves them; what judges alone opens no connection to
        // them. As with the targets below, probes of whole URLs can still decide.
        Target::Host(target) if !target.hosts.is_empty() => {}
        Target::Host(target) => host(session, located, environment, target, &mut plan).await?,
        // Probes of whole URLs can still decide; counters are missing, and say so.
        Target::Kubernetes(_) | Target::Exec(_) => {}
    }
    Ok(plan)
}

async fn host(
    session: &Session,
    located: &Located,
    environment: &Environment,
    target: &HostTarget,
    plan: &mut Plan,
) -> Result<()> {
    if !platform::HAS_AGENTS {
        return Err(Failure::unknown(&topics::AGENT, "an agent cannot be asked on this system")
            .hint("run health-verify on the machine that the release lives on, or give it --url"));
    }
    let policy = &located.policy;
    let vars = &session.context.vars;
    let root = host_root(vars, &policy.app, &environment.name, target.root.as_deref(), &located.folder)
        .ok_or_else(|| {
            Failure::invalid(
                &topics::AGENT,
                "cannot tell where the host target keeps its files: HOME is not set",
            )
            .hint("set HOME, or `root:` in windlass.yml")
        })?;
    let source = Source::UnixSocket(root.join("control.sock"));
    let live = live::ask(&source).await?;
    if let Some(named) = session.common.artifact.as_ref() {
        let named = session.artifact(Some(located)).map(|artifact| (artifact.digest, named.clone()))?;
        if live.artifact != Some(named.0) {
            return Err(Failure::refused(
                &topics::OTHER_ARTIFACT,
                format!("{} is live in {:?}, and it is not {:?}", live.new, environment.name, named.1),
            )
            .hint("leave --artifact out to judge what is live"));
        }
    }
    plan.watch.new = live.new;
    plan.watch.old = live.old;
    plan.watch.base_url =
        live.listening.or_else(|| Some(target.listen.clone())).map(|address| with_scheme(&address));
    plan.watch.source = source;
    plan.artifact = live.artifact;
    plan.revision = Some(live.new);
    Ok(())
}

/// What the old revision of an earlier run served, reading by reading.
fn history(session: &Session, arguments: &HealthVerify) -> Result<Vec<Arm>> {
    let Some(path) = &arguments.history else { return Ok(Vec::new()) };
    let recording = crate::run::recording(&session.context.folder.join(path))?;
    Ok(windows(&recording))
}

/// A recording's counters of the old revision, or without one of the new, as windows between two readings.
fn windows(recording: &Recording) -> Vec<Arm> {
    let totals: Vec<Arm> = recording
        .observations
        .iter()
        .filter_map(|observation| match &observation.scrape {
            Scrape::Read(reading) => {
                let of = reading.old.as_ref().unwrap_or(&reading.new);
                Some(Arm { requests: of.requests.get().ok()?, bad: of.bad.get().ok()? })
            }
            Scrape::None | Scrape::Failed(_) => None,
        })
        .collect();
    totals
        .windows(2)
        .filter_map(|pair| {
            let requests = pair[1].requests.checked_sub(pair[0].requests)?;
            let bad = pair[1].bad.checked_sub(pair[0].bad)?;
            Some(Arm { requests: requests.max(bad), bad })
        })
        .collect()
}
