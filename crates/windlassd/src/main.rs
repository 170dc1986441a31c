//! `windlassd`, the host agent.

use std::process::ExitCode;

fn main() -> ExitCode {
    windlass_windlassd::run(windlass_ci::context::Context::capture())
}
