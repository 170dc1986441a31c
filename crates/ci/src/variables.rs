//! `WINDLASS_*` variables as flags: each stands in for the long flag of its name where that is not given.

use std::ffi::{OsStr, OsString};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Command};

use crate::args::variable;
use crate::context::Context;

/// Variables that are never arguments: their values are secret, and are read where they are used.
const NOT_ARGUMENTS: [&str; 1] = ["WINDLASS_SIGNING_KEY"];

/// The arguments with the variables filled in.
pub(crate) struct Filled {
    /// After the program's name.
    pub(crate) arguments: Vec<OsString>,
    /// The long flags that came from variables.
    from_variables: Vec<String>,
}

impl Filled {
    /// Adds to clap's error which variable the wrong value came from.
    pub(crate) fn blame(&self, mut error: clap::Error) -> clap::Error {
        let Some(ContextValue::String(named)) = error.get(ContextKind::InvalidArg) else { return error };
        let named = named.split([' ', '=']).next().unwrap_or_default();
        if let Some(flag) = self.from_variables.iter().find(|flag| named.strip_prefix("--") == Some(flag)) {
            let tip = format!("{} sets --{flag}", variable(flag)).into();
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
        }
        error
    }
}

/// Fills in the variables, each right after the (sub)command that knows its flag.
///
/// # Errors
/// A boolean that is neither `true` nor `false`, a count that is no number.
pub(crate) fn fill(command: &mut Command, context: &Context) -> Result<Filled, clap::Error> {
    let levels = levels(command, &context.args);
    let mut filled = Filled { arguments: context.args.clone(), from_variables: Vec::new() };
    // From the innermost outward, so that the places of the outer ones stay right.
    for (index, level) in levels.iter().enumerate().rev() {
        let is_innermost = index + 1 == levels.len();
        if level.command.is_args_conflicts_with_subcommands_set() && !is_innermost {
            continue;
        }
        let mut words = Vec::new();
        for flag in level.command.get_arguments() {
            let Some(long) = flag.get_long() else { continue };
            // A global flag is known at each level: it is filled in at the innermost.
            let is_elsewhere = flag.is_global_set() && !is_innermost;
            let is_given = level.given.iter().any(|one| one == long)
                || (flag.is_global_set()
                    && levels.iter().any(|outer| outer.given.iter().any(|one| one == long)));
            let name = variable(long);
            if is_elsewhere || is_given || NOT_ARGUMENTS.contains(&name.as_str()) {
                continue;
            }
            let Some(value) = context.var(&name) else { continue };
            words.extend(as_words(flag, long, value).ok_or_else(|| wrong(level.command, &name, value))?);
            filled.from_variables.push(long.to_owned());
        }
        filled.arguments.splice(level.start..level.start, words);
    }
    Ok(filled)
}

fn wrong(command: &Command, name: &str, value: &str) -> clap::Error {
    command.clone().error(ErrorKind::InvalidValue, format!("{name} is {value:?}, which its flag cannot be"))
}

/// The flag as words; `None` for a value that it cannot have.
fn as_words(flag: &Arg, long: &str, value: &str) -> Option<Vec<OsString>> {
    match flag.get_action() {
        ArgAction::SetTrue | ArgAction::SetFalse => match value {
            "true" => Some(vec![format!("--{long}").into()]),
            "false" => Some(Vec::new()),
            _ => None,
        },
        ArgAction::Count => {
            let count = value.parse::<usize>().ok()?.min(4);
            Some(vec![format!("--{long}").into(); count])
        }
        ArgAction::Append => {
            let lines = value.lines().map(str::trim).filter(|line| !line.is_empty());
            Some(lines.map(|line| format!("--{long}={line}").into()).collect())
        }
        ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version => Some(Vec::new()),
        _ => Some(vec![format!("--{long}={value}").into()]),
    }
}

/// One (sub)command of the arguments.
struct Level<'a> {
    command: &'a Command,
    /// Where its own words begin.
    start: usize,
    /// The long names of the flags that are given to it.
    given: Vec<String>,
}

/// Walks the arguments as clap will: which subcommands they name, and which flags each is given.
fn levels<'a>(command: &'a Command, arguments: &[OsString]) -> Vec<Level<'a>> {
    let mut levels = vec![Level { command, start: 0, given: Vec::new() }];
    let mut index = 0;
    while let Some(word) = arguments.get(index).and_then(|word| word.to_str()) {
        index += 1;
        let level = levels.last_mut().expect("there is always the outermost");
        if word == "--" {
            break;
        }
        if let Some(long) = word.strip_prefix("--") {
            let (name, value) =
                long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            let flag = level.command.get_arguments().find(|flag| flag.get_long() == Some(name));
            level.given.push(name.to_owned());
            if value.is_none() && flag.is_some_and(takes_value) {
                index += 1;
            }
        } else if let Some(cluster) = word.strip_prefix('-').filter(|cluster| !cluster.is_empty()) {
            for (at, letter) in cluster.char_indices() {
                let Some(flag) = level.command.get_arguments().find(|flag| flag.get_short() == Some(letter))
                else {
                    break;
                };
                level.given.extend(flag.get_long().map(str::to_owned));
                if takes_value(flag) {
                    index += usize::from(at + letter.len_utf8() == cluster.len());
                    break;
                }
            }
        } else if let Some(inner) = level.command.find_subcommand(OsStr::new(word)) {
            levels.push(Level { command: inner, start: index, given: Vec::new() });
        }
    }
    levels
}

fn takes_value(flag: &Arg) -> bool {
    matches!(flag.get_action(), ArgAction::Set | ArgAction::Append)
        && flag.get_num_args().is_none_or(|count| count.min_values() > 0)
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

    use super::*;
    use crate::args::{Common, Format, parse};

    #[derive(Debug, Parser)]
    #[command(name = "tool", args_conflicts_with_subcommands = true)]
    struct Tool {
        #[command(subcommand)]
        inner: Option<Inner>,
        #[command(flatten)]
        common: Common,
        #[arg(long)]
        reports: Vec<String>,
    }

    #[derive(Debug, Subcommand)]
    enum Inner {
        Read {
            file: String,
            #[arg(long, default_value = "1")]
            depth: u32,
        },
    }

    fn run(args: &[&str], vars: &[(&str, &str)]) -> Result<Tool, clap::Error> {
        let context = Context {
            args: args.iter().map(OsString::from).collect(),
            vars: vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            folder: "/".into(),
            started: jiff::Timestamp::UNIX_EPOCH,
            stdout_is_terminal: false,
            stderr_is_terminal: false,
        };
        parse(&context)
    }

    #[test]
    fn flag_goes_before_variable_before_default() {
        type Row<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], Option<&'a str>);
        let table: [Row<'_>; 5] = [
            (&[], &[], None),
            (&[], &[("WINDLASS_ENVIRONMENT", "dev")], Some("dev")),
            (&["-e", "prod"], &[("WINDLASS_ENVIRONMENT", "dev")], Some("prod")),
            (&["-eprod"], &[("WINDLASS_ENVIRONMENT", "dev")], Some("prod")),
            (&["-qe", "prod"], &[("WINDLASS_ENVIRONMENT", "dev")], Some("prod")),
        ];
        for (args, vars, expected) in table {
            let tool = run(args, vars).unwrap();
            assert_eq!(tool.common.environment.as_deref(), expected, "{args:?} {vars:?}");
        }
        assert_eq!(run(&[], &[("WINDLASS_FORMAT", "json")]).unwrap().common.format, Format::Json);
        assert_eq!(
            run(&["--format", "human"], &[("WINDLASS_FORMAT", "json")]).unwrap().common.format,
            Format::Human
        );
    }

    #[test]
    fn booleans_and_counts_are_strict() {
        assert!(run(&[], &[("WINDLASS_PLAN", "true")]).unwrap().common.plan);
        assert!(!run(&[], &[("WINDLASS_PLAN", "false")]).unwrap().common.plan);
        assert!(run(&["--plan"], &[("WINDLASS_PLAN", "false")]).unwrap().common.plan);
        assert_eq!(run(&[], &[("WINDLASS_VERBOSE", "2")]).unwrap().common.verbose, 2);
        for (name, value) in [("WINDLASS_PLAN", "yes"), ("WINDLASS_PLAN", "1"), ("WINDLASS_VERBOSE", "much")]
        {
            let error = run(&[], &[(name, value)]).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains(value), "{error}");
        }
    }

    #[test]
    fn wrong_value_of_a_variable_is_blamed_on_the_variable() {
        let error = run(&[], &[("WINDLASS_FORMAT", "yaml")]).unwrap_err();
        insta::assert_snapshot!(error.to_string(), @r"
        error: invalid value 'yaml' for '--format <FORM>'
          [possible values: human, json]

          tip: WINDLASS_FORMAT sets --format

        For more information, try '--help'.
        ");
    }

    #[test]
    fn lists_are_lines_and_a_given_flag_replaces_them() {
        let vars = [("WINDLASS_REPORTS", "a/*.xml\n\n b.info \n")];
        assert_eq!(run(&[], &vars).unwrap().reports, ["a/*.xml", "b.info"]);
        assert_eq!(run(&["--reports", "c"], &vars).unwrap().reports, ["c"]);
    }

    #[test]
    fn subcommand_takes_its_own_variables_and_not_those_of_the_outer_command() {
        let vars = [("WINDLASS_ENVIRONMENT", "dev"), ("WINDLASS_DEPTH", "3")];
        let Some(Inner::Read { file, depth }) = run(&["read", "x"], &vars).unwrap().inner else {
            panic!("no read")
        };
        assert_eq!((file.as_str(), depth), ("x", 3));
        let Some(Inner::Read { depth, .. }) = run(&["read", "x", "--depth", "4"], &vars).unwrap().inner
        else {
            panic!("no read")
        };
        assert_eq!(depth, 4);
        assert!(run(&["--artifact", "read"], &vars).unwrap().inner.is_none());
    }

    #[test]
    fn signing_key_in_a_variable_is_never_an_argument() {
        let pem = "-----BEGIN PRIVATE KEY-----";
        assert_eq!(run(&[], &[("WINDLASS_SIGNING_KEY", pem)]).unwrap().common.signing_key, None);
    }

    #[test]
    fn command_of_the_test_is_sound() {
        Tool::command().debug_assert();
        assert!(Tool::from_arg_matches(&Tool::command().get_matches_from(["tool"])).is_ok());
    }
}
