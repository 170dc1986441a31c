//! Tools that a test needs and that may be missing.

use std::path::PathBuf;

/// A tool's path; where it is missing, one line says how to get it and the test is skipped. With
/// `WINDLASS_REQUIRE_TOOLS=1` that is a failure.
#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test has no context, and says why it is skipped"
)]
pub(crate) fn tool(name: &str, remedy: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file());
    if found.is_none() {
        let is_required = std::env::var("WINDLASS_REQUIRE_TOOLS").is_ok_and(|value| value == "1");
        assert!(!is_required, "missing: {name} ({remedy})");
        eprintln!("skipped: install {name} ({remedy})");
    }
    found
}
