//! GitLab CI.
//!
//! Outputs go to `<report-dir>/<tool>.env`, which a job hands on as `artifacts: reports: dotenv`. Source: "Artifacts
//! reports types" and "Job logs" of GitLab's documentation. GitLab has no command that hides a value in the log, so
//! a secret is never printed; it has no annotations in the log either, so they are plain lines.

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

use windlass_domain::digest::Digest;
use windlass_domain::secret::Secret;

use super::{Host, Place, shown};
use crate::context::Context;
use crate::report::{Annotation, Level};
use crate::{file, sink};

/// GitLab CI.
pub(super) struct Gitlab {
    tool: &'static str,
    dotenv: PathBuf,
    who: String,
    run: Option<String>,
    commit: Option<String>,
    /// When the process started, in seconds: both marks of a section carry it, as the clock is not read here.
    started: i64,
}

/// The largest dotenv file that GitLab takes, in bytes, by default.
const LARGEST_DOTENV: usize = 5 * 1024;

/// The longest value, in characters, so that one long reason does not cost the others their place.
const LONGEST_VALUE: usize = 1_000;

impl Gitlab {
    pub(super) fn new(context: &Context, place: &Place) -> Self {
        let user = context.var("GITLAB_USER_LOGIN").unwrap_or("somebody");
        let run = context.var("CI_JOB_URL").map(str::to_owned);
        let who = run.as_ref().map_or_else(|| user.to_owned(), |url| format!("{user} {url}"));
        Self {
            tool: place.tool,
            dotenv: place.folder.join(format!("{}.env", place.tool)),
            who,
            run,
            commit: super::commit(context, "CI_COMMIT_SHA"),
            started: context.started.as_second(),
        }
    }
}

impl Host for Gitlab {
    fn name(&self) -> &'static str {
        "gitlab"
    }

    fn annotations(&self, annotations: &[Annotation]) -> String {
        shown(annotations).iter().map(plain_line).collect()
    }

    fn summary(&self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn outputs(&self, outputs: &[(String, String)]) -> io::Result<()> {
        let mut text = String::new();
        for (name, value) in outputs {
            let line = format!("{}={}\n", key(self.tool, name), one_line(value));
            if text.len() + line.len() <= LARGEST_DOTENV {
                text.push_str(&line);
            }
        }
        file::write_whole(&self.dotenv, text.as_bytes())
    }

    fn mask(&self, _: &Secret<String>) -> String {
        String::new()
    }

    fn group(&self, title: &str) -> (String, String) {
        let name = format!("windlass_{}", Digest::of(title.as_bytes()).short());
        let title = sink::line(title);
        (
            format!("section_start:{}:{name}\r\u{1b}[0K{title}\n", self.started),
            format!("section_end:{}:{name}\r\u{1b}[0K\n", self.started),
        )
    }

    fn who(&self) -> String {
        self.who.clone()
    }

    fn run(&self) -> Option<String> {
        self.run.clone()
    }

    fn commit(&self) -> Option<String> {
        self.commit.clone()
    }
}

fn plain_line(annotation: &Annotation) -> String {
    let mut text = String::from(match annotation.level {
        Level::Error => "error: ",
        Level::Warning => "warning: ",
        Level::Notice => "notice: ",
    });
    if let Some(path) = &annotation.path {
        text.push_str(path);
        if let Some(line) = annotation.line {
            write!(text, ":{line}").expect("writing to a string cannot fail");
        }
        text.push_str(": ");
    }
    text.push_str(&annotation.title);
    text.push_str(": ");
    text.push_str(&annotation.message);
    format!("{}\n", sink::line(&text))
}

/// `report-path` of `gate-check` is `GATE_CHECK_REPORT_PATH`: never a variable that a tool or a shell listens to.
fn key(tool: &str, name: &str) -> String {
    format!("{tool}_{name}").to_ascii_uppercase().replace(|letter: char| !letter.is_ascii_alphanumeric(), "_")
}

/// A value on one line. GitLab would replace `$NAME` in it by that variable's value, a token's for instance.
fn one_line(value: &str) -> String {
    sink::line(value).trim().replace('$', "＄").chars().take(LONGEST_VALUE).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::context;
    use super::*;

    fn gitlab(folder: &std::path::Path) -> Gitlab {
        Gitlab::new(&context(&[]), &Place { tool: "gate-check", folder: folder.to_owned() })
    }

    #[test]
    fn dotenv_has_one_line_a_value_and_no_reference_to_a_variable() {
        let folder = tempfile::tempdir().unwrap();
        let hostile = "no\nOUTCOME=passed\r\n$CI_JOB_TOKEN ${CI_JOB_TOKEN}";
        let long = "x".repeat(9_000);
        gitlab(folder.path())
            .outputs(&[
                ("outcome".into(), "failed".into()),
                ("reason".into(), hostile.into()),
                ("long".into(), long),
                ("report-path".into(), ".windlass/gate-check.json".into()),
            ])
            .unwrap();
        let text = std::fs::read_to_string(folder.path().join("gate-check.env")).unwrap();
        insta::assert_snapshot!(text.replace(&"x".repeat(1_000), "…"), @r"
        GATE_CHECK_OUTCOME=failed
        GATE_CHECK_REASON=no\nOUTCOME=passed\r\n＄CI_JOB_TOKEN ＄{CI_JOB_TOKEN}
        GATE_CHECK_LONG=…
        GATE_CHECK_REPORT_PATH=.windlass/gate-check.json
        ");
    }

    #[test]
    fn section_marks_have_one_name_and_the_title_cannot_make_another() {
        let (begin, end) = gitlab(std::path::Path::new("/")).group("scan\r\u{1b}[0Ksection_end:0:x");
        let name = begin.split(':').nth(2).unwrap().split('\r').next().unwrap();
        assert!(end.starts_with(&format!("section_end:0:{name}\r\u{1b}[0K")), "{end:?}");
        assert_eq!(begin.matches('\u{1b}').count(), 1, "{begin:?}");
        assert_eq!(begin.matches('\r').count(), 1, "{begin:?}");
    }

    #[test]
    fn annotations_are_plain_lines_and_secrets_are_never_printed() {
        let annotation = Annotation {
            level: Level::Warning,
            title: "late".into(),
            message: "two\nlines".into(),
            path: Some("a.rs".into()),
            line: Some(4),
        };
        let gitlab = gitlab(std::path::Path::new("/"));
        assert_eq!(gitlab.annotations(&[annotation]), "warning: a.rs:4: late: two\\nlines\n");
        assert_eq!(gitlab.mask(&Secret::new("value".to_owned())), "");
    }

    #[test]
    fn job_is_named_by_user_and_url() {
        let sha = "0123456789abcdef0123456789abcdef01234567";
        let vars = [
            ("GITLAB_USER_LOGIN", "ana"),
            ("CI_JOB_URL", "https://git.example/-/jobs/1"),
            ("CI_COMMIT_SHA", sha),
        ];
        let gitlab = Gitlab::new(&context(&vars), &Place { tool: "deploy", folder: PathBuf::new() });
        assert_eq!(gitlab.who(), "ana https://git.example/-/jobs/1");
        assert_eq!(gitlab.commit().as_deref(), Some(sha));
    }
}
