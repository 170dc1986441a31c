//! The keeper of a migration: starts it, waits for it, stops it when its time is over, and writes down how it ended.
//!
//! It is the agent's own program in a process group of its own, so that neither the agent's end nor its upgrade touches
//! a migration. Its environment, folder and output are the migration's; its arguments are the revision's folder, the
//! limit in milliseconds, and the command.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

use rustix::process::{Signal, getpgrp, kill_process_group};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};
use windlass_domain::outcome::Outcome;

use super::{Ended, How, LOOK, Migrated, open_lock, record};
use crate::clock::now;
use crate::root::{read_json, write_json};

/// How long a migration that was asked to stop may take before it is killed.
const GRACE: Duration = Duration::from_secs(5);

/// Runs the migration that the arguments describe, unless it has ended already. The exit code tells only whether that is
/// written down.
pub(crate) fn run(arguments: &[OsString]) -> ExitCode {
    match keep(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("windlassd: the migration's keeper: {error}");
            ExitCode::from(Outcome::Unknown.code())
        }
    }
}

fn keep(arguments: &[OsString]) -> io::Result<()> {
    let [folder, limit, command @ ..] = arguments else { return Err(wrong()) };
    let folder = PathBuf::from(folder);
    let limit = limit.to_str().and_then(|limit| limit.parse().ok()).map(Duration::from_millis);
    let (Some(limit), [program, words @ ..]) = (limit, command) else { return Err(wrong()) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // It is told with its group to stop, and must live to write that down.
        let _terminate = signal(SignalKind::terminate())?;
        let file = open_lock(&folder)?;
        if !lock_within(&file, limit).await? {
            return Err(io::Error::other(format!("another start of it is still there after {limit:?}")));
        }
        let before: Option<Migrated> = read_json(&record(&folder))?;
        let cut_off = match before {
            Some(Migrated { end: Some(_), .. }) => return Ok(()),
            Some(Migrated { cut_off, .. }) => cut_off + 1,
            None => 0,
        };
        // Whatever it starts holds the lock too: a keeper that is killed does not set a second one free to begin.
        rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty())?;
        let mut migrated = Migrated { began: now(), cut_off, end: None };
        write_json(&record(&folder), &migrated)?;
        let mut command = Command::new(program);
        command.args(words);
        let how = match command.spawn() {
            Ok(child) => wait(child, limit).await?,
            Err(error) => How::NotStarted(format!("{}: {error}", Path::new(program).display())),
        };
        let is_late = how == How::Late;
        migrated.end = Some(Ended { at: now(), how });
        write_json(&record(&folder), &migrated)?;
        if is_late {
            // What is left of the group did not heed the request; this process goes with it.
            let _ = kill_process_group(getpgrp(), Signal::KILL);
        }
        Ok(())
    })
}

async fn wait(mut child: tokio::process::Child, limit: Duration) -> io::Result<How> {
    if let Ok(status) = tokio::time::timeout(limit, child.wait()).await {
        return Ok(how(status?));
    }
    let _ = kill_process_group(getpgrp(), Signal::TERM);
    // How it heeds that makes no difference: it had its time.
    let _ = tokio::time::timeout(GRACE, child.wait()).await;
    Ok(How::Late)
}

fn how(status: ExitStatus) -> How {
    match (status.code(), status.signal()) {
        (Some(code), _) => How::Code(code),
        (None, signal) => How::Signal(signal.unwrap_or_default()),
    }
}

/// Takes the lock; `false` when another start of the same migration holds it longer than that.
async fn lock_within(file: &File, limit: Duration) -> io::Result<bool> {
    let end = tokio::time::Instant::now() + limit + GRACE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(std::fs::TryLockError::WouldBlock) if tokio::time::Instant::now() < end => {
                tokio::time::sleep(LOOK).await;
            }
            Err(std::fs::TryLockError::WouldBlock) => return Ok(false),
            Err(std::fs::TryLockError::Error(error)) => return Err(error),
        }
    }
}

fn wrong() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "it takes a folder, a limit in milliseconds and a command")
}
