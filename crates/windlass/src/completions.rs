//! `windlass completions`: for a shell.

use std::process::ExitCode;

use clap::{Args as _, CommandFactory as _, Parser};
use clap_complete::Shell;
use windlass_ci::args::Common;
use windlass_ci::context::Context;
use windlass_ci::tool;

use crate::commands::COMMANDS;
use crate::{approve, check, demo, explain, init, keygen, schema};

/// Print completions for a shell
///
/// For bash: `windlass completions bash > ~/.local/share/bash-completion/completions/windlass`.
#[derive(Debug, Parser)]
#[command(name = "completions", version)]
pub(crate) struct Arguments {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

pub(crate) fn run(context: Context) -> ExitCode {
    match tool::arguments::<Arguments>(&context) {
        Ok(arguments) => tool::finish("completions", Ok(script(arguments.shell))),
        Err(code) => code,
    }
}

fn script(shell: Shell) -> String {
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut command(), "windlass", &mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The whole command line as clap sees it. Commands about what runs have the common flags.
fn command() -> clap::Command {
    let mut all = clap::Command::new("windlass");
    for command in COMMANDS {
        let inner = match command.name {
            "approve" => approve::Arguments::command(),
            "check" => check::Arguments::command(),
            "completions" => Arguments::command(),
            "explain" => explain::Arguments::command(),
            "init" => init::Arguments::command(),
            "keygen" => keygen::Arguments::command(),
            "schema" => schema::Arguments::command(),
            "demo" => demo::Arguments::command(),
            "gate-check" => windlass_gate_check::command(),
            "security-scan" => windlass_security_scan::command(),
            "deploy" => windlass_deploy::command(),
            "health-verify" => windlass_health_verify::command(),
            "rollback" => windlass_rollback::command(),
            name => Common::augment_args(clap::Command::new(name)),
        };
        all = all.subcommand(inner.name(command.name).about(command.about));
    }
    all
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn every_shell_gets_every_command_and_flag() {
        command().debug_assert();
        for shell in Shell::value_variants() {
            let script = script(*shell);
            for command in COMMANDS {
                assert!(script.contains(command.name), "{shell}: {}", command.name);
            }
            assert!(script.contains("report-dir") && script.contains("signing-key"), "{shell}");
        }
    }
}
