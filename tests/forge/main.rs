//! The forge's client against servers that say what a test tells them, and against GitHub's own description of its API.
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]
#![expect(clippy::unwrap_used, reason = "a test may stop where its set-up does")]
#![expect(
    clippy::disallowed_methods,
    reason = "a test may read the environment, and a clock for its own deadlines"
)]

mod approvals;
mod doubtful;
mod guards;
mod limits;
mod prism;
mod proxies;
mod records;
mod server;

use std::time::Duration;

use windlass_forge::{Forge, Patience, Place, Vars, connect};

/// A token that must be seen nowhere but in its own header.
const TOKEN: &str = "ghs_TheTokenThatNobodyMaySee";
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// Short pauses, and a time-out that a slow machine does not reach by accident.
const PATIENCE: Patience = Patience {
    answer: Duration::from_secs(30),
    limit: Duration::from_secs(3),
    pause: Duration::from_millis(1),
};

fn vars(pairs: &[(&str, &str)]) -> Vars {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn github_vars(api: &str) -> Vars {
    vars(&[
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_API_URL", api),
        ("GITHUB_SERVER_URL", "https://github.com"),
        ("GITHUB_REPOSITORY", "shop/shop"),
        ("GITHUB_RUN_ID", "12"),
        ("GITHUB_TOKEN", TOKEN),
    ])
}

fn gitlab_vars(api: &str) -> Vars {
    vars(&[
        ("GITLAB_CI", "true"),
        ("CI_API_V4_URL", api),
        ("CI_PROJECT_ID", "7"),
        ("CI_JOB_ID", "99"),
        ("CI_JOB_URL", "https://gitlab.example/shop/-/jobs/99"),
        ("GITLAB_TOKEN", TOKEN),
    ])
}

fn forge_with(vars: &Vars, patience: Patience) -> Box<dyn Forge> {
    connect(&Place::find(vars, None).unwrap(), patience).unwrap()
}

/// Runs a test's async part.
fn block<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(future)
}

/// A GitHub at this address.
fn github<T>(api: &str, ask: impl AsyncFnOnce(Box<dyn Forge>) -> T) -> T {
    block(async { ask(forge_with(&github_vars(api), PATIENCE)).await })
}

/// A GitLab at this address.
fn gitlab<T>(api: &str, ask: impl AsyncFnOnce(Box<dyn Forge>) -> T) -> T {
    block(async { ask(forge_with(&gitlab_vars(api), PATIENCE)).await })
}
