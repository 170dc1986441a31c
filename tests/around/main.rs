//! From outside, with the real binaries: what stands around a rollout. Hooks, migrations, the way back that is walked on
//! purpose, and what stays of earlier releases.
#![expect(clippy::unwrap_used, reason = "a test may stop where its set-up does")]
#![expect(clippy::disallowed_methods, reason = "a test may read the environment that it scrubs")]

#[path = "../release/project.rs"]
#[expect(dead_code, reason = "each suite uses another part of it")]
mod project;

#[path = "../forge/server.rs"]
mod server;

mod doctor;
mod forge;
mod hooks;
mod keep;
mod migrations;
mod proof;
mod shop;

use std::time::{Duration, Instant};

/// Waits until something holds, for at most half a minute.
fn until(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
