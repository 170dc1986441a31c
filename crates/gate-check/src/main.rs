//! `gate-check`: may this release enter?

use std::process::ExitCode;

use windlass_ci::context::Context;

fn main() -> ExitCode {
    windlass_gate_check::run(Context::capture())
}
