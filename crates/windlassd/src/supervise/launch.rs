//! Starting one process of a revision.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::{Child, Command};
use windlass_target::host::secrets;

use super::instance::Seat;
use super::words::Words;
use crate::cgroup::{self, Group};
use crate::itself::itself;
use crate::process::Process;
use crate::root::{Root, named};
use crate::stage::Manifest;

/// What a process may see of the agent's own environment.
const VISIBLE: [&str; 6] = ["PATH", "HOME", "USER", "LANG", "TZ", "TMPDIR"];

/// The variable that marks a process as an instance of a root: `<root>:<revision>:<index>`.
pub(super) const MARK: &str = "WINDLASS_INSTANCE";

/// Where commands are looked for when the agent was started without a `PATH`.
const USUAL_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A process that was just started.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) child: Child,
    pub(super) process: Process,
    pub(super) port: u16,
}

/// The part of the agent's environment that instances get.
pub(crate) fn visible(vars: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut visible: BTreeMap<String, String> = vars
        .iter()
        .filter(|(name, _)| VISIBLE.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    visible.entry("PATH".to_owned()).or_insert_with(|| USUAL_PATH.to_owned());
    visible
}

/// The value of [`MARK`].
pub(super) fn mark(root: &Root, seat: Seat) -> String {
    format!("{}:{}:{}", root.path().display(), seat.revision, seat.index)
}

/// What every process of a release is given, whatever it is for.
pub(crate) struct Surroundings<'a> {
    root: &'a Root,
    visible: &'a BTreeMap<String, String>,
}

impl<'a> Surroundings<'a> {
    pub(crate) const fn new(root: &'a Root, visible: &'a BTreeMap<String, String>) -> Self {
        Self { root, visible }
    }

    /// The words that its command may have.
    pub(crate) fn words(&self, manifest: &Manifest, port: u16) -> Words {
        Words {
            port: port.to_string(),
            dir: manifest.folder(self.root).display().to_string(),
            revision: manifest.revision.to_string(),
        }
    }

    /// Gives a command the release's folder and environment, and nothing else of the agent's own.
    pub(crate) fn dress(
        &self,
        command: &mut Command,
        manifest: &Manifest,
        words: &Words,
    ) -> Result<(), String> {
        command.current_dir(manifest.folder(self.root)).env_clear().envs(self.visible);
        for (name, value) in &manifest.launch.env {
            command.env(name, words.fill(value)?);
        }
        for (name, content) in secrets::contents(&manifest.launch.secrets)? {
            command.env(name, OsStr::from_bytes(content.expose()));
        }
        Ok(())
    }

    /// A program with a slash lies in the artifact's folder, one without is looked for on the path.
    pub(crate) fn located(&self, program: &str, manifest: &Manifest) -> PathBuf {
        if program.contains('/') { manifest.folder(self.root).join(program) } else { program.into() }
    }

    /// Opens a log to append to, and makes its folder.
    #[expect(clippy::unused_self, reason = "a log is one of the things that every process is given")]
    pub(crate) fn open_log(&self, path: &Path) -> io::Result<fs::File> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| named(error, "cannot make", folder))?;
        }
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .map_err(|error| named(error, "cannot open the log", path))
    }
}

/// Starts instance `index`, in its own process group, with its output going to its log.
pub(super) fn start(
    root: &Root,
    manifest: &Manifest,
    index: u16,
    visible: &BTreeMap<String, String>,
    group: Option<&Group>,
) -> Result<Started, String> {
    let around = Surroundings::new(root, visible);
    let port = free_port().map_err(|error| format!("cannot find a free port: {error}"))?;
    let words = around.words(manifest, port);
    let mut run = Vec::with_capacity(manifest.launch.run.len());
    for argument in &manifest.launch.run {
        run.push(words.fill(argument)?);
    }
    let Some((program, arguments)) = run.split_first() else { return Err("`run` is empty".to_owned()) };
    let program = around.located(program, manifest);
    let mut command = command(&program, group);
    command.args(arguments);
    around.dress(&mut command, manifest, &words)?;
    command.env("PORT", &words.port).env(MARK, mark(root, Seat { revision: manifest.revision, index }));
    let log = root.instance_log(manifest.revision, index);
    let output = around.open_log(&log).map_err(|error| error.to_string())?;
    let second = output.try_clone().map_err(|error| named(error, "cannot use the log", &log).to_string())?;
    let child = command
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(second)
        .spawn()
        .map_err(|error| format!("cannot start {}: {error}", program.display()))?;
    let pid = child.id().ok_or_else(|| format!("{} ended at once", program.display()))?;
    // Our own child keeps its number until it is reaped, so this is its start time or it has ended already.
    let process = Process::of(pid).unwrap_or(Process { pid, started: 0 });
    Ok(Started { child, process, port })
}

/// The command of a program, which enters its group first.
fn command(program: &Path, group: Option<&Group>) -> Command {
    match group {
        None => Command::new(program),
        Some(group) => {
            let mut command = itself(cgroup::ENTER);
            command.arg(group.list()).arg(program);
            command
        }
    }
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_sees_nothing_of_the_run_that_started_the_agent() {
        let vars = [("PATH", "/bin"), ("HOME", "/h"), ("GITHUB_TOKEN", "x"), ("RUNNER_TRACKING_ID", "y")];
        let vars = vars.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let visible = visible(&vars);
        assert_eq!(visible.keys().collect::<Vec<_>>(), ["HOME", "PATH"]);
        assert_eq!(super::visible(&BTreeMap::new())["PATH"], USUAL_PATH);
    }
}
