//! A process that runs: awaiting its end, and bringing it about.

use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::process::Child;
use windlass_domain::policy::Size;

use crate::cgroup::Group;
use crate::process::Process;

/// How long a stray process may take to stop.
const STRAY: Duration = Duration::from_secs(10);

/// How often a control group is looked at whose processes were killed, and how many looks it may take to be empty.
const LOOK: Duration = Duration::from_millis(10);
const GONE: u32 = 200;

/// A process that runs.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) process: Process,
    pub(super) port: u16,
    pub(super) since: Instant,
    /// The control group of its own, where it has one.
    pub(super) group: Option<Group>,
    /// `None` for one that an earlier agent started.
    pub(super) child: Option<Child>,
}

impl Running {
    /// One that an earlier agent started.
    pub(super) fn adopted(process: Process, group: Option<Group>, port: u16) -> Self {
        Self { process, group, port, since: Instant::now(), child: None }
    }

    /// Waits for its end, and says how it ended, where that can be known.
    pub(super) async fn end(&mut self) -> String {
        match &mut self.child {
            Some(child) => match child.wait().await {
                Ok(status) => ending(status),
                Err(error) => format!("an end that cannot be read: {error}"),
            },
            None => {
                self.process.ended().await;
                "an end that the agent did not see".to_owned()
            }
        }
    }

    /// What it started itself goes with it, once it has ended.
    pub(super) async fn finish(&self) {
        self.process.signal_group(Signal::KILL);
        let Some(group) = &self.group else { return };
        group.kill();
        for _ in 0..GONE {
            if group.remove().is_ok() {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
        tracing::warn!(group = %group.folder().display(), "a control group could not be removed");
    }

    /// How it ended, when that was for want of memory.
    pub(super) fn out_of_memory(&self, limit: Option<Size>) -> Option<String> {
        let group = self.group.as_ref().filter(|group| group.out_of_memory() > 0)?;
        tracing::debug!(group = %group.folder().display(), "the kernel ended a process for want of memory");
        Some(
            limit.map_or_else(
                || "out of memory".to_owned(),
                |limit| format!("out of memory: over its {limit}"),
            ),
        )
    }

    /// SIGTERM to its group, and after `limit` SIGKILL.
    pub(super) async fn stop(mut self, limit: Duration) {
        self.process.signal_group(Signal::TERM);
        if tokio::time::timeout(limit, self.end()).await.is_err() {
            self.process.signal_group(Signal::KILL);
            self.end().await;
        }
        self.finish().await;
    }
}

/// Ends a process that has no place.
pub(super) fn end_stray(process: Process) {
    tokio::spawn(Running::adopted(process, None, 0).stop(STRAY));
}

fn ending(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "an unknown end".to_owned(),
    }
}
