//! Running a tool: arguments in, one report out to every place that wants it, an exit code returned.

use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

use serde::Serialize;
use windlass_domain::outcome::{Outcome, Reason};

use crate::args::{self, CiChoice, Color, Format, ToolArgs};
use crate::context::Context;
use crate::document::Document;
use crate::fail::{Failure, Result};
use crate::publish::{self, elapsed_ms};
use crate::report::{Annotation, Level, Report};
use crate::session::Session;
use crate::{host, sink, stream, topics};

/// Runs a tool: parses, judges by `judge`, writes the document, the reports, the CI system's outputs and standard
/// output, and returns the exit code. `judge` prints nothing itself. A panic in it is "could not judge".
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
        Err(error) => return usage::<T>(tool, &context, &error),
    };
    let session = Session::open(tool, arguments.common().clone(), context);
    apply_color(session.common.color);
    report_panics(tool);
    let judged = panic::catch_unwind(AssertUnwindSafe(|| judge(&session, &arguments)));
    let judged =
        judged.unwrap_or_else(|_| Err(Failure::unknown(&topics::BUG, "windlass went wrong in itself")));
    let (report, failure) = match judged {
        Ok(report) => (report, None),
        Err(failure) => (report_of(&failure), Some(failure)),
    };
    session.progress.clear();
    let outcome = publish::publish(&session, report, failure.as_ref());
    ExitCode::from(outcome.code())
}

/// What clap found wrong, or its `--help`; with `--format json` a document too.
fn usage<T: Serialize + Default>(tool: &str, context: &Context, error: &clap::Error) -> ExitCode {
    let _ = error.print();
    if !error.use_stderr() {
        return ExitCode::SUCCESS;
    }
    let first = error.to_string().lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    tell_host(tool, context, &first);
    if args::asks_for_json(context) {
        let reason = Reason::new(topics::USAGE.key).why(first).next(topics::USAGE.next);
        let document = Document {
            tool: tool.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            outcome: Outcome::Invalid,
            code: Outcome::Invalid.code(),
            environment: None,
            artifact: None,
            started: context.started,
            duration_ms: elapsed_ms(context.started),
            reasons: vec![reason],
            own: T::default(),
        };
        let json = serde_json::to_string_pretty(&document).expect("a document has only string keys");
        let _ = stream::out(&format!("{json}\n"));
    }
    ExitCode::from(Outcome::Invalid.code())
}

/// Tells the CI system of wrong usage, as far as it can be told without the flags: a later step may ask for the outcome.
fn tell_host(tool: &str, context: &Context, why: &str) {
    let host = host::detect(CiChoice::Auto, context);
    let annotation = Annotation {
        level: Level::Error,
        title: format!("{tool}: {}", Outcome::Invalid),
        message: why.to_owned(),
        path: None,
        line: None,
    };
    stream::commands(&host.annotations(&[annotation]));
    let outputs = [("outcome", Outcome::Invalid.word()), ("reason", why)];
    // The exit code says it already; there is nowhere left to say that this could not be written.
    let _ = host.outputs(&outputs.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let _ = host.summary(&format!("## {}\n\n{}\n", Outcome::Invalid, sink::markdown(why)));
}

fn apply_color(color: Color) {
    match color {
        Color::Auto => {}
        Color::Always => anstream::ColorChoice::write_global(anstream::ColorChoice::Always),
        Color::Never => anstream::ColorChoice::write_global(anstream::ColorChoice::Never),
    }
}

/// Says of a panic where it was and that it should be reported. The message comes from our own code: secrets print
/// as `***` in it.
fn report_panics(tool: &'static str) {
    panic::set_hook(Box::new(move |info| {
        let payload = info.payload();
        let message = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let message = message.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default();
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        stream::err(&format!(
            "{tool}: bug at {}: {}\n  hint: please report it, with the version {}: {}/issues\n",
            sink::line(&place),
            sink::line(&message),
            env!("CARGO_PKG_VERSION"),
            env!("CARGO_PKG_REPOSITORY"),
        ));
    }));
}

fn report_of<T: Default>(failure: &Failure) -> Report<T> {
    let mut report = Report::new(failure.outcome);
    report.reasons = failure.document_reasons();
    report.markdown = format!("## {}\n\n{}\n", failure.outcome, sink::prose(&failure.chain()));
    for hint in &failure.hints {
        report.markdown.push_str(&format!("\nNext: {}\n", sink::prose(hint)));
    }
    report.annotations = vec![Annotation {
        level: Level::Error,
        title: failure.topic.key.to_owned(),
        message: failure.chain(),
        path: None,
        line: None,
    }];
    report
}

/// Prints a failure for people on standard error.
pub(crate) fn print_failure(session: &Session, failure: &Failure) {
    stream::err(&failure.text(session.tool));
}

/// Parses the arguments of a command that has no report of its own; on `--help`, `--version` or an error, prints
/// that and gives the exit code.
///
/// # Errors
/// The exit code to end with.
pub fn arguments<A: clap::Parser>(context: &Context) -> Result<A, ExitCode> {
    args::parse(context).map_err(|error| {
        let _ = error.print();
        ExitCode::from(if error.use_stderr() { Outcome::Invalid.code() } else { Outcome::Passed.code() })
    })
}

/// Ends a command that has no report of its own: its text on standard output, or its failure on standard error.
#[must_use]
pub fn finish(tool: &str, result: Result<String>) -> ExitCode {
    let result = result.and_then(|text| {
        stream::out(&text).map_err(|error| {
            Failure::unknown(&topics::REPORT_FILE, "cannot write standard output").because(error)
        })
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            stream::err(&failure.text(tool));
            ExitCode::from(failure.outcome.code())
        }
    }
}

/// Writes the result to standard output.
pub(crate) fn print_result<T>(
    session: &Session,
    report: &Report<T>,
    json: &str,
    has_failed: bool,
) -> Result<()> {
    let written = match session.common.format {
        Format::Json => stream::out(&format!("{json}\n")),
        Format::Human if has_failed => Ok(()),
        Format::Human => stream::out(&report.text),
    };
    written.map_err(|error| {
        Failure::unknown(&topics::REPORT_FILE, "cannot write standard output").because(error)
    })
}
