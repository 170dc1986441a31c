//! A tool's flags as the inputs of a step: what actions and components are both written from.

use clap::{Arg, ArgAction, Command};

/// A flag that a step can give.
pub(crate) struct Flag {
    /// Its long name without `--`, which is the input's.
    pub(crate) name: String,
    /// What it means: a sentence.
    pub(crate) means: String,
    pub(crate) takes: Takes,
}

/// What a flag takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// Nothing: it is given or not.
    Nothing,
    /// A text.
    Text,
    /// Several texts, one a line.
    Lines,
    /// One of these words.
    Word(Vec<String>),
}

/// Flags that a step has no use for: the log is for people, the host is known, and a secret is never an argument.
const LEFT_OUT: [&str; 8] = ["help", "version", "format", "ci", "color", "quiet", "verbose", "signing-key"];

/// The flags of a tool in their order, without those of its subcommands.
pub(crate) fn flags(command: &Command) -> Vec<Flag> {
    command.get_arguments().filter_map(flag).collect()
}

fn flag(flag: &Arg) -> Option<Flag> {
    let name = flag.get_long()?;
    if LEFT_OUT.contains(&name) || flag.is_hide_set() {
        return None;
    }
    let mut means = flag.get_help().map(ToString::to_string).unwrap_or_default().replace('\n', " ");
    if !means.ends_with('.') {
        means.push('.');
    }
    Some(Flag { name: name.to_owned(), means, takes: takes(flag) })
}

fn takes(flag: &Arg) -> Takes {
    match flag.get_action() {
        ArgAction::SetTrue => Takes::Nothing,
        ArgAction::Append => Takes::Lines,
        _ => {
            let words: Vec<String> =
                flag.get_possible_values().iter().map(|word| word.get_name().to_owned()).collect();
            if words.is_empty() { Takes::Text } else { Takes::Word(words) }
        }
    }
}

/// A YAML text in single quotes, in which nothing but they have a meaning.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
