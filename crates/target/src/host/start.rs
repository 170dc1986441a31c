//! Starting the agent where none runs: detached, with an environment that holds no secret.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::client::{Client, Unusable};
use super::upgrade::{TooNew, upgrade};

/// How the agent is started.
#[derive(Clone, Debug)]
pub struct AgentCommand {
    /// The program and its first arguments; `--root DIR` follows.
    pub program: Vec<OsString>,
    /// What it may see of the environment.
    pub vars: BTreeMap<String, String>,
}

/// The variables that the agent, and so the release, may see. Everything else stays with the run: tokens, keys, and
/// `RUNNER_TRACKING_ID`, by which a CI runner kills what a job leaves behind.
const VISIBLE: [&str; 10] =
    ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR"];

impl AgentCommand {
    /// Finds the agent: `windlassd` beside this program, this program itself where it is the umbrella, or
    /// `windlassd` on the path.
    #[must_use]
    pub fn find(program: &Path, vars: &BTreeMap<String, String>) -> Self {
        let vars = vars
            .iter()
            .filter(|(name, _)| VISIBLE.contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let beside = program.with_file_name("windlassd");
        let program = if program.file_stem().is_some_and(|name| name == "windlass") {
            vec![program.as_os_str().to_owned(), "windlassd".into()]
        } else if beside.is_file() {
            vec![beside.into_os_string()]
        } else {
            vec!["windlassd".into()]
        };
        Self { program, vars }
    }

    /// The program and its first arguments for an agent that hands over to it; that one may have another `PATH`.
    ///
    /// # Errors
    /// When it cannot be found, or its path is not Unicode.
    pub fn handover(&self) -> Result<Vec<String>, String> {
        let program = Path::new(&self.program[0]);
        let found = if program.is_absolute() {
            Some(program.to_owned())
        } else {
            let folders = self.vars.get("PATH").map_or("", String::as_str);
            std::env::split_paths(folders).map(|folder| folder.join(program)).find(|path| path.is_file())
        };
        let found = found.ok_or_else(|| format!("there is no {} on the path", program.display()))?;
        let rest = self.program[1..].iter();
        std::iter::once(found.as_os_str())
            .chain(rest.map(OsString::as_os_str))
            .map(|word| {
                word.to_str().map(str::to_owned).ok_or_else(|| format!("{} is not Unicode", found.display()))
            })
            .collect()
    }
}

/// Why there is no agent.
#[derive(Debug)]
pub enum NotStarted {
    /// The socket cannot be used, and starting an agent would not help.
    Unusable(Unusable),
    /// The root cannot be made or written.
    Root(PathBuf, io::Error),
    /// The program cannot be started.
    Program(OsString, io::Error),
    /// The one that runs is too new.
    TooNew(TooNew),
    /// It was started and ended, or does not answer; the last lines that it wrote.
    Silent(PathBuf, String),
}

impl std::fmt::Display for NotStarted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unusable(_) => f.write_str("cannot talk to the agent"),
            Self::Root(root, _) => write!(f, "cannot write the agent's root {}", root.display()),
            Self::Program(program, _) => write!(f, "cannot start the agent {}", Path::new(program).display()),
            Self::TooNew(_) => f.write_str("cannot use the agent that runs"),
            Self::Silent(root, last) => {
                write!(f, "the agent of {} was started and does not answer: {last}", root.display())
            }
        }
    }
}

impl std::error::Error for NotStarted {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unusable(source) => Some(source),
            Self::Root(_, source) | Self::Program(_, source) => Some(source),
            Self::TooNew(source) => Some(source),
            Self::Silent(..) => None,
        }
    }
}

/// Makes sure that an agent answers for `root`: the one that runs, which hands over where it is older than this
/// program, or a new one. Returns what people should know of it.
///
/// # Errors
/// See [`NotStarted`].
pub async fn ensure(
    client: &Client,
    root: &Path,
    agent: &AgentCommand,
) -> Result<Option<String>, NotStarted> {
    match client.connect().await {
        Ok(_) => {
            return upgrade(client, agent, env!("CARGO_PKG_VERSION")).await.map_err(NotStarted::TooNew);
        }
        Err(foreign @ Unusable::Foreign { .. }) => return Err(NotStarted::Unusable(foreign)),
        Err(Unusable::Absent | Unusable::Dead(_)) => {}
    }
    let output = root.join("agent.out");
    let log = prepare(root, &output).map_err(|error| NotStarted::Root(root.to_owned(), error))?;
    let mut command = Command::new(&agent.program[0]);
    command.args(&agent.program[1..]).arg("--root").arg(root).arg("--detach");
    command.env_clear().envs(&agent.vars).current_dir(root).stdin(Stdio::null());
    let second = log.try_clone().map_err(|error| NotStarted::Root(root.to_owned(), error))?;
    let mut child = command
        .stdout(log)
        .stderr(second)
        .spawn()
        .map_err(|error| NotStarted::Program(agent.program[0].clone(), error))?;
    for _ in 0..200 {
        tokio::time::sleep(Duration::from_millis(25)).await;
        if client.connect().await.is_ok() {
            return Ok(None);
        }
        // An agent that lost the race for the root ends; the winner answers soon.
        if let Ok(Some(status)) = child.try_wait()
            && !status.success()
            && status.code() != Some(6)
        {
            break;
        }
    }
    Err(NotStarted::Silent(root.to_owned(), last_line(&output)))
}

fn prepare(root: &Path, output: &Path) -> io::Result<File> {
    fs::create_dir_all(root)?;
    OpenOptions::new().create(true).append(true).open(output)
}

fn last_line(path: &Path) -> String {
    last_said(&fs::read_to_string(path).unwrap_or_default()).to_owned()
}

/// The last line that is not indented: an error's hints follow it indented, and say nothing without it.
fn last_said(text: &str) -> &str {
    let said = |line: &&str| line.starts_with(|first: char| !first.is_whitespace());
    text.lines().rev().find(said).unwrap_or("it wrote nothing")
}

#[cfg(test)]
mod tests {
    use super::last_said;

    #[test]
    fn the_last_error_is_told_and_not_its_hint() {
        let taken =
            "windlassd: unknown: cannot listen on 127.0.0.1:8081: Address already in use (os error 98)";
        let text = format!(
            "windlassd: unknown: an older run's\n  more: x\n{taken}\n  more: windlass explain agent.address\n\n"
        );
        assert_eq!(last_said(&text), taken);
    }

    #[test]
    fn an_agent_that_wrote_nothing_is_said_to_have() {
        assert_eq!(last_said("\n"), "it wrote nothing");
    }
}
