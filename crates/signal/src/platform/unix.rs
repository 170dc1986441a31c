//! Unix: process groups, and sockets in the file system.

use std::io;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};

/// A command and what it started. Ended when it goes out of scope, whatever the reason.
pub(crate) struct Family(Option<Pid>);

/// Prepares a command to be the first of a family of its own.
pub(crate) fn in_own_family(command: &mut Command) {
    command.process_group(0);
}

impl Family {
    /// The family of a command that was prepared with [`in_own_family`].
    #[expect(clippy::unnecessary_wraps, reason = "on Windows it can fail")]
    pub(crate) fn of(child: &Child) -> io::Result<Self> {
        Ok(Self(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw)))
    }
}

impl Drop for Family {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // Nothing left to kill is what is wanted.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// A stream to the agent's socket.
///
/// # Errors
/// Those of the system.
pub(crate) async fn connect(socket: &Path) -> io::Result<UnixStream> {
    UnixStream::connect(socket).await
}
