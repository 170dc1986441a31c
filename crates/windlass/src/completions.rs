//! `windlass completions`: for a shell.

use std::process::ExitCode;

use clap::Parser;
use clap_complete::Shell;
use windlass_ci::context::Context;
use windlass_ci::tool;

use crate::commands::definition;

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
    clap_complete::generate(shell, &mut definition(), "windlass", &mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;
    use crate::commands::COMMANDS;

    #[test]
    fn every_shell_gets_every_command_and_flag() {
        definition().debug_assert();
        for shell in Shell::value_variants() {
            let script = script(*shell);
            for command in COMMANDS {
                assert!(script.contains(command.name), "{shell}: {}", command.name);
                for flag in command.definition().get_arguments().filter_map(|flag| flag.get_long()) {
                    assert!(script.contains(flag), "{shell}: {} --{flag}", command.name);
                }
            }
        }
    }
}
