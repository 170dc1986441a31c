//! Running a tool: arguments in, one report out to every place that wants it, an exit code returned.

use std::process::ExitCode;

use serde::Serialize;
use windlass_domain::outcome::Outcome;

use crate::args::{self, Color, Format, ToolArgs};
use crate::context::Context;
use crate::document::Document;
use crate::fail::{Failure, Result};
use crate::report::{Annotation, Level, Report};
use crate::session::Session;
use crate::{file, sink, topics};

/// Runs a tool: parses, judges by `judge`, writes the document, the reports, the CI system's outputs and standard
/// output, and returns the exit code. `judge` prints nothing itself.
pub fn run<A, T>(
    tool: &'static str,
    context: Context,
    judge: impl FnOnce(&Session, &A) -> Result<Report<T>>,
) -> ExitCode
where
    A: ToolArgs,
    T: Serialize + Default,
{
    let arguments: A = match args::parse(&context) {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    let session = Session::open(tool, arguments.common().clone(), context);
    apply_color(session.common.color);
    let (report, failure) = match judge(&session, &arguments) {
        Ok(report) => (report, None),
        Err(failure) => (report_of(&failure), Some(failure)),
    };
    session.progress.clear();
    let outcome = publish(&session, &report, failure.as_ref());
    ExitCode::from(outcome.code())
}

fn usage(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(Outcome::Invalid.code()) } else { ExitCode::SUCCESS }
}

fn apply_color(color: Color) {
    match color {
        Color::Auto => {}
        Color::Always => anstream::ColorChoice::write_global(anstream::ColorChoice::Always),
        Color::Never => anstream::ColorChoice::write_global(anstream::ColorChoice::Never),
    }
}

fn report_of<T: Default>(failure: &Failure) -> Report<T> {
    let mut report = Report::new(failure.outcome);
    report.reasons = failure.document_reasons();
    report.markdown = format!("## {}\n\n{}\n", failure.outcome, sink::markdown(&failure.chain()));
    report.annotations = vec![Annotation {
        level: Level::Error,
        title: failure.topic.key.to_owned(),
        message: failure.chain(),
        path: None,
        line: None,
    }];
    report
}

/// Writes a report everywhere. What cannot be written turns a pass into "could not judge".
fn publish<T: Serialize>(session: &Session, report: &Report<T>, failure: Option<&Failure>) -> Outcome {
    let document = Document {
        tool: session.tool.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        outcome: report.outcome,
        code: report.outcome.code(),
        environment: report.environment.clone().or_else(|| session.common.environment.clone()),
        artifact: report.artifact,
        started: session.context.started,
        duration_ms: elapsed_ms(session),
        reasons: report.reasons.clone(),
        own: &report.own,
    };
    let json = serde_json::to_string_pretty(&document).expect("a document has only string keys");
    if let Some(failure) = failure {
        print_failure(session, failure);
    }
    let written = write_reports(session, report, &json);
    match session.common.format {
        Format::Json => anstream::print!("{json}\n"),
        Format::Human if failure.is_none() => anstream::print!("{}", report.text),
        Format::Human => {}
    }
    match written {
        Ok(()) => report.outcome,
        Err(failure) => {
            print_failure(session, &failure);
            if report.outcome == Outcome::Passed { failure.outcome } else { report.outcome }
        }
    }
}

fn write_reports<T>(session: &Session, report: &Report<T>, json: &str) -> Result<()> {
    let folder = session.report_dir();
    let json_path = folder.join(format!("{}.json", session.tool));
    let markdown_path = folder.join(format!("{}.md", session.tool));
    for (path, text) in [(&json_path, json), (&markdown_path, report.markdown.as_str())] {
        file::write_whole(path, text.as_bytes()).map_err(|error| {
            Failure::unknown(&topics::REPORT_FILE, format!("cannot write {}", path.display())).because(error)
        })?;
    }
    let reason = report.reasons.first().map(|reason| format!("{}: {}", reason.what, reason.why)).unwrap_or_default();
    let mut outputs = vec![
        ("outcome".to_owned(), report.outcome.word().to_owned()),
        ("reason".to_owned(), reason),
        ("report-path".to_owned(), json_path.display().to_string()),
        ("evidence-path".to_owned(), session.evidence_path().display().to_string()),
    ];
    outputs.extend(report.files.iter().map(|(name, path)| (name.clone(), path.display().to_string())));
    outputs.extend(report.outputs.iter().cloned());
    anstream::eprint!("{}", session.host.annotations(&report.annotations));
    let wrote = session.host.summary(&report.markdown).and_then(|()| session.host.outputs(&outputs));
    wrote.map_err(|error| {
        Failure::unknown(&topics::REPORT_FILE, format!("cannot write the outputs of {}", session.host.name()))
            .because(error)
    })
}

fn print_failure(session: &Session, failure: &Failure) {
    for excerpt in &failure.excerpts {
        anstream::eprintln!("{excerpt}\n");
    }
    anstream::eprintln!("{}: {}: {}", session.tool, failure.outcome, sink::line(&failure.chain()));
    for hint in &failure.hints {
        anstream::eprintln!("  hint: {}", sink::line(hint));
    }
    anstream::eprintln!("  more: windlass explain {}", failure.topic.key);
}

#[expect(clippy::disallowed_methods, reason = "the run's end is read here, and only here")]
fn elapsed_ms(session: &Session) -> u64 {
    let elapsed = jiff::Timestamp::now().duration_since(session.context.started);
    u64::try_from(elapsed.as_millis()).unwrap_or(0)
}
