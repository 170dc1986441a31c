//! What a deploy says at its end: document, text, summary, evidence.

use std::path::PathBuf;

use serde_json::json;
use windlass_ci::facts::Facts;
use windlass_ci::fail::{Failure, Result};
use windlass_ci::report::{Annotation, Level, Report};
use windlass_ci::session::{Located, Session};
use windlass_domain::digest::Digest;
use windlass_domain::journal::History;
use windlass_domain::outcome::{Outcome, Reason};
use windlass_domain::policy::{Environment, Span};
use windlass_domain::rollout::{Plan, WayBack};
use windlass_evidence::statement::{Predicate, Statement};
use windlass_target::document::{Own, StepLine};
use windlass_target::drive::Driven;

use crate::admission::Admission;
use crate::health::readiness_alone;
use crate::plan::crossing;

/// The report of `--plan`: what was looked at, and why it would be refused, if so.
pub(crate) fn plan(
    session: &Session,
    environment: &Environment,
    plan: &Plan,
    history: &History,
    refused: Option<Failure>,
) -> Report<Own> {
    let mut report: Report<Own> = Report::new(Outcome::Passed);
    report.own = Own::of_plan_whole(plan, history, verdict_within(environment));
    report.environment = Some(plan.environment.clone());
    report.artifact = Some(plan.release.artifact);
    if let Some(failure) = &refused {
        report.outcome = failure.outcome;
        report.reasons = failure.document_reasons();
    }
    let way_back = match (plan.way_back, plan.anchor()) {
        (WayBack::None, _) => "none: on failure everything stays as it is, on hold".to_owned(),
        (_, Some(anchor)) => format!("to {anchor}, which stays staged and warm until the commit"),
        (_, None) => "to nothing: nothing is live yet".to_owned(),
    };
    let mut facts = report.own.plan_facts();
    facts.push(("way back", way_back));
    facts.push(("made from", plan.from.to_string()));
    facts.extend(joining(plan).map(|joining| ("new host", joining)));
    facts.extend(crossing(plan).map(|crossing| ("no way back", crossing)));
    facts.extend(not_walked(environment, plan).map(|why| ("way back walked", why)));
    let verdict = match &refused {
        None => format!("this would be done in {}; nothing was changed", plan.environment),
        Some(failure) => format!("this would be done in {}, but: {}", plan.environment, failure.chain()),
    };
    let facts = Facts {
        outcome: report.outcome,
        verdict,
        facts,
        next: Some(format!("{} -e {} --approved {}", session.tool, plan.environment, plan.digest())),
    };
    report.outputs.push(("plan".into(), plan.digest().to_string()));
    report.outputs.push(anchor(&report.own));
    tell(report, &facts, "Plan")
}

/// What a plan says of hosts that have nothing to go back to yet.
fn joining(plan: &Plan) -> Option<String> {
    let (anchor, hosts) = (plan.anchor()?, plan.joining());
    (!hosts.is_empty()).then(|| {
        format!("{} has not got {anchor}, and gets it first, from a host that has it", hosts.join(", "))
    })
}

/// When a verdict on the running release is there at the latest.
fn verdict_within(environment: &Environment) -> Span {
    environment.verify.as_ref().map_or(readiness_alone().within, |verify| verify.within)
}

/// Why the way back is not walked, where the policy asks for that.
fn not_walked(environment: &Environment, plan: &Plan) -> Option<String> {
    if !environment.prove_rollback || plan.walk().is_some() {
        return None;
    }
    let why = match plan.way_back {
        WayBack::Empty => "nothing is live to go back to",
        WayBack::Anchor { .. } => "the release's migration closes the way back",
        WayBack::None => "--no-way-back",
    };
    Some(format!("not applicable: {why}"))
}

/// The report of a deploy that has nothing to do, and its evidence: whoever asks for this digest in this environment finds it
/// there, since the time that the ledger says. Without it a run for a commit that changes nothing of the artifact would go no
/// further than here.
pub(crate) fn already_live(
    session: &Session,
    located: &Located,
    environment: &Environment,
    history: &History,
    artifact: Digest,
) -> Result<Report<Own>> {
    let mut report: Report<Own> = Report::new(Outcome::Passed);
    report.environment = Some(environment.name.clone());
    report.artifact = Some(artifact);
    report.own.release = history.live_release().cloned();
    report.own.revision = history.live().map(|commit| commit.revision);
    report.outputs.extend(report.own.revision.map(|live| ("revision".to_owned(), live.to_string())));
    report.reasons.push(Reason::new("release").why("this release is live already; nothing was changed"));
    let facts = Facts {
        outcome: Outcome::Passed,
        verdict: "this release is live already; nothing was changed".to_owned(),
        facts: report.own.facts(),
        next: None,
    };
    windlass_moving::attest_live(session, located, &report, history, "deploy")?;
    let mut report = tell(report, &facts, "Deploy");
    report.text = facts.text(&[]);
    Ok(report)
}

/// How a run that moved something ended.
pub(crate) struct Ended<'a> {
    pub(crate) driven: &'a Driven,
    pub(crate) own: Own,
    pub(crate) admission: &'a Admission,
    pub(crate) recordings: Option<PathBuf>,
    /// The folder of what hooks said, where any has run.
    pub(crate) hooks: Option<PathBuf>,
}

/// The report of a rollout, and its evidence.
pub(crate) fn rollout(
    session: &Session,
    located: &Located,
    environment: &Environment,
    ended: Ended<'_>,
) -> Result<Report<Own>> {
    let Ended { driven, own, admission, recordings, hooks } = ended;
    let mut report = Report::new(driven.outcome);
    report.environment = Some(environment.name.clone());
    report.artifact = own.release.as_ref().map(|release| release.artifact);
    report.own = own;
    attest(session, located, &report)?;
    attest_proof(session, located, &report)?;
    let name = &environment.name;
    let revision = report.own.revision.map(|revision| revision.to_string()).unwrap_or_default();
    let (verdict, next) = match driven.outcome {
        Outcome::Passed => (format!("{revision} is live in {name}"), format!("rollback -e {name}")),
        Outcome::Failed => (
            format!("{revision} was refused, and {name} was put back as it was"),
            format!("windlass history -e {name}"),
        ),
        Outcome::Stuck => (
            format!("{name} could not be put back: a human is needed"),
            format!("windlass status -e {name}, then windlass explain deploy.stuck"),
        ),
        Outcome::Held => (
            format!("the rollout of {revision} waits for someone and stays as it is"),
            format!("deploy -e {name} to go on, rollback -e {name} to turn back"),
        ),
        Outcome::Unknown | Outcome::Refused | Outcome::Invalid => (
            format!("the rollout of {revision} is still open"),
            format!("deploy -e {name}: the next run goes on from the ledger"),
        ),
    };
    if let Some(why) = &driven.why {
        let failed =
            |step: &&StepLine| step.result.as_ref().is_some_and(|result| result.starts_with("failed"));
        let place = report.own.steps.iter().find(failed).map(|step| step.step.clone()).unwrap_or_default();
        report.reasons.push(Reason::new("rollout").place(place).why(why.clone()).next(next.clone()));
        report.annotations.push(Annotation {
            level: Level::Error,
            title: format!("deploy to {name}: {}", driven.outcome),
            message: why.clone(),
            path: None,
            line: None,
        });
    }
    for (reason, annotation) in windlass_moving::unheeded(&report.own, "deploy", name) {
        report.reasons.push(reason);
        report.annotations.push(annotation);
    }
    if admission.unsigned {
        report
            .reasons
            .push(Reason::new("evidence").why("the gate's evidence is unsigned, as windlass.yml accepts"));
    }
    report.outputs.push(("revision".into(), revision));
    report.outputs.push(anchor(&report.own));
    report.files.extend(recordings.map(|path| ("recordings-path".to_owned(), path)));
    report.files.extend(hooks.map(|path| ("hooks-path".to_owned(), path)));
    let facts = Facts { outcome: driven.outcome, verdict, facts: report.own.facts(), next: Some(next) };
    Ok(tell(report, &facts, "Deploy"))
}

/// The output that tells a later `rollback --to` where this release is left for.
fn anchor(own: &Own) -> (String, String) {
    ("anchor".to_owned(), own.anchor.map(|anchor| anchor.to_string()).unwrap_or_default())
}

fn tell(mut report: Report<Own>, facts: &Facts, title: &str) -> Report<Own> {
    report.text = facts.text(&report.reasons);
    report.markdown = facts.markdown(title, &report.reasons);
    report
}

fn attest(session: &Session, located: &Located, report: &Report<Own>) -> Result<()> {
    let over = matches!(report.outcome, Outcome::Passed | Outcome::Failed | Outcome::Stuck);
    let (true, Some(artifact)) = (over, report.artifact) else { return Ok(()) };
    let body = json!({
        "at": ended_at(report, session),
        "environment": report.environment,
        "policy": located.policy.digest,
        "outcome": report.outcome,
        "intent": "deploy",
        "revision": report.own.revision,
        "anchor": report.own.anchor,
        "plan": report.own.plan,
        "receipt": report.own.receipt,
    });
    let commit = report.own.release.as_ref().and_then(|release| release.commit.as_deref());
    session.attest(&Statement::about(artifact, commit, Predicate::Deploy, body))
}

/// A statement of its own about the way back that was walked, for exactly this pair of artifacts.
fn attest_proof(session: &Session, located: &Located, report: &Report<Own>) -> Result<()> {
    let Some(proof) = &report.own.proof else { return Ok(()) };
    let body = json!({
        "at": ended_at(report, session),
        "environment": report.environment,
        "policy": located.policy.digest,
        "outcome": proof.outcome,
        "from": proof.from,
        "to": proof.to,
        "plan": report.own.plan,
        "proof": proof,
    });
    let commit = report.own.release.as_ref().and_then(|release| release.commit.as_deref());
    session.attest(&Statement::about(proof.to, commit, Predicate::Proof, body))
}

/// When the last step ended: for a pass, the release is live at least since then.
fn ended_at(report: &Report<Own>, session: &Session) -> jiff::Timestamp {
    report.own.steps.iter().rev().find_map(|step| step.at).unwrap_or(session.context.started)
}
