//! `health-verify`: is what runs healthy?

use std::process::ExitCode;

use windlass_ci::context::Context;

fn main() -> ExitCode {
    windlass_health_verify::run(Context::capture())
}
