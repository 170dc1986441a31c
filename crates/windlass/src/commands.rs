//! The registry of commands, by purpose, and the help made from it.

use std::fmt::Write as _;
use std::process::ExitCode;

use anstyle::Style;
use windlass_ci::context::Context;

use crate::{
    approve, check, completions, conformance, demo, doctor, explain, init, keygen, live, notify, schema,
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
    /// Runs it with the arguments after its name.
    pub(crate) run: fn(Context) -> ExitCode,
}

const fn command(
    name: &'static str,
    purpose: Purpose,
    about: &'static str,
    run: fn(Context) -> ExitCode,
) -> Command {
    Command { name, purpose, about, run }
}

/// Every command.
pub(crate) const COMMANDS: &[Command] = &[
    command("init", Purpose::Begin, "Write windlass.yml and a pipeline for this repository", init::run),
    command(
        "demo",
        Purpose::Begin,
        "Watch a release move on this machine, one caught, one regretted",
        demo::run,
    ),
    command("check", Purpose::Begin, "Show every mistake in windlass.yml at once", check::run),
    command(
        "doctor",
        Purpose::Begin,
        "Say whether machine, repository and forge are fit, and what mends them",
        doctor::run,
    ),
    command(
        "gate-check",
        Purpose::Move,
        "Judge whether a release may enter an environment",
        windlass_gate_check::run,
    ),
    command(
        "security-scan",
        Purpose::Move,
        "Look for vulnerable dependencies and secrets",
        windlass_security_scan::run,
    ),
    command(
        "deploy",
        Purpose::Move,
        "Take a release the whole way, or put the environment back",
        windlass_deploy::run,
    ),
    command(
        "health-verify",
        Purpose::Move,
        "Judge whether a running service is healthy",
        windlass_health_verify::run,
    ),
    command("rollback", Purpose::Move, "Return to the release before", windlass_rollback::run),
    command("hold", Purpose::Move, "Let nothing be deployed to an environment", live::hold),
    command("unhold", Purpose::Move, "Let releases enter again", live::unhold),
    command(
        "stop",
        Purpose::Move,
        "End the agent of an environment, and what it runs where asked",
        live::stop,
    ),
    command("approve", Purpose::Trust, "Sign an approval of one plan", approve::run),
    command("keygen", Purpose::Trust, "Make a key that signs evidence", keygen::run),
    command("status", Purpose::Understand, "Say what is live, what runs and who holds it", live::status),
    command("history", Purpose::Understand, "Say who moved what, when, why, and how it ended", live::history),
    command(
        "explain",
        Purpose::Understand,
        "Say what a code, metric, error or step means, and what to do",
        explain::run,
    ),
    command(
        "conformance",
        Purpose::Understand,
        "Prove that a driver keeps every promise that a deploy relies on",
        conformance::run,
    ),
    command(
        "schema",
        Purpose::Understand,
        "Print the JSON Schema of windlass.yml or of a tool's document",
        schema::run,
    ),
    command("notify", Purpose::Around, "Send a test to everybody who is told of releases", notify::run),
    command("completions", Purpose::Around, "Print completions for a shell", completions::run),
    command(
        "windlassd",
        Purpose::Around,
        "Run the agent of a host target; deploy starts it by itself",
        windlass_windlassd::run,
    ),
];

/// The command called `name`.
pub(crate) fn named(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
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
