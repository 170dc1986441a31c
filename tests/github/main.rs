//! GitHub, as a consumer: a throw-away repository refers to the actions and the reusable workflows by their published names,
//! and the emulator `act` runs them from a clean export of this tree, with the built tools and a real service.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may stop where its set-up does")]
#![expect(clippy::disallowed_methods, reason = "a test may read the environment that it scrubs")]
#![expect(clippy::print_stderr, reason = "a skipped test says so")]

#[path = "../actions/mirror.rs"]
#[expect(dead_code, reason = "its wrong answers are for another suite")]
mod mirror;
#[path = "../forge/server.rs"]
mod server;

mod act;
mod cancelled;
mod consumer;
mod forge;
mod outcomes;
mod pipeline;
mod register;
mod released;
mod shipped;
mod verdict;

/// Waits until something is so, for as long as a busy machine may need.
#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(300);
    while !is_so() {
        assert!(std::time::Instant::now() < end, "waited too long: {what}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
