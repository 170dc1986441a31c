//! `deploy`: takes a release the whole way.

use std::process::ExitCode;

use windlass_ci::context::Context;

fn main() -> ExitCode {
    windlass_deploy::run(Context::capture())
}
