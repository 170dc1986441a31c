//! `windlass init`: a `windlass.yml`, the scripts that build and test, and a pipeline. Nothing is overwritten unasked.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use windlass_ci::context::Context;
use windlass_ci::fail::{Failure, Result};
use windlass_ci::{file, sink, tool, topics};
use windlass_domain::outcome::Outcome;
use windlass_domain::policy::Policy;

mod ask;
mod difference;
mod drift;
mod files;
mod mark;
mod remaining;
mod repository;
mod secrets;
mod stack;
mod system;
mod words;

use self::ask::Answers;
use self::files::{Owner, Standing, Template};
use self::repository::Repository;
use self::words::Words;

/// Write windlass.yml and a pipeline for this repository
///
/// Looks at what is here, asks at most four questions on a terminal, and writes windlass.yml, windlass/build.sh and
/// windlass/test.sh, which are yours to change, and the pipeline of a CI system. What is there already stays. Each file
/// bears a line with the version that wrote it and the hash of the rest, by which --check and --upgrade know what was
/// changed. --check exits 0 when the files are as this version writes them or yours, 1 when one has drifted or an upgrade
/// changes it, 2 when none is here, 3 when one cannot be read.
#[derive(Debug, Parser)]
#[command(name = "init", version)]
pub(crate) struct Arguments {
    /// Ask nothing: take what was found
    #[arg(short, long)]
    yes: bool,
    /// Show what would be written, and how it differs from what is there, and write nothing
    #[arg(long)]
    plan: bool,
    /// Overwrite what is there
    #[arg(long, conflicts_with_all = ["check", "upgrade"])]
    force: bool,
    /// Tell what was changed in the files that init wrote, and what this version writes otherwise
    #[arg(long, conflicts_with_all = ["yes", "plan", "upgrade"])]
    check: bool,
    /// Write anew the files that another version wrote and nobody edited
    #[arg(long)]
    upgrade: bool,
    /// Write a pipeline for this CI system [default: found by the files or the remote]
    #[arg(long, value_name = "HOST", default_value = "auto", value_parser = system::choices())]
    ci: String,
}

pub(crate) fn run(context: Context) -> ExitCode {
    let arguments: Arguments = match tool::arguments(&context) {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    if arguments.check {
        return match drift::check(&context.folder) {
            Ok((text, Outcome::Passed)) => tool::finish("init", Ok(text)),
            // The table is the result; that it says no is in the code.
            Ok((text, outcome)) => match tool::finish("init", Ok(text)) {
                ExitCode::SUCCESS => ExitCode::from(outcome.code()),
                unwritten => unwritten,
            },
            Err(failure) => tool::finish("init", Err(failure)),
        };
    }
    if arguments.upgrade {
        return tool::finish("init", drift::upgrade(&context.folder, arguments.plan));
    }
    let asks = !arguments.yes && !arguments.plan && context.stdout_is_terminal && io::stdin().is_terminal();
    tool::finish("init", init(&context.folder, &arguments, asks))
}

fn init(folder: &Path, arguments: &Arguments, asks: bool) -> Result<String> {
    let found = repository::look(folder);
    let policy = existing(folder, arguments.force)?;
    let answers = Answers {
        app: policy.as_ref().map_or_else(|| found.app.clone(), |policy| policy.app.clone()),
        run: found
            .stack
            .run
            .replace("@main@", &found.stack.main(folder))
            .replace("@name@", &found.stack.program(found.stack.package(folder).as_deref(), folder)),
        health: "/healthz".into(),
        ci: match arguments.ci.as_str() {
            "auto" => found.system.as_ref().map_or("none", |system| system.name).to_owned(),
            named => named.to_owned(),
        },
    };
    let answers = if asks { ask::all(&answers, &mut io::stdin().lock())? } else { answers };
    let mut words = words_of(&found, &answers, folder);
    let policy = match policy {
        Some(policy) => policy,
        None => Policy::parse(&files::COMMON[0].written(&words)).map_err(|problems| {
            let first = problems.first().map(|problem| problem.message.clone()).unwrap_or_default();
            Failure::invalid(&topics::POLICY_INVALID, format!("these answers make no windlass.yml: {first}"))
        })?,
    };
    let named = secrets::of(&policy);
    if !named.is_empty() {
        words.insert(secrets::WORD.to_owned(), named);
    }
    let system = system::all().into_iter().find(|system| system.name == answers.ci);
    let place = system.as_ref().map(|system| files::place(system, folder)).transpose()?;
    let chosen = system.as_ref().zip(place);
    let mut templates = files::COMMON.to_vec();
    templates.extend(chosen.map(|(system, place)| files::pipeline(system, place)));
    let title = system.as_ref().map_or("no CI system", |system| system.starter.title.as_str());
    let mut text =
        format!("found: {}, {title}, default branch {}\n", found.stack.title, sink::line(&found.branch));
    text.push_str(&write(folder, &templates, &words, arguments)?);
    text.push_str(&remaining::list(&found, chosen, &policy, &words));
    Ok(text)
}

/// The policy that is there and stays.
fn existing(folder: &Path, force: bool) -> Result<Option<Policy>> {
    let path = files::COMMON[0].path;
    let (Standing::Marked { text, .. } | Standing::Foreign { text }) = files::standing(folder, path)? else {
        return Ok(None);
    };
    if force {
        return Ok(None);
    }
    Policy::parse(&text).map(Some).map_err(|_| {
        Failure::invalid(&topics::POLICY_INVALID, format!("{path} is there and has mistakes"))
            .hint("`windlass check` shows them; --force writes another in its place")
    })
}

fn words_of(found: &Repository, answers: &Answers, folder: &Path) -> Words {
    let package = found.stack.package(folder);
    let (owner, repo) = found.at.clone().unwrap_or_else(|| ("OWNER".to_owned(), answers.app.clone()));
    [
        ("app", answers.app.clone()),
        ("run", answers.run.clone()),
        ("health", answers.health.clone()),
        ("branch", found.branch.clone()),
        ("stack", found.stack.name.to_owned()),
        ("lock", found.stack.lock(folder)),
        ("name", found.stack.program(package.as_deref(), folder)),
        ("owner", owner),
        ("repo", repo),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// Writes what is not there, or says what it would write.
fn write(folder: &Path, templates: &[Template<'_>], words: &Words, arguments: &Arguments) -> Result<String> {
    let mut text = String::new();
    let mut to_write = Vec::new();
    let mut refused = Vec::new();
    for template in templates {
        let new = template.written(words);
        let (verb, old) = match files::standing(folder, template.path)? {
            Standing::Absent => ("write", String::new()),
            Standing::Marked { text: old, .. } | Standing::Foreign { text: old } if old == new => {
                say(&mut text, &format!("unchanged {}", template.path));
                continue;
            }
            Standing::Marked { text: old, .. } | Standing::Foreign { text: old } if arguments.force => {
                ("overwrite", old)
            }
            Standing::Marked { .. } | Standing::Foreign { .. } if template.owner == Owner::You => {
                say(&mut text, &format!("kept {}: it is yours", template.path));
                continue;
            }
            Standing::Marked { text: old, .. } | Standing::Foreign { text: old } => {
                refused.push(template.path);
                ("overwrite, with --force,", old)
            }
        };
        if arguments.plan {
            say(&mut text, &format!("\nwould {verb} {}:", template.path));
            text.push_str(&difference::between(&old, &new));
        } else {
            to_write.push((template.path, new));
        }
    }
    if !refused.is_empty() && !arguments.plan {
        return Err(Failure::invalid(
            &topics::USAGE,
            format!("{} exists and is not overwritten", refused.join(", ")),
        )
        .hint("`windlass init --plan` shows how it would change")
        .hint("`windlass init --check` tells what was changed since it was written; --force overwrites"));
    }
    for (path, new) in to_write {
        file::write_whole(&folder.join(path), new.as_bytes()).map_err(|error| {
            Failure::unknown(&topics::REPORT_FILE, format!("cannot write {path}")).because(error)
        })?;
        say(&mut text, &format!("wrote {path}"));
    }
    Ok(text)
}

fn say(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("writing to a string cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every stack with every system, as `init` writes them.
    fn each(check: impl Fn(&str, &str, &str, &str)) {
        let markers = [
            "Cargo.toml",
            "package.json",
            "requirements.txt",
            "go.mod",
            "pom.xml",
            "build.gradle",
            "Dockerfile",
            "README",
        ];
        for marker in markers {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join(marker), "").unwrap();
            for system in system::names() {
                let arguments = Arguments::parse_from(["init", "--yes", "--force", "--ci", system]);
                init(folder.path(), &arguments, false).unwrap();
                let system = system::all().into_iter().find(|one| one.name == system).unwrap();
                let paths = files::COMMON.iter().map(|one| one.path).chain([system.starter.file.as_str()]);
                for path in paths {
                    let text = std::fs::read_to_string(folder.path().join(path)).unwrap();
                    check(marker, system.name, path, &text);
                }
            }
        }
    }

    #[test]
    fn no_stack_and_no_system_leaves_a_word_open_and_each_policy_holds() {
        each(|marker, system, path, text| {
            for part in text.split('@').skip(1) {
                let word: String = part.chars().take_while(char::is_ascii_lowercase).collect();
                let is_open = !word.is_empty() && text.contains(&format!("@{word}@"));
                assert!(!is_open, "{marker}, {system}: {path} leaves @{word}@ open");
            }
            if path == "windlass.yml" {
                Policy::parse(text).unwrap_or_else(|problems| panic!("{marker}: {problems:?}\n{text}"));
            }
            assert!(mark::read(text).is_some_and(|mark| mark.holds), "{path}");
        });
    }

    #[test]
    fn every_reference_to_another_s_action_is_a_commit() {
        each(|_, system, path, text| {
            for line in text.lines().filter(|line| line.trim_start().starts_with("uses:")) {
                let (_, version) = line.split_once('@').unwrap();
                let commit = version.split(' ').next().unwrap();
                assert!(
                    commit.len() == 40 && commit.chars().all(|letter| letter.is_ascii_hexdigit()),
                    "{system}, {path}: {line}"
                );
            }
        });
    }
}
