//! What people still have to do after `init`, with the commands that do it.

use std::fmt::Write as _;

use windlass_ci::sink;
use windlass_domain::policy::Policy;

use super::repository::Repository;
use super::secrets;
use super::system::System;
use super::words::{self, Words};

/// The environments that every pipeline goes through.
const ENVIRONMENTS: [&str; 3] = ["dev", "staging", "production"];

/// A numbered list.
pub(super) fn list(
    found: &Repository,
    system: Option<(&System, &str)>,
    policy: &Policy,
    words: &Words,
) -> String {
    let mut steps: Vec<String> = found.stack.note.iter().cloned().collect();
    steps.push(
        "build with `sh windlass/build.sh`, test with `sh windlass/test.sh`, then run `windlass check`"
            .into(),
    );
    steps.push(
        "let the service listen on the port in PORT, and answer 200 on the health path only when it can serve"
            .into(),
    );
    if system.is_some() {
        steps.push(format!(
            "all jobs run on the machine that serves; to build elsewhere, move the job build alone, to a runner with the tools of the image {}",
            found.stack.image
        ));
    }
    let missing: Vec<&str> = ENVIRONMENTS
        .into_iter()
        .filter(|name| !policy.environments.iter().any(|one| one.name == *name))
        .collect();
    match system {
        None => steps.push(
            "no pipeline was written: run the same commands from any CI system, or name one with --ci".into(),
        ),
        Some((system, place)) => {
            if !missing.is_empty() {
                steps.push(format!(
                    "the pipeline goes through {}, and windlass.yml has no {}: add it there, or take its job out",
                    ENVIRONMENTS.join(", "),
                    missing.join(" and no ")
                ));
            }
            if place != system.starter.file {
                steps.extend(system.starter.included.clone());
            }
            steps.extend(system.starter.remains.clone());
            if words.contains_key(secrets::WORD) {
                steps.push(system.starter.told.clone());
            }
        }
    }
    steps.push("make a key with `windlass keygen`, write it down in windlass.yml as it says, and take out `evidence: unsigned`: until then whoever can write the evidence file can forge it".into());
    let mut ignored = vec!["/.windlass/", "/.cache/", "/dist/", "/reports/", "/release.tar", "/windlass.key"];
    ignored.extend(found.stack.ignore.iter().map(String::as_str));
    steps
        .push(format!("keep what is built out of git: `printf '%s\\n' {} >> .gitignore`", ignored.join(" ")));
    let mut text = String::from("\nwhat remains:\n");
    for (index, step) in steps.iter().enumerate() {
        writeln!(text, "  {}. {}", index + 1, sink::line(&words::fill(step, words)))
            .expect("writing to a string cannot fail");
    }
    text
}
