//! Who is told of a release, from outside: by `deploy`, `rollback` and `windlass notify`, to receivers on this machine.
#![expect(clippy::unwrap_used, reason = "a test may stop where its set-up does")]
#![expect(clippy::disallowed_methods, reason = "a test may read the environment that it scrubs")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

mod mail;
mod mailpit;
mod moved;
#[expect(dead_code, reason = "what other tests do with a project is not done here")]
#[path = "../release/project.rs"]
mod project;
#[path = "../../crates/notify/tests/telling/receiver.rs"]
mod receiver;
mod tried;

use project::{Ended, Project};

/// Runs a tool with these variables beside those of every test.
fn run(project: &Project, words: &[&str], vars: &[(&str, &str)]) -> Ended {
    let mut command = project.command(words);
    Ended::of(&command.envs(vars.iter().copied()).output().unwrap())
}

/// A project whose policy has these receivers.
fn project(notify: &str) -> Project {
    let project = Project::new("v1");
    project.write("windlass.yml", &format!("{}notify:\n{notify}", project::POLICY));
    project
}
