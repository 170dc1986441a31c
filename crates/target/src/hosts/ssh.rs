//! How the system's `ssh` is called, and what its complaints mean.

use std::collections::BTreeMap;
use std::path::PathBuf;

use tokio::process::Command;

use crate::driver::DriverError;

/// The variable that names another command than `ssh`, with its first arguments, separated by spaces.
const VARIABLE: &str = "WINDLASS_SSH";

/// How `ssh` is called: by which command, without which variables, and where its sockets may lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ssh {
    words: Vec<String>,
    withheld: Vec<String>,
    pub(super) sockets: PathBuf,
}

impl Ssh {
    /// As these variables of the run say: `WINDLASS_SSH` names the command, `XDG_RUNTIME_DIR` a private folder.
    #[must_use]
    pub(super) fn of(vars: &BTreeMap<String, String>) -> Self {
        let words = vars.get(VARIABLE).map(String::as_str).unwrap_or_default();
        let mut words: Vec<String> = words.split_ascii_whitespace().map(str::to_owned).collect();
        if words.is_empty() {
            words.push("ssh".to_owned());
        }
        // Sockets need short paths; /tmp is the fallback that is always there, and the folder made in it is private.
        let runtime = vars.get("XDG_RUNTIME_DIR").map(PathBuf::from);
        let short =
            runtime.filter(|path| path.is_dir() && path.is_absolute() && path.as_os_str().len() <= 40);
        Self {
            words,
            // What is Windlass's own, its signing key above all, is nothing to `ssh` and what that runs.
            withheld: vars.keys().filter(|name| name.starts_with("WINDLASS_")).cloned().collect(),
            sockets: short.unwrap_or_else(|| PathBuf::from("/tmp")),
        }
    }

    /// The command as people write it.
    pub(super) fn name(&self) -> &str {
        &self.words[0]
    }

    /// The command with its own arguments. It asks nobody anything, starts nothing here, and leaves everything that
    /// concerns trust, such as the checking of host keys, to the user's own configuration.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]);
        command.args(["-T", "-a", "-x"]);
        for option in ["BatchMode=yes", "LogLevel=ERROR", "RemoteCommand=none", "PermitLocalCommand=no"] {
            command.args(["-o", option]);
        }
        for name in &self.withheld {
            command.env_remove(name);
        }
        command.kill_on_drop(true);
        command
    }
}

/// What is wrong with a host, and what to do about it.
#[derive(Debug)]
pub(super) struct Trouble {
    /// The last line that `ssh` said, as it was.
    said: String,
    next: String,
}

impl Trouble {
    /// By what `ssh` said of it.
    pub(super) fn of(host: &str, said: &[String]) -> Self {
        let all = said.join("\n");
        let has = |text: &str| all.contains(text);
        let next = if has("IDENTIFICATION HAS CHANGED") {
            format!(
                "its host key is another than before: find out why, then `ssh-keygen -R` the old key and connect \
                 once by hand with `ssh {host}`"
            )
        } else if has("Host key verification failed") {
            format!(
                "its host key is not known here: compare it with the host's own, then connect once by hand with `ssh {host}`"
            )
        } else if has("Permission denied") || has("Too many authentication failures") {
            format!("it lets nobody in with the keys at hand: `ssh {host} true` must work without a question")
        } else if has("Could not resolve hostname") {
            "no such name: correct `hosts:` of the target, or name it in ~/.ssh/config".to_owned()
        } else if has("Connection refused") {
            "nothing listens for ssh there: start sshd, or correct the port in ~/.ssh/config".to_owned()
        } else if has("timed out") || has("No route to host") || has("unreachable") {
            "it does not answer: is it up, and is a firewall between?".to_owned()
        } else {
            format!("try `ssh {host} true`, which must work without a question")
        };
        let last = said.iter().rfind(|line| !line.trim().is_empty());
        Self { said: last.cloned().unwrap_or_else(|| "ssh said nothing".to_owned()), next }
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.said.trim(), self.next)
    }
}

impl std::error::Error for Trouble {}

/// A host that could not be reached or could not judge.
pub(super) fn unreachable(
    attempt: String,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> DriverError {
    DriverError::Unreachable { attempt, source: source.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(said: &str) -> String {
        let lines: Vec<String> = said.lines().map(str::to_owned).collect();
        Trouble::of("web1", &lines).to_string()
    }

    #[test]
    fn hosts_each_complaint_of_ssh_has_its_remedy() {
        let cases = [
            ("No ED25519 host key is known for x.\nHost key verification failed.", "not known here"),
            (
                "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.",
                "another than before",
            ),
            ("root@x: Permission denied (publickey).", "keys at hand"),
            ("ssh: Could not resolve hostname x: Name or service not known", "no such name"),
            ("ssh: connect to host x port 22: Connection refused", "start sshd"),
            ("ssh: connect to host x port 22: Connection timed out", "firewall"),
            ("", "ssh said nothing (try `ssh web1 true`"),
        ];
        for (said, remedy) in cases {
            assert!(next(said).contains(remedy), "{said}: {}", next(said));
        }
    }

    #[test]
    fn hosts_another_ssh_is_named_by_a_variable_and_sees_nothing_of_ours() {
        let vars =
            [("WINDLASS_SSH", "ssh -F /x/config"), ("WINDLASS_SIGNING_KEY", "secret"), ("HOME", "/root")];
        let vars = vars.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let command = Ssh::of(&vars);
        let command = command.command();
        let command = command.as_std();
        let arguments: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
        assert_eq!(
            (command.get_program().to_str(), &arguments[..2]),
            (Some("ssh"), &["-F".into(), "/x/config".into()][..])
        );
        let removed: Vec<_> =
            command.get_envs().filter(|(_, value)| value.is_none()).map(|(name, _)| name).collect();
        assert_eq!(removed, ["WINDLASS_SIGNING_KEY", "WINDLASS_SSH"]);
        assert!(!arguments.iter().any(|word| word.contains("StrictHostKeyChecking")), "{arguments:?}");
    }
}
