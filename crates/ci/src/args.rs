//! The flags common to all tools, and the rule that a flag goes before its variable.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, ValueEnum};

use crate::context::Context;
use crate::variables;

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
    let filled = variables::fill(&mut command, context)?;
    let program = OsString::from(command.get_name().to_owned());
    let matches = command
        .try_get_matches_from_mut(std::iter::once(program).chain(filled.arguments.iter().cloned()))
        .map_err(|error| filled.blame(error))?;
    A::from_arg_matches(&matches)
}

/// The variable that means the same as `--flag`.
#[must_use]
pub fn variable(flag: &str) -> String {
    format!("WINDLASS_{}", flag.replace('-', "_").to_ascii_uppercase())
}

/// Whether the arguments ask for one document, though they may be wrong in something else.
#[must_use]
pub(crate) fn asks_for_json(context: &Context) -> bool {
    let words: Vec<_> =
        context.args.iter().map_while(|word| (word != "--").then(|| word.to_string_lossy())).collect();
    let mut given =
        words.iter().enumerate().filter_map(|(index, word)| match word.strip_prefix("--format") {
            Some("") => Some(words.get(index + 1)?.as_ref()),
            Some(rest) => rest.strip_prefix('='),
            None => None,
        });
    given.next_back().or(context.var("WINDLASS_FORMAT")) == Some("json")
}
