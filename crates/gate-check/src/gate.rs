//! The gate itself: gathers what may be judged by, judges, attests, reports.

use std::path::PathBuf;

use windlass_ci::fail::{Failure, Result};
use windlass_ci::file;
use windlass_ci::report::Report;
use windlass_ci::session::{Artifact, Located, Session};
use windlass_domain::outcome::{Outcome, Reason};
use windlass_domain::policy::{Environment, EvidenceDemand, Gates};

use crate::args::GateCheck;
use crate::attest::{self, About};
use crate::collect::{self, Reports};
use crate::condition::{self, Facts, Judged};
use crate::git::Repository;
use crate::own::Own;
use crate::status::together;
use crate::{junit, show, topics};

/// Judges whether the artifact may enter the environment.
///
/// # Errors
/// Invalid (2) for what is wrong in usage, policy, artifact or keys; unknown (3) where evidence cannot be read or written.
pub(crate) fn judge(session: &Session, arguments: &GateCheck) -> Result<Report<Own>> {
    forget_junit(session, arguments)?;
    let located = session.policy()?;
    let environment = session.environment(&located.policy)?;
    let artifact = session.artifact(Some(&located))?;
    let keys = session.trusted_keys(&located)?;
    // A bad key is wrong usage: it must show before anything is judged.
    let signs = session.signer()?.is_some();
    let store = session.evidence()?;
    let repository = Repository::around(&located.folder);
    let commit = repository.as_ref().and_then(Repository::head).or_else(|| session.host.commit());
    let reports = gather(arguments, &located, environment);
    let metrics = metrics(environment);
    let changes = match (&repository, metrics.contains(&"coverage.new_lines")) {
        (Some(repository), true) => repository.changes(arguments.base.as_deref(), &session.context),
        (None, true) => Err("no git repository around windlass.yml".to_owned()),
        (_, false) => Err("not asked".to_owned()),
    };
    let evidence_path = session.evidence_path();
    let conditions = condition::judge(&Facts {
        reports: &reports,
        store: &store,
        evidence_name: evidence_path
            .strip_prefix(&located.folder)
            .map_or_else(|_| evidence_path.display().to_string(), collect::plain_name),
        keys: &keys,
        policy: &located.policy,
        environment,
        artifact: artifact.digest,
        now: session.context.started,
        author: repository.as_ref().zip(commit.as_deref()).and_then(|(one, commit)| one.author(commit)),
        live: arguments.live,
        changes,
    });
    let outcome = come_to(environment, &conditions)?;
    let mut notes = notes(environment, &reports, &conditions, signs);
    let mut files = Vec::new();
    if session.common.plan {
        notes.push("--plan: nothing was added to the evidence".into());
    } else {
        files.push(write_junit(session, arguments, environment, &conditions)?);
        let about = About {
            artifact: artifact.digest,
            commit: commit.as_deref(),
            environment: &environment.name,
            policy: located.policy.digest,
            policy_name: located.path.file_name().and_then(|name| name.to_str()).unwrap_or("windlass.yml"),
        };
        notes.push(attest::append(session, &about, &reports, &conditions, outcome)?);
    }
    let mut report = report(environment, &artifact, outcome, conditions, reports, &notes);
    report.files = files;
    Ok(report)
}

/// Writes the conditions as JUnit XML, and says under which name the file is an output.
fn write_junit(
    session: &Session,
    arguments: &GateCheck,
    environment: &Environment,
    conditions: &[Judged],
) -> Result<(String, PathBuf)> {
    let path = junit_path(session, arguments);
    let text = junit::text(&environment.name, conditions, session.context.started);
    file::write_whole(&path, text.as_bytes()).map_err(|error| {
        Failure::unknown(&topics::JUNIT_FILE, format!("cannot write {}", path.display())).because(error)
    })?;
    Ok(("junit-path".to_owned(), path))
}

/// Takes away what an earlier run wrote: a job hands on the whole folder, and where this run cannot judge, the answer of
/// another environment would be shown as its own.
fn forget_junit(session: &Session, arguments: &GateCheck) -> Result<()> {
    if session.common.plan {
        return Ok(());
    }
    let path = junit_path(session, arguments);
    file::take_away(&path).map_err(|error| {
        let message = format!("cannot take away {}", path.display());
        Failure::unknown(&topics::JUNIT_FILE, message).because(error)
    })
}

fn junit_path(session: &Session, arguments: &GateCheck) -> PathBuf {
    match &arguments.junit {
        Some(path) => session.context.folder.join(path),
        None => session.report_dir().join("gate-check.junit.xml"),
    }
}

/// The metrics that the environment puts bounds on.
fn metrics(environment: &Environment) -> Vec<&str> {
    match &environment.gates {
        Gates::None => Vec::new(),
        Gates::Conditions(conditions) => conditions.iter().map(|one| one.metric.as_str()).collect(),
    }
}

/// The reports, where some condition is on reports.
fn gather(arguments: &GateCheck, located: &Located, environment: &Environment) -> Reports {
    let wanted = ["tests.", "coverage.", "findings."];
    let asked =
        metrics(environment).iter().any(|metric| wanted.iter().any(|family| metric.starts_with(family)));
    if asked || !arguments.reports.is_empty() {
        collect::collect(&located.folder, &arguments.reports)
    } else {
        Reports::default()
    }
}

/// What the conditions come to; of none at all, only `gates: none` is a pass.
fn come_to(environment: &Environment, conditions: &[Judged]) -> Result<Outcome> {
    match (&environment.gates, conditions) {
        (Gates::None, []) => Ok(Outcome::Passed),
        (Gates::Conditions(_), []) => {
            let message = format!("no condition was judged for {}", environment.name);
            Err(Failure::unknown(&topics::NOTHING_TO_JUDGE, message)
                .hint("put conditions under gates, or say `gates: none`"))
        }
        (Gates::None | Gates::Conditions(_), some) => {
            Ok(together(some.iter().map(|judged| judged.result.status)))
        }
    }
}

fn notes(environment: &Environment, reports: &Reports, conditions: &[Judged], signs: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if conditions.is_empty() {
        notes.push(format!("{} demands nothing: gates: none", environment.name));
    }
    match (environment.evidence, signs) {
        (EvidenceDemand::Unsigned, _) => {
            notes.push(
                "this environment accepts unsigned evidence: whoever can write the file can let a release on"
                    .into(),
            );
        }
        (EvidenceDemand::Signed, false) => {
            notes.push(
                "without --signing-key this verdict is unsigned, and later tools will not accept it".into(),
            );
        }
        (EvidenceDemand::Signed, true) => {}
    }
    if let [first, ..] = reports.ignored.as_slice() {
        notes.push(format!(
            "{} files are no reports of tests, coverage or findings and were left aside, {first} for one",
            reports.ignored.len()
        ));
    }
    notes
}

fn report(
    environment: &Environment,
    artifact: &Artifact,
    outcome: Outcome,
    conditions: Vec<Judged>,
    reports: Reports,
    notes: &[String],
) -> Report<Own> {
    let mut report = Report::new(outcome);
    report.environment = Some(environment.name.clone());
    report.artifact = Some(artifact.digest);
    report.reasons = show::reasons(&conditions);
    if conditions.is_empty() {
        report.reasons =
            vec![Reason::new("gates").observed("gates: none").why("this environment demands nothing")];
    }
    report.text = show::human(&environment.name, outcome, &conditions, notes);
    report.markdown = show::markdown(&environment.name, outcome, &conditions, notes);
    report.annotations = show::annotations(&conditions);
    report.own = Own {
        conditions: conditions.into_iter().map(|judged| judged.result).collect(),
        reports: reports.files,
    };
    report
}
