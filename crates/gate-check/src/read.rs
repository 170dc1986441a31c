//! `gate-check read`: what is understood of a report.

use std::path::PathBuf;

use windlass_ci::report::{Annotation, Level, Report};
use windlass_ci::session::Session;
use windlass_ci::sink;
use windlass_domain::outcome::{Outcome, Reason};

use crate::own::{Own, ReportResult};
use crate::{collect, show};

/// Reads the files; unknown (3) when any cannot be read. It judges nothing, so that failed tests are no failure here.
pub(crate) fn read(session: &Session, files: &[PathBuf]) -> Report<Own> {
    let files = collect::read_files(&session.context.folder, files);
    let broken: Vec<&ReportResult> = files.iter().filter(|file| file.trouble.is_some()).collect();
    let mut report = Report::new(if broken.is_empty() { Outcome::Passed } else { Outcome::Unknown });
    report.reasons = broken
        .iter()
        .map(|file| {
            Reason::new("report")
                .place(&file.file)
                .why(format!("{} {}", file.file, file.trouble.as_deref().unwrap_or_default()))
                .next("let the job write its reports whole")
        })
        .collect();
    report.annotations = broken
        .iter()
        .map(|file| Annotation {
            level: Level::Error,
            title: "report".into(),
            message: file.trouble.clone().unwrap_or_default(),
            path: Some(file.file.clone()),
            line: None,
        })
        .collect();
    report.text = show::reports(&files);
    report.markdown = format!("## Reports: {}\n", report.outcome);
    for text in report.text.lines() {
        report.markdown.push_str("\n- ");
        report.markdown.push_str(&sink::markdown(text.trim_start()));
    }
    report.markdown.push('\n');
    report.own = Own { conditions: Vec::new(), reports: files };
    report
}
