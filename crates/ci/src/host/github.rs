//! GitHub Actions, and the forges that follow its conventions.
//!
//! Sources: "Workflow commands for GitHub Actions" and "Variables reference" of GitHub's documentation, and
//! `src/Runner.Common/ActionCommand.cs` of actions/runner for the escapes. `GITHUB_ENV` is never written: what
//! reaches it becomes the environment of every later step.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use windlass_domain::secret::Secret;

use super::{Host, shown};
use crate::context::Context;
use crate::report::{Annotation, Level};
use crate::sink;

/// GitHub Actions.
pub(super) struct Github {
    summary: Option<PathBuf>,
    output: Option<PathBuf>,
    who: String,
    run: Option<String>,
    commit: Option<String>,
    /// Whether a runner really reads the log. With `--ci github` elsewhere nobody does.
    is_real: bool,
}

/// The largest summary of a step, in bytes; beyond it GitHub shows none at all.
const LARGEST_SUMMARY: usize = 1024 * 1024;

/// What stands where a summary was cut.
const CUT: &str = "\n\n*Cut here: a job summary holds 1 MiB. The report file has all of it.*\n";

/// The longest message of an annotation, in characters.
const LONGEST_MESSAGE: usize = 4_000;

impl Github {
    pub(super) fn new(context: &Context) -> Self {
        Self {
            summary: super::file(context, "GITHUB_STEP_SUMMARY"),
            output: super::file(context, "GITHUB_OUTPUT"),
            who: who(context),
            run: run(context),
            // For `pull_request` events this is the merge commit that the job has checked out, so it is what is
            // built; the head commit is another.
            commit: super::commit(context, "GITHUB_SHA"),
            is_real: context.var("GITHUB_ACTIONS") == Some("true"),
        }
    }
}

/// The actor and the run's page.
fn who(context: &Context) -> String {
    let actor =
        context.var("GITHUB_TRIGGERING_ACTOR").or_else(|| context.var("GITHUB_ACTOR")).unwrap_or("somebody");
    run(context).map_or_else(|| actor.to_owned(), |run| format!("{actor} {run}"))
}

/// The run's page, with the attempt where it was run again.
fn run(context: &Context) -> Option<String> {
    let server = context.var("GITHUB_SERVER_URL").unwrap_or("https://github.com");
    let (repository, run) = context.var("GITHUB_REPOSITORY").zip(context.var("GITHUB_RUN_ID"))?;
    let attempt = context.var("GITHUB_RUN_ATTEMPT").filter(|attempt| *attempt != "1");
    let attempt = attempt.map(|attempt| format!("/attempts/{attempt}")).unwrap_or_default();
    Some(format!("{server}/{repository}/actions/runs/{run}{attempt}"))
}

impl Host for Github {
    fn name(&self) -> &'static str {
        "github"
    }

    fn annotations(&self, annotations: &[Annotation]) -> String {
        shown(annotations).iter().map(command).collect()
    }

    fn summary(&self, markdown: &str) -> io::Result<()> {
        let Some(path) = &self.summary else { return Ok(()) };
        let before = std::fs::metadata(path)
            .map_or(0, |metadata| usize::try_from(metadata.len()).unwrap_or(usize::MAX));
        append(path, &cut(markdown, LARGEST_SUMMARY.saturating_sub(before)))
    }

    fn outputs(&self, outputs: &[(String, String)]) -> io::Result<()> {
        let Some(path) = &self.output else { return Ok(()) };
        let mut text = String::new();
        for (name, value) in outputs {
            let delimiter = delimiter(value)?;
            let name = name.replace(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-', "_");
            write!(text, "{name}<<{delimiter}\n{value}\n{delimiter}\n")
                .expect("writing to a string cannot fail");
        }
        append(path, &text)
    }

    fn mask(&self, secret: &Secret<String>) -> String {
        if !self.is_real {
            return String::new();
        }
        let lines = secret.expose().lines().map(str::trim).filter(|line| !line.is_empty());
        lines.map(|line| format!("::add-mask::{}\n", data(line))).collect()
    }

    fn group(&self, title: &str) -> (String, String) {
        (format!("::group::{}\n", data(&sink::line(title))), "::endgroup::\n".to_owned())
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

fn command(annotation: &Annotation) -> String {
    let name = match annotation.level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Notice => "notice",
    };
    let mut properties = Vec::new();
    if let Some(path) = &annotation.path {
        properties.push(format!("file={}", property(path)));
        properties.extend(annotation.line.map(|line| format!("line={line}")));
    }
    properties.push(format!("title={}", property(&annotation.title)));
    let message: String = annotation.message.chars().take(LONGEST_MESSAGE).collect();
    let lines: Vec<String> = message.lines().map(sink::line).collect();
    format!("::{name} {}::{}\n", properties.join(","), data(&lines.join("\n")))
}

/// Escapes the data of a command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes a property of a command. A property that is empty would be dropped with its `=`.
fn property(text: &str) -> String {
    data(&sink::line(text)).replace(':', "%3A").replace(',', "%2C")
}

/// A line that cannot stand in `value`: 128 random bits, and looked for all the same.
fn delimiter(value: &str) -> io::Result<String> {
    loop {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
        let delimiter = format!("windlass_{:032x}", u128::from_ne_bytes(random));
        if !value.contains(&delimiter) {
            return Ok(delimiter);
        }
    }
}

/// The part of a summary that fits into `room` bytes, cut at the end of a line.
fn cut(markdown: &str, room: usize) -> String {
    let markdown = format!("{}\n", markdown.trim_end());
    if markdown.len() <= room {
        return markdown;
    }
    let mut end = room.saturating_sub(CUT.len()).min(markdown.len());
    while !markdown.is_char_boundary(end) {
        end -= 1;
    }
    let end = markdown[..end].rfind('\n').unwrap_or(0);
    if CUT.len() > room { String::new() } else { format!("{}{CUT}", &markdown[..end]) }
}

fn append(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().create(true).append(true).open(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::super::tests::context;
    use super::*;

    #[test]
    fn hostile_annotation_stays_one_command() {
        let annotation = Annotation {
            level: Level::Error,
            title: "a,b::c".into(),
            message: "100%\n::add-mask::x\r\n##[add-path]/evil\u{1b}[2J".into(),
            path: Some("src/a:b,line=9.rs\n::error::".into()),
            line: Some(3),
        };
        insta::assert_snapshot!(Github::new(&context(&[])).annotations(&[annotation]), @r"::error file=src/a%3Ab%2Cline=9.rs\n%3A%3Aerror%3A%3A,line=3,title=a%2Cb%3A%3Ac::100%25%0A: :add-mask::x%0A# #[add-path]/evil\u{1b}[2J");
    }

    #[test]
    fn output_cannot_be_left_by_any_value() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("output");
        let github = Github { output: Some(path.clone()), ..Github::new(&context(&[])) };
        let hostile = "first\nwindlass_0\nEOF\noutcome=passed\r\noutcome<<EOF\npassed\nEOF";
        github.outputs(&[("reason".into(), hostile.into()), ("outcome".into(), "failed".into())]).unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        let mut lines = text.split('\n');
        let mut read = Vec::new();
        while let Some((name, end)) = lines.next().and_then(|line| line.split_once("<<")) {
            let value: Vec<&str> = lines.by_ref().take_while(|line| *line != end).collect();
            read.push((name.to_owned(), value.join("\n")));
        }
        assert_eq!(
            read,
            [("reason".to_owned(), hostile.to_owned()), ("outcome".to_owned(), "failed".to_owned())]
        );
    }

    #[test]
    fn summary_is_appended_and_cut_with_a_note_below_one_mebibyte() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("summary");
        let github = Github { summary: Some(path.clone()), ..Github::new(&context(&[])) };
        github.summary("## passed").unwrap();
        github.summary(&"é line\n".repeat(200_000)).unwrap();
        github.summary("nothing fits any more").unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.len() <= LARGEST_SUMMARY, "{}", text.len());
        assert!(
            text.starts_with("## passed\né line\n") && text.ends_with(CUT),
            "{}",
            &text[text.len() - 200..]
        );
    }

    #[test]
    fn secret_is_masked_line_by_line_and_only_before_a_real_runner() {
        let secret = Secret::new("a%b\n\n  second \n".to_owned());
        let real = Github::new(&context(&[("GITHUB_ACTIONS", "true")]));
        assert_eq!(real.mask(&secret), "::add-mask::a%25b\n::add-mask::second\n");
        assert_eq!(Github::new(&context(&[])).mask(&secret), "");
    }

    #[test]
    fn run_is_named_by_its_actor_url_and_attempt() {
        let sha = "0123456789abcdef0123456789abcdef01234567";
        let github = Github::new(&context(&[
            ("GITHUB_ACTOR", "ana"),
            ("GITHUB_SERVER_URL", "https://git.example"),
            ("GITHUB_REPOSITORY", "shop/shop"),
            ("GITHUB_RUN_ID", "7"),
            ("GITHUB_RUN_ATTEMPT", "2"),
            ("GITHUB_SHA", sha),
        ]));
        assert_eq!(github.who(), "ana https://git.example/shop/shop/actions/runs/7/attempts/2");
        assert_eq!(github.commit().as_deref(), Some(sha));
        assert_eq!(Github::new(&context(&[("GITHUB_SHA", "main")])).commit(), None);
    }

    #[test]
    fn group_title_cannot_open_a_command() {
        let (begin, end) = Github::new(&context(&[])).group("build\n::set-output::");
        assert_eq!((begin.as_str(), end.as_str()), ("::group::build\\n::set-output::\n", "::endgroup::\n"));
    }
}
