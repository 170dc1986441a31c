//! The umbrella's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    windlass::run(windlass_ci::context::Context::capture())
}
