//! The `security-scan` binary.

use std::process::ExitCode;

use windlass_ci::context::Context;

fn main() -> ExitCode {
    windlass_security_scan::run(Context::capture())
}
