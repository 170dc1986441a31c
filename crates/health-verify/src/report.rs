//! A judgement for people and for the document.

use windlass_ci::facts::Facts;
use windlass_ci::report::{Annotation, Level, Report};
use windlass_ci::sink;
use windlass_domain::outcome::{Outcome, Reason};
use windlass_domain::policy::OnInconclusive;
use windlass_domain::verdict::Verdict;
use windlass_signal::judge::{Ending, Judgement, Tick};

use crate::own::Own;
use crate::plan::Plan;
use crate::run::passes_unproved;

/// How it stands, in one line.
pub(crate) fn standing(tick: &Tick) -> String {
    let seconds = tick.elapsed_ms / 1000;
    let of = tick.deadline_ms / 1000;
    let mut text = format!("watched for {seconds} of at most {of} s");
    if tick.warming_up {
        text.push_str(", warming up");
    }
    if !tick.metrics.is_empty() {
        text.push_str(&format!(": {} requests, {} bad", tick.requests_new, tick.bad_new));
    }
    if tick.metrics.iter().any(|metric| metric.arm_old.is_some()) {
        text.push_str(&format!("; the old {}, {} bad", tick.requests_old, tick.bad_old));
    }
    if let Some(more) = tick.more_requests_needed {
        text.push_str(&format!("; about {more} more requests needed"));
    }
    text
}

/// The report of a run.
pub(crate) fn of(plan: &Plan, judgement: &Judgement) -> Report<Own> {
    let mut report = told(judgement, plan.watch.verify.on_inconclusive);
    report.environment.clone_from(&plan.environment);
    report.artifact = plan.artifact;
    report.own.revision = plan.revision.map(|revision| revision.to_string());
    report.own.compared_with = plan.revision.and(plan.watch.old).map(|old| old.to_string());
    finish(report, judgement, "Health")
}

/// The report of a replay: what that run was about is not known any more.
pub(crate) fn again(judgement: &Judgement) -> Report<Own> {
    let settings = &judgement.recording.settings;
    let mut report = told(judgement, settings.verify.on_inconclusive);
    if settings.measured {
        report.own.revision = Some(settings.new.to_string());
        report.own.compared_with = settings.old.map(|old| old.to_string());
    }
    finish(report, judgement, "Health, replayed")
}

/// Adds a sentence to what people read.
pub(crate) fn note(report: &mut Report<Own>, note: &str) {
    report.text.push_str(&format!("  {}\n", sink::line(note)));
    report.markdown.push_str(&format!("\n{}\n", sink::markdown(note)));
}

fn outcome(judgement: &Judgement, on_inconclusive: OnInconclusive) -> Outcome {
    match (judgement.ending, judgement.verdict) {
        (Ending::Offline | Ending::Cancelled, _) => Outcome::Unknown,
        (Ending::Judged, Verdict::Passed) => Outcome::Passed,
        (Ending::Judged, Verdict::Failed) => Outcome::Failed,
        (Ending::Judged, Verdict::Inconclusive) if judgement.unreachable.is_some() => Outcome::Unknown,
        (Ending::Judged, Verdict::Inconclusive) => match on_inconclusive {
            OnInconclusive::Hold | OnInconclusive::Extend => Outcome::Held,
            OnInconclusive::Fail => Outcome::Failed,
            OnInconclusive::Pass => Outcome::Passed,
        },
    }
}

fn told(judgement: &Judgement, on_inconclusive: OnInconclusive) -> Report<Own> {
    let mut report = Report::<Own>::new(outcome(judgement, on_inconclusive));
    report.reasons.clone_from(&judgement.reasons);
    if report.outcome != Outcome::Unknown && passes_unproved(judgement.verdict, on_inconclusive) {
        let why = "nothing was proved: it was let through because the policy says `on_inconclusive: pass`";
        report.reasons.insert(0, Reason::new("on_inconclusive").observed("inconclusive").why(why));
    }
    report.own.verdict = (judgement.ending == Ending::Judged).then_some(judgement.verdict);
    report.own.hard.clone_from(&judgement.hard);
    report.own.metrics.clone_from(&judgement.metrics);
    report.own.more_requests_needed = judgement.more_requests_needed;
    report.own.watched_ms = judgement.elapsed_ms;
    report
}

fn finish(mut report: Report<Own>, judgement: &Judgement, title: &str) -> Report<Own> {
    let what = match (&report.own.revision, &report.environment) {
        (Some(revision), Some(environment)) => format!("{revision} in {environment}"),
        (Some(revision), None) => revision.clone(),
        (None, _) => "the service".to_owned(),
    };
    let verdict = match judgement.ending {
        Ending::Judged => judgement.verdict.to_string(),
        Ending::Cancelled => "stopped before a verdict".to_owned(),
        Ending::Offline => "not judged, without the network".to_owned(),
    };
    let facts = Facts {
        outcome: report.outcome,
        verdict: format!("{what}: {verdict} after {} ms", judgement.elapsed_ms),
        facts: vec![
            ("compared", report.own.compared_with.clone().unwrap_or_default()),
            (
                "needs",
                judgement
                    .more_requests_needed
                    .map_or_else(String::new, |more| format!("about {more} more requests")),
            ),
        ],
        next: None,
    };
    report.text = facts.text(&report.reasons);
    report.markdown = facts.markdown(title, &report.reasons);
    if report.outcome != Outcome::Passed {
        let level = if report.outcome == Outcome::Held { Level::Warning } else { Level::Error };
        let message = report.reasons.first().map_or_else(
            || facts.verdict.clone(),
            |reason| {
                let parts = [&reason.what, &reason.observed, &reason.why];
                parts.into_iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(": ")
            },
        );
        report.annotations.push(Annotation {
            level,
            title: format!("health-verify: {}", report.outcome),
            message,
            path: None,
            line: None,
        });
    }
    report
}
