//! `windlass man`: the manual, from the same definitions as `--help`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use clap_mangen::Man;
use windlass_ci::context::Context;
use windlass_ci::fail::{Failure, Result};
use windlass_ci::{tool, topics};

use crate::commands::{COMMANDS, definition, named};
use crate::unknown;

/// Write the pages of the manual
///
/// To read one: `windlass man deploy | man -l -`. To install all: `windlass man --out ~/.local/share/man/man1`.
#[derive(Debug, Parser)]
#[command(name = "man", version)]
pub(crate) struct Arguments {
    /// The command whose page is printed; without one, the page of windlass itself
    #[arg(value_name = "COMMAND", conflicts_with = "out")]
    command: Option<String>,
    /// Write every page into DIR, which is made where it is missing
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(crate) fn run(context: Context) -> ExitCode {
    match tool::arguments::<Arguments>(&context) {
        Ok(arguments) => tool::finish("man", man(&context.folder, &arguments)),
        Err(code) => code,
    }
}

fn man(folder: &Path, arguments: &Arguments) -> Result<String> {
    let Some(out) = &arguments.out else {
        let page = match arguments.command.as_deref() {
            None => page(definition()),
            Some(name) => page(titled(&named(name).ok_or_else(|| unknown(name))?.definition())),
        };
        return Ok(String::from_utf8_lossy(&page).into_owned());
    };
    let out = folder.join(out);
    let failed = |error| {
        Failure::unknown(&topics::USAGE, format!("cannot write the pages to {}", out.display()))
            .because(error)
    };
    std::fs::create_dir_all(&out).map_err(failed)?;
    std::fs::write(out.join("windlass.1"), page(definition())).map_err(failed)?;
    for command in COMMANDS {
        let path = out.join(format!("windlass-{}.1", command.name));
        std::fs::write(path, page(titled(&command.definition()))).map_err(failed)?;
    }
    Ok(format!("wrote {} pages to {}\n", COMMANDS.len() + 1, out.display()))
}

/// A command as its page is called: `windlass-deploy`, whose binary is `windlass deploy`.
fn titled(command: &clap::Command) -> clap::Command {
    let name = command.get_name();
    command
        .clone()
        .name(format!("windlass-{name}"))
        .bin_name(format!("windlass {name}"))
        .version(env!("CARGO_PKG_VERSION"))
}

fn page(command: clap::Command) -> Vec<u8> {
    let mut bytes = Vec::new();
    Man::new(command).date("").manual("Windlass").render(&mut bytes).expect("writing to memory cannot fail");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_names_its_command_and_every_flag() {
        for command in COMMANDS {
            let definition = command.definition();
            let text = String::from_utf8(page(titled(&definition))).unwrap().replace("\\-", "-");
            assert!(text.contains(&format!("windlass-{}", command.name)), "{text}");
            for flag in definition.get_arguments().filter(|flag| !flag.is_hide_set()) {
                let Some(long) = flag.get_long() else { continue };
                assert!(text.contains(&format!("--{long}")), "{} --{long}: {text}", command.name);
            }
        }
    }
}
