//! One connection to one host: a master `ssh` that lives as long as this run, and what goes through it.
//!
//! The far end of the master is a command that reads its standard input, which this run holds open: when the run dies,
//! however that happens, the input ends, with it the connection, and with that every connection that was forwarded.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::quote::command_line;
use super::ssh::{Ssh, Trouble, unreachable};
use crate::command::{self, Ended, NotRun};
use crate::driver::DriverError;

/// How long it may take until a host has let us in.
const OPENING: Duration = Duration::from_secs(30);

/// How long a short script may take there.
pub(super) const SHORT: Duration = Duration::from_secs(20);

/// How long after a failure the end of the connection may still be told.
const SOON: Duration = Duration::from_secs(2);

/// The lines of standard error that are kept.
const LINES: usize = 12;

/// The longest line that is read of a host's greeting, and of `ssh`, in bytes.
const LINE: u64 = 4096;

/// What the master runs there: it says what the host is, then waits for the end of its input.
const GREET: &str = r#"
printf 'windlass: %s\n' hello "$(uname -s)" "$(uname -m)" "$HOME" "$XDG_STATE_HOME" ready
exec cat >/dev/null
"#;

/// What a host says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Greeting {
    /// The system: `Linux`.
    pub(super) system: String,
    /// The machine: `x86_64`.
    pub(super) machine: String,
    /// The user's `HOME` there; may be empty.
    pub(super) home: String,
    /// `XDG_STATE_HOME` there; may be empty.
    pub(super) state_home: String,
}

/// A connection to a host.
#[derive(Debug)]
pub(super) struct Link {
    ssh: Ssh,
    host: String,
    folder: TempDir,
    pub(super) greeting: Greeting,
    /// Becomes what `ssh` said when the connection has ended.
    ended: watch::Receiver<Option<Vec<String>>>,
    _input: ChildStdin,
    watcher: JoinHandle<()>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.watcher.abort();
    }
}

impl Link {
    /// Connects.
    pub(super) async fn open(ssh: &Ssh, host: &str) -> Result<Self, DriverError> {
        let attempt = || format!("cannot connect to the host {host}");
        let folder = tempfile::Builder::new()
            .prefix("windlass-")
            .tempdir_in(&ssh.sockets)
            .map_err(|error| unreachable(attempt(), format!("no folder for its sockets: {error}")))?;
        let mut command = ssh.command();
        command.arg("-M").arg("-S").arg(folder.path().join("master"));
        // Not kept for later runs: the connection is what tells the far end that this run lives. A network that
        // swallows everything is noticed before the lease is over.
        for option in [
            "ControlPersist=no",
            "ClearAllForwardings=yes",
            "ConnectTimeout=10",
            "ServerAliveInterval=4",
            "ServerAliveCountMax=2",
        ] {
            command.args(["-o", option]);
        }
        let line = command_line(GREET, &[]).expect("the script has no NUL");
        command.arg("--").arg(host).arg(line);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().map_err(|error| {
            let why = format!("cannot start `{}`: {error}; install OpenSSH's client", ssh.name());
            unreachable(attempt(), why)
        })?;
        let piped = "it was piped";
        let (input, output) = (child.stdin.take().expect(piped), child.stdout.take().expect(piped));
        let said = Said::follow(child.stderr.take().expect(piped));
        let greeting = match tokio::time::timeout(OPENING, greeting(output)).await {
            Ok(Some(greeting)) => greeting,
            Ok(None) => {
                let _ = tokio::time::timeout(Duration::from_secs(2), child.wait()).await;
                return Err(unreachable(attempt(), Trouble::of(host, &said.lines().await)));
            }
            Err(_) => {
                let why = format!("it has not let us in within {} s", OPENING.as_secs());
                return Err(unreachable(attempt(), why));
            }
        };
        let (sender, ended) = watch::channel(None);
        let watcher = tokio::spawn(watch_over(child, said, sender));
        Ok(Self { ssh: ssh.clone(), host: host.to_owned(), folder, greeting, ended, _input: input, watcher })
    }

    /// Why nothing can go through any more, where that is so.
    pub(super) fn check(&self) -> Result<(), DriverError> {
        match &*self.ended.borrow() {
            None => Ok(()),
            Some(said) => Err(unreachable(
                format!("the connection to the host {} has ended", self.host),
                Trouble::of(&self.host, said),
            )),
        }
    }

    /// The same, where what went through has just failed: the end of the connection is known a moment after it is felt.
    pub(super) async fn check_soon(&self) -> Result<(), DriverError> {
        let mut ended = self.ended.clone();
        let _ = tokio::time::timeout(SOON, ended.wait_for(Option::is_some)).await;
        self.check()
    }

    /// A socket here that leads to the socket at `far` there, whether or not anybody listens yet.
    pub(super) async fn forward(&self, name: &str, far: &Path) -> Result<PathBuf, DriverError> {
        let near = self.folder.path().join(name);
        if near.exists() {
            return Ok(near);
        }
        let mut command = self.through();
        command.args(["-O", "forward", "-L"]).arg(format!("{}:{}", near.display(), far.display()));
        command.arg("--").arg(&self.host);
        let ended = self.finish(command, Vec::new(), SHORT, "forward a socket of").await?;
        // The user's own configuration may ask for other forwards, whose fate is none of ours.
        if near.exists() {
            return Ok(near);
        }
        let attempt = format!("cannot forward a socket of the host {}", self.host);
        Err(unreachable(
            attempt,
            format!("{}; does its sshd say `AllowStreamLocalForwarding no`?", last(&ended.log)),
        ))
    }

    /// An address there, as an address here. A port that somebody else took meanwhile is refused.
    pub(super) async fn forward_port(&self, near: SocketAddr, far: SocketAddr) -> Result<(), DriverError> {
        let mut command = self.through();
        command.args(["-O", "forward", "-L"]).arg(format!("{near}:{far}")).arg("--").arg(&self.host);
        let ended = self.finish(command, Vec::new(), SHORT, "forward an address of").await?;
        if ended.status.success() { Ok(()) } else { Err(self.refused("forward an address of", &ended.log)) }
    }

    /// The name or address behind the host's name, as `ssh` resolves it.
    pub(super) async fn hostname(&self) -> Result<String, DriverError> {
        let mut command = self.ssh.command();
        command.arg("-G").arg("--").arg(&self.host);
        let ended = self.finish(command, Vec::new(), SHORT, "look up").await?;
        let text = String::from_utf8_lossy(&ended.output).into_owned();
        let name = text.lines().find_map(|line| line.strip_prefix("hostname ")).map(str::to_owned);
        name.ok_or_else(|| self.refused("look up", &ended.log))
    }

    /// Runs a script there to its end, whatever its code.
    pub(super) async fn run(
        &self,
        script: &str,
        arguments: &[&str],
        input: Vec<u8>,
        limit: Duration,
        what: &str,
    ) -> Result<Ended, DriverError> {
        let command = self.script(script, arguments, what)?;
        let ended = self.finish(command, input, limit, what).await?;
        // 255 is `ssh`'s own code; the scripts have none that high.
        if ended.status.code() == Some(255) {
            self.check_soon().await?;
            return Err(unreachable(
                format!("cannot {what} the host {}", self.host),
                Trouble::of(&self.host, &ended.log),
            ));
        }
        Ok(ended)
    }

    /// Runs a script there, which must succeed, and gives what it wrote.
    pub(super) async fn done(
        &self,
        script: &str,
        arguments: &[&str],
        limit: Duration,
        what: &str,
    ) -> Result<Vec<u8>, DriverError> {
        let ended = self.run(script, arguments, Vec::new(), limit, what).await?;
        if ended.status.success() { Ok(ended.output) } else { Err(self.refused(what, &ended.log)) }
    }

    /// A script there that did not succeed.
    pub(super) fn refused(&self, what: &str, log: &[String]) -> DriverError {
        unreachable(format!("cannot {what} the host {}", self.host), last(log).to_owned())
    }

    /// The command that runs a script there.
    pub(super) fn script(
        &self,
        script: &str,
        arguments: &[&str],
        what: &str,
    ) -> Result<Command, DriverError> {
        let line = command_line(script, arguments).ok_or_else(|| {
            unreachable(format!("cannot {what} the host {}", self.host), "a path has a NUL in it")
        })?;
        let mut command = self.through();
        command.arg("--").arg(&self.host).arg(line);
        Ok(command)
    }

    async fn finish(
        &self,
        command: Command,
        input: Vec<u8>,
        limit: Duration,
        what: &str,
    ) -> Result<Ended, DriverError> {
        self.check()?;
        let ended = command::run(command, input, limit).await;
        ended.map_err(|error: NotRun| unreachable(format!("cannot {what} the host {}", self.host), error))
    }

    /// `ssh` by way of the master, and by no other.
    fn through(&self) -> Command {
        let mut command = self.ssh.command();
        command.arg("-S").arg(self.folder.path().join("master"));
        // Without the master a second connection would be made, which the far end could not tell from another run.
        command.args(["-o", "ControlMaster=no", "-o", "ProxyCommand=false"]);
        command
    }
}

fn last(log: &[String]) -> &str {
    log.iter().rfind(|line| !line.trim().is_empty()).map_or("it said nothing", String::as_str)
}

/// Waits for the end of the connection, and says what `ssh` said of it.
async fn watch_over(mut child: Child, said: Said, sender: watch::Sender<Option<Vec<String>>>) {
    let _ = child.wait().await;
    sender.send_replace(Some(said.lines().await));
}

/// What the host says of itself, among whatever its login files say; `None` where the connection ends before.
async fn greeting(output: ChildStdout) -> Option<Greeting> {
    let mut output = BufReader::new(output);
    let mut told: Option<Vec<String>> = None;
    // A host that talks without end is not listened to without end.
    for _ in 0..1000 {
        let mut line = Vec::new();
        if (&mut output).take(LINE).read_until(b'\n', &mut line).await.ok()? == 0 {
            return None;
        }
        let line = String::from_utf8_lossy(&line);
        let Some(word) = line.trim_end_matches('\n').strip_prefix("windlass: ") else { continue };
        match (&mut told, word) {
            (told, "hello") => *told = Some(Vec::new()),
            (Some(words), "ready") if words.len() == 4 => {
                let mut words = words.drain(..);
                let mut next = || words.next().unwrap_or_default();
                return Some(Greeting { system: next(), machine: next(), home: next(), state_home: next() });
            }
            (Some(words), word) => words.push(word.to_owned()),
            (None, _) => {}
        }
    }
    None
}

/// The last lines of standard error, while they come.
#[derive(Debug)]
struct Said {
    kept: Arc<Mutex<Vec<String>>>,
    reader: JoinHandle<()>,
}

impl Said {
    fn follow(stream: ChildStderr) -> Self {
        let kept = Arc::<Mutex<Vec<String>>>::default();
        let keeps = Arc::clone(&kept);
        let reader = tokio::spawn(async move {
            let mut stream = BufReader::new(stream);
            loop {
                let mut line = Vec::new();
                match (&mut stream).take(LINE).read_until(b'\n', &mut line).await {
                    Ok(1..) => {}
                    Ok(0) | Err(_) => return,
                }
                let mut kept = keeps.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() == LINES {
                    kept.remove(0);
                }
                kept.push(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
        });
        Self { kept, reader }
    }

    /// The lines, once there will be no more of them; they are waited for a moment.
    async fn lines(mut self) -> Vec<String> {
        let _ = tokio::time::timeout(Duration::from_secs(1), &mut self.reader).await;
        std::mem::take(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
