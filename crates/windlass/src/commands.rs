//! The registry of commands, by purpose, and the help made from it.

use std::fmt::Write as _;
use std::process::ExitCode;

use anstyle::Style;
use clap::CommandFactory as _;
use windlass_ci::context::Context;

use crate::{
    approve, check, completions, conformance, demo, doctor, explain, init, keygen, live, man, notify, schema,
};

/// What a command is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To begin.
    Begin,
    /// To move a release; these are the tools, each also a binary of its own.
    Move,
    /// To agree and to trust.
    Trust,
    /// To understand.
    Understand,
    /// Around it.
    Around,
}

impl Purpose {
    const ALL: [Self; 5] = [Self::Begin, Self::Move, Self::Trust, Self::Understand, Self::Around];

    const fn title(self) -> &'static str {
        match self {
            Self::Begin => "Begin",
            Self::Move => "Move a release (each is also a binary and a CI action of its own)",
            Self::Trust => "Agree and trust",
            Self::Understand => "Understand",
            Self::Around => "Around it",
        }
    }
}

/// One command of the umbrella.
pub(crate) struct Command {
    pub(crate) name: &'static str,
    pub(crate) purpose: Purpose,
    /// What it does, in the imperative.
    pub(crate) about: &'static str,
    /// Its command line, as clap defines it.
    definition: fn() -> clap::Command,
    /// Runs it with the arguments after its name.
    pub(crate) run: fn(Context) -> ExitCode,
}

const fn command(
    name: &'static str,
    purpose: Purpose,
    about: &'static str,
    definition: fn() -> clap::Command,
    run: fn(Context) -> ExitCode,
) -> Command {
    Command { name, purpose, about, definition, run }
}

/// Every command.
pub(crate) const COMMANDS: &[Command] = &[
    command(
        "init",
        Purpose::Begin,
        "Write windlass.yml and a pipeline for this repository",
        init::Arguments::command,
        init::run,
    ),
    command(
        "demo",
        Purpose::Begin,
        "Watch a release move on this machine, one caught, one regretted",
        demo::Arguments::command,
        demo::run,
    ),
    command(
        "check",
        Purpose::Begin,
        "Show every mistake in windlass.yml at once",
        check::Arguments::command,
        check::run,
    ),
    command(
        "doctor",
        Purpose::Begin,
        "Say whether machine, repository and forge are fit, and what mends them",
        doctor::Arguments::command,
        doctor::run,
    ),
    command(
        "gate-check",
        Purpose::Move,
        "Judge whether a release may enter an environment",
        windlass_gate_check::command,
        windlass_gate_check::run,
    ),
    command(
        "security-scan",
        Purpose::Move,
        "Look for vulnerable dependencies and secrets",
        windlass_security_scan::command,
        windlass_security_scan::run,
    ),
    command(
        "deploy",
        Purpose::Move,
        "Take a release the whole way, or put the environment back",
        windlass_deploy::command,
        windlass_deploy::run,
    ),
    command(
        "health-verify",
        Purpose::Move,
        "Judge whether a running service is healthy",
        windlass_health_verify::command,
        windlass_health_verify::run,
    ),
    command(
        "rollback",
        Purpose::Move,
        "Return to the release before",
        windlass_rollback::command,
        windlass_rollback::run,
    ),
    command(
        "hold",
        Purpose::Move,
        "Let nothing be deployed to an environment",
        live::Hold::command,
        live::hold,
    ),
    command("unhold", Purpose::Move, "Let releases enter again", live::Unhold::command, live::unhold),
    command(
        "stop",
        Purpose::Move,
        "End the agent of an environment, and what it runs where asked",
        live::Stop::command,
        live::stop,
    ),
    command(
        "approve",
        Purpose::Trust,
        "Sign an approval of one plan",
        approve::Arguments::command,
        approve::run,
    ),
    command(
        "keygen",
        Purpose::Trust,
        "Make a key that signs evidence",
        keygen::Arguments::command,
        keygen::run,
    ),
    command(
        "status",
        Purpose::Understand,
        "Say what is live, what runs and who holds it",
        live::Status::command,
        live::status,
    ),
    command(
        "history",
        Purpose::Understand,
        "Say who moved what, when, why, and how it ended",
        live::History::command,
        live::history,
    ),
    command(
        "explain",
        Purpose::Understand,
        "Say what a code, metric, error or step means, and what to do",
        explain::Arguments::command,
        explain::run,
    ),
    command(
        "conformance",
        Purpose::Understand,
        "Prove that a driver keeps every promise that a deploy relies on",
        conformance::Arguments::command,
        conformance::run,
    ),
    command(
        "schema",
        Purpose::Understand,
        "Print the JSON Schema of windlass.yml or of a tool's document",
        schema::Arguments::command,
        schema::run,
    ),
    command(
        "notify",
        Purpose::Around,
        "Send a test to everybody who is told of releases",
        notify::Arguments::command,
        notify::run,
    ),
    command("man", Purpose::Around, "Write the pages of the manual", man::Arguments::command, man::run),
    command(
        "completions",
        Purpose::Around,
        "Print completions for a shell",
        completions::Arguments::command,
        completions::run,
    ),
    command(
        "windlassd",
        Purpose::Around,
        "Run the agent of a host target; deploy starts it by itself",
        windlass_windlassd::command,
        windlass_windlassd::run,
    ),
];

/// The command called `name`.
pub(crate) fn named(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

/// The whole command line as clap sees it.
pub(crate) fn definition() -> clap::Command {
    let mut all = clap::Command::new("windlass")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Raise a release through its environments, and lower it as easily")
        .disable_help_subcommand(true);
    for command in COMMANDS {
        all = all.subcommand(command.definition());
    }
    all
}

impl Command {
    /// Its command line, by its name here and in one line of what it does.
    pub(crate) fn definition(&self) -> clap::Command {
        (self.definition)().name(self.name).about(self.about)
    }
}

/// What `windlass help` says.
pub(crate) fn help() -> String {
    let bold = Style::new().bold();
    let (on, off) = (bold.render(), bold.render_reset());
    let mut text = String::from("Raise a release through its environments, and lower it as easily.\n\n");
    writeln!(text, "{on}Usage:{off} windlass COMMAND [FLAGS]\n").expect("writing to a string cannot fail");
    let width = COMMANDS.iter().map(|command| command.name.len()).max().unwrap_or_default();
    for purpose in Purpose::ALL {
        writeln!(text, "{on}{}:{off}", purpose.title()).expect("writing to a string cannot fail");
        for command in COMMANDS.iter().filter(|command| command.purpose == purpose) {
            writeln!(text, "  {on}{:width$}{off}  {}", command.name, command.about)
                .expect("writing to a string cannot fail");
        }
        text.push('\n');
    }
    text.push_str("`windlass COMMAND --help` says more of one. Each flag --some-thing is also the variable WINDLASS_SOME_THING.\n");
    text.push_str("Exit codes: 0 passed, 1 failed, 2 invalid, 3 unknown, 4 held, 5 stuck, 6 refused; `windlass explain 3` says more.\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_in_the_help_once_and_under_its_purpose() {
        let help = anstream::adapter::strip_str(&help()).to_string();
        for command in COMMANDS {
            assert_eq!(help.matches(command.about).count(), 1, "{}", command.name);
        }
        for purpose in Purpose::ALL {
            assert!(COMMANDS.iter().any(|command| command.purpose == purpose), "{purpose:?} has no command");
        }
    }
}
