//! Everything outside the process, captured once into a value.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::PathBuf;

use jiff::Timestamp;

/// What the process was started with. Tools read it instead of the environment.
#[derive(Clone, Debug)]
pub struct Context {
    /// The arguments after the program's name.
    pub args: Vec<OsString>,
    /// The environment variables that are not empty: a CI input that is not given is an empty variable. Bytes that
    /// are not UTF-8 are replaced, so that a setting which cannot be read is refused and not left out.
    pub vars: BTreeMap<String, String>,
    /// The working folder.
    pub folder: PathBuf,
    /// When the process started.
    pub started: Timestamp,
    /// Whether standard output is a terminal.
    pub stdout_is_terminal: bool,
    /// Whether standard error is a terminal.
    pub stderr_is_terminal: bool,
}

impl Context {
    /// Captures the process's own context.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the environment and the clock are read"
    )]
    pub fn capture() -> Self {
        Self {
            args: std::env::args_os().skip(1).collect(),
            vars: std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
                })
                .filter(|(_, value)| !value.is_empty())
                .collect(),
            folder: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
            started: Timestamp::now(),
            stdout_is_terminal: std::io::stdout().is_terminal(),
            stderr_is_terminal: std::io::stderr().is_terminal(),
        }
    }

    /// The value of a variable that is set and not empty.
    #[must_use]
    pub fn var(&self, name: &str) -> Option<&str> {
        self.vars.get(name).map(String::as_str)
    }
}
