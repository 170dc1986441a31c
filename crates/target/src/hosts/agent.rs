//! The agent's program on a far host: copied there under its digest where it is missing, started detached, and put in the
//! place of one that runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use windlass_domain::digest::Digest;
use windlass_evidence::artifact;

use super::link::{Link, SHORT};
use super::machine;
use super::ssh::unreachable;
use crate::driver::DriverError;
use crate::host::control::AgentState;
use crate::host::upgrade::{Stands, replace, stays};
use crate::host::{AgentCommand, Client, TooNew};

/// The variable that names the agent's program for hosts, where the one at hand is for another machine.
const VARIABLE: &str = "WINDLASS_AGENT_PROGRAM";

/// How long a copy of the program may take.
const COPYING: Duration = Duration::from_secs(600);

/// `$1` folder, `$2` file, `$3` sha256: whether it is there, whole.
const IS_THERE: &str = r#"
cd "$1" 2>/dev/null && [ -x "$2" ] || exit 9
[ "$(sha256sum <"$2" | cut -d' ' -f1)" = "$3" ] || exit 9
"#;

/// The same, for the program that comes by standard input.
const TAKE: &str = r#"
set -eu
umask 077
mkdir -p "$1"
cd "$1"
trap 'rm -f "$2.$$"' EXIT
cat >"$2.$$"
if [ "$(sha256sum <"$2.$$" | cut -d' ' -f1)" != "$3" ]; then
  echo 'it did not arrive whole' >&2
  exit 1
fi
chmod 700 "$2.$$"
mv -f "$2.$$" "$2"
"#;

/// `$1` and on: the program with its first words.
const TRY: &str = r#"exec "$@" --version >/dev/null"#;

/// `$1` root, then the program with its first words: started with nothing of this session.
const START: &str = r#"
set -eu
umask 077
mkdir -p "$1"
cd "$1"
root=$1
shift
env -i PATH="$PATH" HOME="$HOME" USER="${USER:-}" LOGNAME="${LOGNAME:-}" SHELL="${SHELL:-/bin/sh}" \
  LANG="${LANG:-C.UTF-8}" ${TZ:+TZ="$TZ"} "$@" --root "$root" --detach </dev/null >>agent.out 2>&1 &
"#;

/// `$1` a process: the sha256 of the program that it runs, whatever has its name now; nothing where that cannot be read.
const RUNS: &str = r#"sha256sum <"/proc/$1/exe" 2>/dev/null | cut -d' ' -f1"#;

/// `$1` root: the last line of the agent's own that is not a hint.
const LAST_WORDS: &str = r#"tail -n 20 "$1/agent.out" 2>/dev/null | grep -v '^ ' | tail -n 1"#;

/// The agent's program as it lies here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Program {
    path: PathBuf,
    words: Vec<String>,
}

impl Program {
    /// `WINDLASS_AGENT_PROGRAM`, or the agent that a target on this machine would get.
    pub(super) fn find(program: &Path, vars: &BTreeMap<String, String>) -> Self {
        let mut found = match vars.get(VARIABLE).filter(|path| !path.is_empty()) {
            Some(path) => vec![path.into()],
            None => AgentCommand::find(program, vars).program,
        };
        let path = PathBuf::from(found.remove(0));
        let mut words: Vec<String> = found.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        // The umbrella is every tool; the agent is one of its words.
        if words.is_empty() && path.file_stem().is_some_and(|name| name == "windlass") {
            words.push("windlassd".to_owned());
        }
        Self { path: on_the_path(path, vars), words }
    }

    /// Has it on the host, and says by which words it is started there.
    pub(super) async fn place(
        &self,
        link: &Link,
        host: &str,
        root: &str,
    ) -> Result<Vec<String>, DriverError> {
        self.check_machine(link, host)?;
        let digest = self.digest().await?;
        let home = &link.greeting.home;
        let folder =
            if home.is_empty() { format!("{root}/bin") } else { format!("{home}/.local/share/windlass/bin") };
        let name = format!("windlassd-{}", digest.hex());
        let hex = digest.hex();
        let arguments = [folder.as_str(), &name, &hex];
        let words: Vec<String> =
            [format!("{folder}/{name}")].into_iter().chain(self.words.iter().cloned()).collect();
        let there = link.run(IS_THERE, &arguments, Vec::new(), COPYING, "look for the agent on").await?;
        if there.status.success() {
            return Ok(words);
        }
        let bytes =
            tokio::fs::read(&self.path).await.map_err(|error| unreachable(self.cannot_read(), error))?;
        let taken = link.run(TAKE, &arguments, bytes, COPYING, "copy the agent to").await?;
        if !taken.status.success() {
            return Err(link.refused("copy the agent to", &taken.log));
        }
        let words_there: Vec<&str> = words.iter().map(String::as_str).collect();
        link.done(TRY, &words_there, SHORT, "run the agent's program on").await?;
        Ok(words)
    }

    /// Starts it there for a root.
    pub(super) async fn start(&self, link: &Link, host: &str, root: &str) -> Result<(), DriverError> {
        let words = self.place(link, host, root).await?;
        let arguments: Vec<&str> = [root].into_iter().chain(words.iter().map(String::as_str)).collect();
        link.done(START, &arguments, SHORT, "start the agent on").await.map(drop)
    }

    /// Has the agent that runs there hand over to this program, where it is an older version, or another build of the same.
    /// Says what people should know of it.
    pub(super) async fn renew(
        &self,
        link: &Link,
        host: &str,
        root: &str,
        client: &Client,
        state: &AgentState,
    ) -> Result<Option<String>, DriverError> {
        let (theirs, own) = (&state.version, env!("CARGO_PKG_VERSION"));
        let on = |note: String| Some(format!("on the host {host}: {note}"));
        match Stands::of(theirs, own) {
            Stands::Unknown => return Ok(None),
            Stands::Newer => return Ok(on(stays(theirs, own))),
            Stands::TooNew => {
                let source = TooNew { theirs: theirs.clone(), own: own.to_owned() };
                return Err(unreachable(format!("cannot use the agent on the host {host}"), source));
            }
            Stands::Same if state.managed || !self.is_another(link, state.pid).await? => return Ok(None),
            Stands::Same | Stands::Older => {}
        }
        let program = self.place(link, host, root).await?;
        Ok(on(replace(client, state, program, own).await))
    }

    /// Whether a process there is known to run another program than this one.
    async fn is_another(&self, link: &Link, pid: u32) -> Result<bool, DriverError> {
        let runs = link.done(RUNS, &[&pid.to_string()], COPYING, "look at the agent on").await?;
        let runs = String::from_utf8_lossy(&runs).trim().to_owned();
        Ok(!runs.is_empty() && runs != self.digest().await?.hex())
    }

    async fn digest(&self) -> Result<Digest, DriverError> {
        let path = self.path.clone();
        let digest = tokio::task::spawn_blocking(move || artifact::digest(&path)).await;
        digest
            .map_err(|error| unreachable(self.cannot_read(), error))?
            .map_err(|error| unreachable(self.cannot_read(), error))
    }

    fn check_machine(&self, link: &Link, host: &str) -> Result<(), DriverError> {
        let far = &link.greeting;
        let refuse = |what: String| {
            let attempt =
                format!("cannot run the agent on the host {host}, which is {} {}", far.system, far.machine);
            let remedy = format!("name a windlassd for it in {VARIABLE}");
            Err(unreachable(attempt, format!("{} is {what}: {remedy}", self.path.display())))
        };
        match machine::machine_of(&self.path).map_err(|error| unreachable(self.cannot_read(), error))? {
            None => refuse("no program for a Linux machine".to_owned()),
            Some(machine) if far.system != "Linux" || !machine::runs(&far.machine, machine) => {
                refuse(format!("for Linux {machine}"))
            }
            Some(_) => Ok(()),
        }
    }

    fn cannot_read(&self) -> String {
        format!("cannot read the agent's program {}", self.path.display())
    }
}

/// What an agent that does not answer wrote last.
pub(super) async fn last_words(link: &Link, root: &str) -> String {
    let said = link.done(LAST_WORDS, &[root], SHORT, "read the agent's output on").await.unwrap_or_default();
    let said = String::from_utf8_lossy(&said).trim().to_owned();
    if said.is_empty() { "it wrote nothing".to_owned() } else { said }
}

/// A bare name is looked for on the `PATH`, as starting it would.
fn on_the_path(program: PathBuf, vars: &BTreeMap<String, String>) -> PathBuf {
    if program.components().count() > 1 {
        return program;
    }
    let folders = vars.get("PATH").map(String::as_str).unwrap_or_default().split(':');
    let found = folders.filter(|folder| !folder.is_empty()).map(|folder| Path::new(folder).join(&program));
    found.into_iter().find(|path| path.is_file()).unwrap_or(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_the_agent_is_the_one_that_a_target_here_would_get_unless_another_is_named() {
        let umbrella = Path::new("/opt/windlass");
        let found = Program::find(umbrella, &BTreeMap::new());
        assert_eq!(found, Program { path: umbrella.into(), words: vec!["windlassd".into()] });
        let vars = BTreeMap::from([(VARIABLE.to_owned(), "/opt/arm/windlassd".to_owned())]);
        assert_eq!(
            Program::find(umbrella, &vars),
            Program { path: "/opt/arm/windlassd".into(), words: vec![] }
        );
    }
}
