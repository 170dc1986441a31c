//! The umbrella: every tool from one binary, and init, check, demo, status, explain.

use std::process::ExitCode;

use windlass_ci::context::Context;
use windlass_ci::fail::Failure;
use windlass_ci::{stream, tool, topics};

mod approve;
mod check;
mod commands;
mod completions;
mod conformance;
pub mod demo;
mod doctor;
mod explain;
mod init;
mod keygen;
mod live;
mod man;
mod notify;
mod schema;

/// Runs the command that the first argument names.
#[must_use]
pub fn run(context: Context) -> ExitCode {
    let Some(word) = context.args.first().map(|word| word.to_string_lossy().into_owned()) else {
        stream::err(&commands::help());
        return ExitCode::from(windlass_domain::outcome::Outcome::Invalid.code());
    };
    let mut inner = context.clone();
    inner.args.remove(0);
    match word.as_str() {
        "-h" | "--help" => tool::finish("windlass", Ok(commands::help())),
        "-V" | "--version" => {
            tool::finish("windlass", Ok(format!("windlass {}\n", env!("CARGO_PKG_VERSION"))))
        }
        "help" => help(inner),
        // Not a command for people: the service that the demo's sample releases.
        "demo-service" => demo::run_service(inner),
        name => match commands::named(name) {
            Some(command) => (command.run)(inner),
            None => tool::finish("windlass", Err(unknown(name))),
        },
    }
}

/// `help COMMAND` is `COMMAND --help`.
fn help(mut context: Context) -> ExitCode {
    if context.args.is_empty() {
        return tool::finish("windlass", Ok(commands::help()));
    }
    context.args.truncate(1);
    context.args.push("--help".into());
    run(context)
}

fn unknown(name: &str) -> Failure {
    let failure = Failure::invalid(&topics::USAGE, format!("no command {name:?}"));
    match explain::nearest(name, commands::COMMANDS.iter().map(|command| command.name)) {
        Some(near) => failure.hint(format!("did you mean `windlass {near}`?")),
        None => failure.hint("`windlass help` lists the commands"),
    }
}
