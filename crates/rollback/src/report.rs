//! What a rollback says at its end: document, text, summary, evidence.

use std::path::PathBuf;

use serde_json::json;
use windlass_ci::facts::Facts;
use windlass_ci::fail::Result;
use windlass_ci::report::{Annotation, Level, Report};
use windlass_ci::session::{Located, Session};
use windlass_domain::journal::History;
use windlass_domain::outcome::{Outcome, Reason};
use windlass_domain::policy::{Environment, Span};
use windlass_domain::release::Release;
use windlass_domain::rollout::Plan;
use windlass_evidence::statement::{Predicate, Statement};
use windlass_target::document::Own;
use windlass_target::drive::Driven;

/// The report of `--plan`.
pub(crate) fn plan(plan: &Plan, history: &History) -> Report<Own> {
    let mut report = Report::new(Outcome::Passed);
    report.environment = Some(plan.environment.clone());
    report.artifact = Some(plan.release.artifact);
    // Readiness alone decides in a rollback.
    report.own = Own::of_plan_whole(plan, history, Span::millis(0));
    let mut facts = report.own.plan_facts();
    facts.push(("made from", plan.from.to_string()));
    report.outputs.push(("plan".into(), plan.digest().to_string()));
    let facts = Facts {
        outcome: Outcome::Passed,
        verdict: format!(
            "{} would go back to {}; nothing was changed",
            plan.environment, plan.release.sequence
        ),
        facts,
        next: Some(format!(
            "rollback -e {} --to {} --approved {}",
            plan.environment,
            plan.release.sequence,
            plan.digest()
        )),
    };
    tell(report, &facts)
}

/// The report of a rollback to what is live already: nothing is done, so that asking twice is asking once.
pub(crate) fn already_live(environment: &Environment, history: &History) -> Report<Own> {
    let mut report: Report<Own> = Report::new(Outcome::Passed);
    report.environment = Some(environment.name.clone());
    report.own.release = history.live_release().cloned();
    report.own.revision = history.live().map(|commit| commit.revision);
    report.artifact = report.own.release.as_ref().map(|release| release.artifact);
    let live = report.own.revision.map(|revision| revision.to_string()).unwrap_or_default();
    let verdict = format!("{live} is live already in {}; nothing was changed", environment.name);
    report.reasons.push(Reason::new("release").why(verdict.clone()));
    report.outputs.push(("revision".into(), live));
    let facts = Facts { outcome: Outcome::Passed, verdict, facts: report.own.facts(), next: None };
    let mut report = tell(report, &facts);
    report.text = facts.text(&[]);
    report
}

/// How a run that went back ended.
pub(crate) struct Ended<'a> {
    pub(crate) driven: &'a Driven,
    pub(crate) own: Own,
    /// What is live now.
    pub(crate) live: Option<Release>,
    /// What is not wanted any more.
    pub(crate) regretted: Option<Release>,
    /// The names of its secrets that are not what it was released with.
    pub(crate) secrets: Vec<String>,
    /// The folder of what hooks said, where any has run.
    pub(crate) hooks: Option<PathBuf>,
}

/// The report of a rollback, and its evidence.
pub(crate) fn rollback(
    session: &Session,
    located: &Located,
    environment: &Environment,
    ended: Ended<'_>,
) -> Result<Report<Own>> {
    let Ended { driven, own, live, regretted, secrets, hooks } = ended;
    let mut report = Report::new(driven.outcome);
    report.environment = Some(environment.name.clone());
    report.artifact = live.as_ref().map(|release| release.artifact);
    report.own = own;
    report.own.release.clone_from(&live);
    report.own.revision = live.as_ref().map(|release| release.sequence);
    report.own.anchor = regretted.as_ref().map(|release| release.sequence);
    if driven.outcome == Outcome::Passed {
        attest(session, located, &report, regretted.as_ref())?;
    }
    let name = &environment.name;
    let live = report.own.revision.map_or_else(|| "nothing".to_owned(), |revision| revision.to_string());
    let (verdict, next) = match driven.outcome {
        Outcome::Passed => (format!("{live} is live in {name} again"), format!("windlass unhold -e {name}")),
        // A rollback that turned back: the old did not get well, and the new still serves.
        Outcome::Failed => (
            format!("{name} did not go back: {live} is still live"),
            format!("windlass history -e {name}, then rollback -e {name} --to another"),
        ),
        Outcome::Stuck => (
            format!("{name} could not be put right: a human is needed"),
            format!("windlass status -e {name}, then windlass explain rollback.stuck"),
        ),
        Outcome::Held | Outcome::Unknown | Outcome::Refused | Outcome::Invalid => {
            (format!("the rollback of {name} is still open"), format!("rollback -e {name}"))
        }
    };
    if let Some(why) = &driven.why {
        report.reasons.push(Reason::new("rollback").why(why.clone()).next(next.clone()));
        report.annotations.push(Annotation {
            level: Level::Error,
            title: format!("rollback of {name}: {}", driven.outcome),
            message: why.clone(),
            path: None,
            line: None,
        });
    }
    if !secrets.is_empty() {
        let why = format!(
            "{live} runs with other contents of {} than it was released with: files on the host do not come back",
            secrets.join(", ")
        );
        report.reasons.push(Reason::new("secrets").why(why));
    }
    for (reason, annotation) in windlass_moving::unheeded(&report.own, "rollback", name) {
        report.reasons.push(reason);
        report.annotations.push(annotation);
    }
    report.files.extend(hooks.map(|path| ("hooks-path".to_owned(), path)));
    report.outputs.push(("revision".into(), live));
    let facts = Facts { outcome: driven.outcome, verdict, facts: report.own.facts(), next: Some(next) };
    Ok(tell(report, &facts))
}

fn tell(mut report: Report<Own>, facts: &Facts) -> Report<Own> {
    report.text = facts.text(&report.reasons);
    report.markdown = facts.markdown("Rollback", &report.reasons);
    report
}

/// Two statements: the regretted release was rolled back, which revokes its passes there; and the old is live again.
fn attest(
    session: &Session,
    located: &Located,
    report: &Report<Own>,
    regretted: Option<&Release>,
) -> Result<()> {
    let at = report.own.steps.iter().rev().find_map(|step| step.at).unwrap_or(session.context.started);
    let live = report.own.release.as_ref();
    if let Some(regretted) = regretted {
        let body = json!({
            "at": at,
            "environment": report.environment,
            "policy": located.policy.digest,
            "outcome": report.outcome,
            "from": regretted.artifact,
            "to": live.map(|release| release.artifact),
            "reason": report.own.hold,
            "receipt": report.own.receipt,
        });
        let statement =
            Statement::about(regretted.artifact, regretted.commit.as_deref(), Predicate::Rollback, body);
        session.attest(&statement)?;
    }
    let Some(live) = live else { return Ok(()) };
    let body = json!({
        "at": at,
        "environment": report.environment,
        "policy": located.policy.digest,
        "outcome": report.outcome,
        "intent": "rollback",
        "revision": live.sequence,
        "anchor": report.own.anchor,
        "plan": report.own.plan,
        "receipt": report.own.receipt,
    });
    session.attest(&Statement::about(live.artifact, live.commit.as_deref(), Predicate::Deploy, body))
}
