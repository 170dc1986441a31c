//! The flags common to all tools, and the rule that a flag goes before its variable.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, ValueEnum};

use crate::context::Context;

/// The flags of every tool. `reference/cli.md` is the contract.
#[derive(Clone, Debug, Default, Args)]
pub struct Common {
    /// Read the policy from FILE [default: the nearest windlass.yml upward, not past the repository's root]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Work on this environment [required where the policy has several]
    #[arg(short, long, value_name = "NAME")]
    pub environment: Option<String>,
    /// Release this: a path, sha256:HEX, or IMAGE@sha256:HEX [default: release.artifact of the policy]
    #[arg(long, value_name = "PATH|DIGEST")]
    pub artifact: Option<String>,
    /// Read statements from FILE, and append to it [default: .windlass/evidence.intoto.jsonl]
    #[arg(long, value_name = "FILE")]
    pub evidence: Option<PathBuf>,
    /// Sign with the PKCS#8 PEM in FILE [or the PEM itself in WINDLASS_SIGNING_KEY; default: unsigned]
    #[arg(long, value_name = "FILE")]
    pub signing_key: Option<PathBuf>,
    /// Write standard output in this form
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    pub format: Format,
    /// Write <tool>.json, <tool>.md and further files into DIR [default: .windlass/]
    #[arg(long, value_name = "DIR")]
    pub report_dir: Option<PathBuf>,
    /// Write annotations, summaries, outputs and masks for this CI system
    #[arg(long, value_enum, default_value_t, value_name = "HOST")]
    pub ci: CiChoice,
    /// Say what would happen and change nothing
    #[arg(long)]
    pub plan: bool,
    /// Use no network at all
    #[arg(long)]
    pub offline: bool,
    /// Say more; twice, everything
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Say only what is wrong
    #[arg(short, long)]
    pub quiet: bool,
    /// Colour the output
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    pub color: Color,
}

/// The form of standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Human,
    /// Exactly one JSON document.
    Json,
}

/// Which CI system's conventions are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum CiChoice {
    /// Found by the environment.
    #[default]
    Auto,
    /// None.
    None,
    /// GitHub Actions.
    Github,
    /// GitLab CI.
    Gitlab,
}

/// When output is coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// A tool's arguments: its own flags and the common ones.
pub trait ToolArgs: Parser {
    /// The common flags.
    fn common(&self) -> &Common;
}

/// Parses the context's arguments, with `WINDLASS_*` variables standing in for long flags that are not given.
///
/// # Errors
/// clap's own error, which also carries `--help` and `--version`.
pub fn parse<A: Parser>(context: &Context) -> Result<A, clap::Error> {
    let mut command = A::command();
    command.build();
    let arguments = with_variables(&command, context);
    let program = OsString::from(command.get_name().to_owned());
    let matches = command.try_get_matches_from_mut(std::iter::once(program).chain(arguments))?;
    A::from_arg_matches(&matches)
}

/// The variable that means the same as `--flag`.
#[must_use]
pub fn variable(flag: &str) -> String {
    format!("WINDLASS_{}", flag.replace('-', "_").to_ascii_uppercase())
}

/// Variables that are never arguments: their values are secret or are read where they are used.
const NOT_ARGUMENTS: [&str; 1] = ["WINDLASS_SIGNING_KEY"];

fn with_variables(command: &clap::Command, context: &Context) -> Vec<OsString> {
    let mut arguments = context.args.clone();
    let mut command = command;
    let mut depth = 0;
    while let Some(word) = arguments.get(depth).and_then(|word| word.to_str()) {
        let Some(inner) = command.find_subcommand(word) else { break };
        command = inner;
        depth += 1;
    }
    let given = |flag: &clap::Arg| {
        let long = flag.get_long().map(|long| format!("--{long}"));
        let short = flag.get_short().map(|short| format!("-{short}"));
        context.args.iter().take_while(|word| *word != "--").filter_map(|word| word.to_str()).any(|word| {
            long.as_ref().is_some_and(|long| word == long || word.starts_with(&format!("{long}=")))
                || short.as_ref().is_some_and(|short| word.starts_with(short) && !word.starts_with("--"))
        })
    };
    let mut from_variables = Vec::new();
    for flag in command.get_arguments() {
        let Some(long) = flag.get_long() else { continue };
        let name = variable(long);
        if NOT_ARGUMENTS.contains(&name.as_str()) || given(flag) {
            continue;
        }
        let Some(value) = context.var(&name) else { continue };
        match flag.get_action() {
            clap::ArgAction::SetTrue if value == "true" => from_variables.push(format!("--{long}").into()),
            clap::ArgAction::SetTrue if value == "false" => {}
            clap::ArgAction::Count => {
                let count = value.parse::<usize>().unwrap_or(0).min(4);
                from_variables.extend((0..count).map(|_| OsString::from(format!("--{long}"))));
            }
            clap::ArgAction::Append => {
                from_variables.extend(value.lines().map(|line| OsString::from(format!("--{long}={line}"))));
            }
            // A boolean that is neither true nor false reaches clap, which refuses it by name.
            _ => from_variables.push(format!("--{long}={value}").into()),
        }
    }
    arguments.splice(depth..depth, from_variables);
    arguments
}
