//! A process that runs: awaiting its end, and bringing it about.

use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::process::Child;

use crate::process::Process;

/// How long a stray process may take to stop.
const STRAY: Duration = Duration::from_secs(10);

/// A process that runs.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) process: Process,
    pub(super) port: u16,
    pub(super) since: Instant,
    /// `None` for one that an earlier agent started.
    pub(super) child: Option<Child>,
}

impl Running {
    /// One that an earlier agent started.
    pub(super) fn adopted(process: Process, port: u16) -> Self {
        Self { process, port, since: Instant::now(), child: None }
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

    /// SIGTERM to its group, and after `limit` SIGKILL.
    pub(super) async fn stop(mut self, limit: Duration) {
        self.process.signal_group(Signal::TERM);
        if tokio::time::timeout(limit, self.end()).await.is_err() {
            self.process.signal_group(Signal::KILL);
            self.end().await;
        }
        // What it started itself goes with it.
        self.process.signal_group(Signal::KILL);
    }
}

/// Ends a process that has no place.
pub(super) fn end_stray(process: Process) {
    tokio::spawn(Running::adopted(process, 0).stop(STRAY));
}

fn ending(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "an unknown end".to_owned(),
    }
}
