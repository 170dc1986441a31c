//! The media against receivers: what they are sent, and what is said where they do not take it.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

mod hostile;
mod limits;
mod receiver;
mod said;
mod vendors;
mod verify;
mod way;

use std::path::PathBuf;

/// The program called `name` on the `PATH`, or, where it is missing, a line that says what to install: a failure where
/// tools are required, and a skip elsewhere.
#[expect(
    clippy::disallowed_methods,
    reason = "a test asks whether a missing tool is a failure, and where tools are"
)]
fn tool(name: &str, install: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    if found.is_none() {
        assert!(
            !std::env::var("WINDLASS_REQUIRE_TOOLS").is_ok_and(|value| value == "1"),
            "{name} is missing: {install}"
        );
        eprintln!("skipped: {name} is missing: {install}");
    }
    found
}
