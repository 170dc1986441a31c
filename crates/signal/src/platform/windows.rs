//! Windows: jobs, and no Unix sockets, since no agent runs there.

use std::io;
use std::path::Path;

use tokio::process::{Child, Command};
use win32job::{ExtendedLimitInfo, Job};

/// A command and what it started. Ended when it goes out of scope, whatever the reason, and when this process ends.
pub(crate) struct Family {
    /// Windows ends all that is in a job when its last handle is closed.
    _job: Job,
}

/// Prepares a command to be the first of a family of its own. A job is made afterwards: what the command starts before
/// that stays outside.
pub(crate) fn in_own_family(_: &mut Command) {}

impl Family {
    /// The family of a command that was prepared with [`in_own_family`].
    pub(crate) fn of(child: &Child) -> io::Result<Self> {
        let mut limits = ExtendedLimitInfo::new();
        limits.limit_kill_on_job_close();
        let job = Job::create_with_limit_info(&limits).map_err(io::Error::other)?;
        // None of a command that ended already: then nothing is left to end.
        if let Some(handle) = child.raw_handle() {
            job.assign_process(handle as isize).map_err(io::Error::other)?;
        }
        Ok(Self { _job: job })
    }
}

/// Never a stream: the agent that listens on a socket runs on Unix only.
///
/// # Errors
/// Always, with why.
#[expect(clippy::unused_async, reason = "on Unix it waits")]
pub(crate) async fn connect(_: &Path) -> io::Result<tokio::io::Empty> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "Windows cannot ask an agent, which runs on Unix only"))
}
