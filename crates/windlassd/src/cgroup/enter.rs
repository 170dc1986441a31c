//! Entering a group before becoming an instance: a process that is moved into its group after its start could have
//! started others meanwhile, and they would stay outside.

use std::ffi::OsString;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use windlass_ci::sink;

/// The first argument of such a process; the group's list of processes, the program and its arguments follow.
pub(crate) const ENTER: &str = "--enter-group";

/// Enters the group and becomes the program, where the arguments say so. Returns only when that fails, with the code
/// that shells give: 126 for a group that cannot be entered, 127 for a program that cannot be started.
pub(crate) fn enter(arguments: &[OsString]) -> Option<ExitCode> {
    let [first, processes, program, rest @ ..] = arguments else { return None };
    if first != ENTER {
        return None;
    }
    // 0 stands for whoever writes.
    if let Err(error) = fs::write(processes, "0") {
        let group = processes.to_string_lossy();
        anstream::eprintln!("windlassd: cannot enter the control group {}: {error}", sink::line(&group));
        return Some(ExitCode::from(126));
    }
    let error = Command::new(program).args(rest).exec();
    anstream::eprintln!("windlassd: cannot start {}: {error}", sink::line(&program.to_string_lossy()));
    Some(ExitCode::from(127))
}
