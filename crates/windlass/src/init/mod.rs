//! `windlass init`: a `windlass.yml` and a pipeline for a repository that has none. Never overwrites.

use std::fmt::Write as _;
use std::io::{self, BufRead as _, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use windlass_ci::context::Context;
use windlass_ci::fail::{Failure, Result};
use windlass_ci::{file, sink, stream, tool, topics};
use windlass_domain::policy::Policy;

mod repository;
mod stack;

use self::repository::{Forge, Repository};

/// Write windlass.yml and a pipeline for this repository
///
/// Looks at what is here, asks at most four questions on a terminal, and writes windlass.yml and a GitHub workflow
/// or a GitLab pipeline. Nothing is ever overwritten.
#[derive(Debug, Parser)]
#[command(name = "init", version)]
pub(crate) struct Arguments {
    /// Ask nothing: take what was found
    #[arg(short, long)]
    yes: bool,
    /// Show what would be written and write nothing
    #[arg(long)]
    plan: bool,
    /// Write a pipeline for this CI system [default: found by the remote or the files]
    #[arg(long, value_enum, value_name = "HOST", default_value_t)]
    ci: Choice,
}

/// Which pipeline is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Choice {
    /// Found by the remote or the files.
    #[default]
    Auto,
    /// No pipeline.
    None,
    /// GitHub Actions.
    Github,
    /// GitLab CI.
    Gitlab,
}

pub(crate) fn run(context: Context) -> ExitCode {
    let arguments: Arguments = match tool::arguments(&context) {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    let asks = !arguments.yes && !arguments.plan && context.stdout_is_terminal && io::stdin().is_terminal();
    tool::finish("init", init(&context.folder, &arguments, asks))
}

/// What the files are made from.
struct Answers {
    app: String,
    run: String,
    health: String,
    forge: Forge,
}

fn init(folder: &Path, arguments: &Arguments, asks: bool) -> Result<String> {
    let found = repository::look(folder);
    let forge = match arguments.ci {
        Choice::Auto => found.forge,
        Choice::None => Forge::None,
        Choice::Github => Forge::Github,
        Choice::Gitlab => Forge::Gitlab,
    };
    let taken =
        Answers { app: found.app.clone(), run: found.stack.run.clone(), health: "/healthz".into(), forge };
    let answers = if asks { ask(taken)? } else { taken };
    let files = files(&found, &answers);
    if let Err(problems) = Policy::parse(&files[0].1) {
        let first = problems.first().map(|problem| problem.message.clone()).unwrap_or_default();
        return Err(Failure::invalid(
            &topics::POLICY_INVALID,
            format!("these answers make no windlass.yml: {first}"),
        ));
    }
    let existing: Vec<String> = files
        .iter()
        .filter(|(path, _)| folder.join(path).symlink_metadata().is_ok())
        .map(|(path, _)| path.display().to_string())
        .collect();
    if !existing.is_empty() {
        return Err(Failure::invalid(
            &topics::USAGE,
            format!("{} exists and is not overwritten", existing.join(", ")),
        )
        .hint("remove it, or change it by hand and run `windlass check`"));
    }
    let mut text = format!("found: {}, default branch {}\n", found.stack.name, sink::line(&found.branch));
    for (path, content) in &files {
        if arguments.plan {
            writeln!(text, "\nwould write {}:\n\n{content}", path.display())
                .expect("writing to a string cannot fail");
            continue;
        }
        file::write_whole(&folder.join(path), content.as_bytes()).map_err(|error| {
            Failure::unknown(&topics::REPORT_FILE, format!("cannot write {}", path.display())).because(error)
        })?;
        writeln!(text, "wrote {}", path.display()).expect("writing to a string cannot fail");
    }
    text.push_str(&remaining(&found, &answers));
    Ok(text)
}

/// The files, `windlass.yml` first, with their paths relative to the repository.
fn files(found: &Repository, answers: &Answers) -> Vec<(PathBuf, String)> {
    let fill = |template: &str| {
        let values = [
            ("@app@", answers.app.as_str()),
            ("@run@", &answers.run),
            ("@health@", &answers.health),
            ("@branch@", &found.branch),
            ("@build@", &found.stack.build),
            ("@test@", &found.stack.test),
        ];
        values.iter().fold(template.to_owned(), |text, (name, value)| put(&text, name, value))
    };
    let mut files =
        vec![("windlass.yml".into(), fill(include_str!("../../../../templates/init/windlass.yml")))];
    match answers.forge {
        Forge::None => {}
        Forge::Github => files.push((
            ".github/workflows/windlass.yml".into(),
            fill(include_str!("../../../../templates/init/github.yml")),
        )),
        Forge::Gitlab => {
            files.push((
                found.gitlab_file.into(),
                fill(include_str!("../../../../templates/init/gitlab.yml")),
            ));
        }
    }
    files
}

/// Puts a value in place of `name`; its further lines get the indentation of that place.
fn put(text: &str, name: &str, value: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let indent: String = line.chars().take_while(|letter| *letter == ' ').collect();
        out.push_str(&line.replace(name, &value.replace('\n', &format!("\n{indent}"))));
    }
    out
}

/// The four questions.
fn ask(taken: Answers) -> Result<Answers> {
    let forge = match taken.forge {
        Forge::None => "none",
        Forge::Github => "github",
        Forge::Gitlab => "gitlab",
    };
    Ok(Answers {
        app: question("name of the application", &taken.app)?,
        run: question("command that starts it, in the built folder", &taken.run)?,
        health: question("path that answers 200 when it is healthy", &taken.health)?,
        forge: match question("CI system: github, gitlab or none", forge)?.as_str() {
            "github" => Forge::Github,
            "gitlab" => Forge::Gitlab,
            "none" => Forge::None,
            other => return Err(Failure::invalid(&topics::USAGE, format!("no pipeline for {other:?}"))),
        },
    })
}

fn question(what: &str, default: &str) -> Result<String> {
    stream::err(&format!("{what} [{}]: ", sink::line(default)));
    let mut line = String::new();
    io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(|error| Failure::unknown(&topics::USAGE, "cannot read the answer").because(error))?;
    let line = line.trim();
    Ok(if line.is_empty() { default.to_owned() } else { line.to_owned() })
}

fn remaining(found: &Repository, answers: &Answers) -> String {
    let mut steps = Vec::new();
    if let Some(note) = found.stack.note {
        steps.push(note.to_owned());
    }
    steps.push("build into dist/, then run `windlass check`".into());
    steps.push(
        "let the service listen on the port in PORT, and answer 200 on the health path only when it can serve".into(),
    );
    match answers.forge {
        Forge::None => steps.push("no pipeline was written: run the same commands from any CI system, or name one with --ci".into()),
        Forge::Github => steps.push("register a self-hosted runner on the machine that serves, with `windlass` on its PATH; set reviewers for the environment production".into()),
        Forge::Gitlab => {
            steps.push("register a runner with the shell executor and the tag `windlass` on the machine that serves, with `windlass` on its PATH".into());
            if found.gitlab_file != ".gitlab-ci.yml" {
                steps.push(format!("add `include: [{{ local: {} }}]` and its stages to .gitlab-ci.yml", found.gitlab_file));
            }
        }
    }
    steps.push("make a key with `windlass keygen`, and take out `evidence: unsigned`: until then whoever can write the evidence file can forge it".into());
    steps.push("add /.windlass/ and /dist/ to .gitignore".into());
    let mut text = String::from("\nwhat remains:\n");
    for (index, step) in steps.iter().enumerate() {
        writeln!(text, "  {}. {}", index + 1, sink::line(step)).expect("writing to a string cannot fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stack_gives_a_policy_that_parses() {
        let markers = [
            "Cargo.toml",
            "package.json",
            "pyproject.toml",
            "go.mod",
            "pom.xml",
            "build.gradle",
            "Dockerfile",
            "README",
        ];
        for marker in markers {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join(marker), "").unwrap();
            let found = repository::look(folder.path());
            let run = found.stack.run.clone();
            let answers = Answers { app: found.app.clone(), run, health: "/".into(), forge: Forge::Github };
            for (path, text) in files(&found, &answers) {
                assert!(
                    !text.contains("@app@") && !text.contains("@build@") && !text.contains("@run@"),
                    "{text}"
                );
                if path == Path::new("windlass.yml") {
                    Policy::parse(&text).unwrap_or_else(|problems| panic!("{marker}: {problems:?}\n{text}"));
                }
            }
        }
    }

    #[test]
    fn lines_of_a_value_keep_the_indentation_of_their_place() {
        assert_eq!(
            put("run: |\n    @build@\nend\n", "@build@", "one\ntwo"),
            "run: |\n    one\n    two\nend\n"
        );
    }
}
