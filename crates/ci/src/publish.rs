//! Handing a report to every place that wants it. What cannot be written turns a pass into "could not judge": a
//! verdict that nobody can read is none.

use jiff::Timestamp;
use serde::Serialize;
use windlass_domain::outcome::Outcome;

use crate::document::Document;
use crate::fail::{Failure, Result};
use crate::report::Report;
use crate::session::Session;
use crate::tool::{print_failure, print_result};
use crate::{file, sink, stream, topics};

/// Writes a report everywhere and returns the outcome that the exit code tells; document, report file and exit code
/// agree.
pub(crate) fn publish<T: Serialize>(
    session: &Session,
    report: Report<T>,
    failure: Option<&Failure>,
) -> Outcome {
    let mut report = report;
    if let Some(failure) = failure {
        print_failure(session, failure);
    }
    stream::commands(&session.host.annotations(&report.annotations));
    let written = write_summary(session, &report).and_then(|()| write_reports(session, &report));
    if let Err(failure) = written {
        print_failure(session, &failure);
        downgrade(&mut report, &failure);
        // What can be written must not tell of a pass.
        let _ = write_reports(session, &report);
    }
    let json = if report.is_stream { line(session, &report) } else { document(session, &report) };
    if let Err(failure) = print_result(session, &report, &json, failure.is_some()) {
        print_failure(session, &failure);
        downgrade(&mut report, &failure);
        let _ = write_reports(session, &report);
    }
    report.outcome
}

fn downgrade<T>(report: &mut Report<T>, failure: &Failure) {
    report.reasons.extend(failure.document_reasons());
    if report.outcome == Outcome::Passed {
        report.outcome = failure.outcome;
        report.markdown =
            format!("## {}\n\n{}\n\n{}", failure.outcome, sink::markdown(&failure.chain()), report.markdown);
    }
}

/// Writes one document of a stream to standard output, as a line; the report that the tool ends with is the last.
///
/// # Errors
/// Unknown (3) when standard output cannot be written.
pub fn stream<T: Serialize>(session: &Session, report: &Report<T>) -> Result<()> {
    session.progress.print(&format!("{}\n", line(session, report))).map_err(|error| {
        Failure::unknown(&topics::REPORT_FILE, "cannot write standard output").because(error)
    })
}

fn document<T: Serialize>(session: &Session, report: &Report<T>) -> String {
    serde_json::to_string_pretty(&whole(session, report)).expect("a document has only string keys")
}

fn line<T: Serialize>(session: &Session, report: &Report<T>) -> String {
    serde_json::to_string(&whole(session, report)).expect("a document has only string keys")
}

fn whole<'a, T>(session: &Session, report: &'a Report<T>) -> Document<&'a T> {
    Document {
        tool: session.tool.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        outcome: report.outcome,
        code: report.outcome.code(),
        environment: report.environment.clone().or_else(|| session.common.environment.clone()),
        artifact: report.artifact,
        started: session.context.started,
        duration_ms: elapsed_ms(session.context.started),
        reasons: report.reasons.clone(),
        own: &report.own,
    }
}

fn write_summary<T>(session: &Session, report: &Report<T>) -> Result<()> {
    session.host.summary(&report.markdown).map_err(|error| host_failure(session, error))
}

/// Writes `<tool>.md`, `<tool>.json` and the outputs: each is tried, and the first failure is told.
fn write_reports<T: Serialize>(session: &Session, report: &Report<T>) -> Result<()> {
    let folder = session.report_dir();
    let json_path = folder.join(format!("{}.json", session.tool));
    let markdown_path = folder.join(format!("{}.md", session.tool));
    let json = document(session, report);
    let mut first = Ok(());
    for (path, text) in [(&markdown_path, &report.markdown), (&json_path, &json)] {
        let written = file::write_whole(path, text.as_bytes()).map_err(|error| {
            Failure::unknown(&topics::REPORT_FILE, format!("cannot write {}", path.display())).because(error)
        });
        first = first.and(written);
    }
    let outcome =
        if first.is_err() && report.outcome == Outcome::Passed { Outcome::Unknown } else { report.outcome };
    let reason =
        report.reasons.first().map(|reason| format!("{}: {}", reason.what, reason.why)).unwrap_or_default();
    let mut outputs = vec![
        ("outcome".to_owned(), outcome.word().to_owned()),
        ("reason".to_owned(), reason),
        ("report-path".to_owned(), json_path.display().to_string()),
        ("evidence-path".to_owned(), session.evidence_path().display().to_string()),
        ("artifact".to_owned(), report.artifact.map(|digest| digest.to_string()).unwrap_or_default()),
    ];
    outputs.extend(report.files.iter().map(|(name, path)| (name.clone(), path.display().to_string())));
    outputs.extend(report.outputs.iter().cloned());
    first.and(session.host.outputs(&outputs).map_err(|error| host_failure(session, error)))
}

fn host_failure(session: &Session, error: std::io::Error) -> Failure {
    Failure::unknown(&topics::REPORT_FILE, format!("cannot write the outputs of {}", session.host.name()))
        .because(error)
}

/// The time since `started`, in milliseconds.
#[expect(clippy::disallowed_methods, reason = "the run's end is read here, and only here")]
pub(crate) fn elapsed_ms(started: Timestamp) -> u64 {
    let elapsed = Timestamp::now().duration_since(started);
    u64::try_from(elapsed.as_millis()).unwrap_or(0)
}
