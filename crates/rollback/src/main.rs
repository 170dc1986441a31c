//! `rollback`: returns an environment to a release that it ran before.

use std::process::ExitCode;

use windlass_ci::context::Context;

fn main() -> ExitCode {
    windlass_rollback::run(Context::capture())
}
