//! Processes, as the system shows them.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Pid;

/// A process that runs in the folder of a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Instance {
    pub(crate) pid: u32,
    /// When it was started, in the system's ticks: a number that is used again is another process.
    pub(crate) started: u64,
    pub(crate) revision: u64,
    /// Whether it is the service, and not what a migration runs.
    pub(crate) serves: bool,
}

impl Instance {
    pub(crate) fn is_alive(&self) -> bool {
        stat(self.pid).is_some_and(|(_, started)| started == self.started)
    }
}

/// What runs in the folders of revisions.
pub(crate) fn instances(revisions: &Path) -> Vec<Instance> {
    let Ok(revisions) = revisions.canonicalize() else { return Vec::new() };
    let instance = |process: fs::DirEntry| {
        let folder = fs::read_link(process.path().join("cwd")).ok()?;
        let revision = folder.strip_prefix(&revisions).ok()?.components().next()?;
        let pid: u32 = process.file_name().to_str()?.parse().ok()?;
        let (_, started) = stat(pid)?;
        let command = fs::read(process.path().join("cmdline")).ok()?;
        let serves = command.split(|byte| *byte == 0).any(|word| word == b"demo-service");
        Some(Instance { pid, started, revision: revision.as_os_str().to_str()?.parse().ok()?, serves })
    };
    fs::read_dir("/proc").unwrap().filter_map(|process| instance(process.ok()?)).collect()
}

/// Waits until a process that was killed is gone, or only waits to be reaped.
pub(crate) fn await_end(pid: Pid) {
    let started = Instant::now();
    while stat(pid.as_raw_nonzero().get().unsigned_abs()).is_some() {
        assert!(started.elapsed() < Duration::from_secs(60), "{pid:?} does not end");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The state and the start of a process that has not ended.
fn stat(pid: u32) -> Option<(char, u64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let state = fields.first()?.chars().next()?;
    let started = fields.get(19)?.parse().ok()?;
    (!matches!(state, 'Z' | 'X')).then_some((state, started))
}
