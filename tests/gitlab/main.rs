//! The components for GitLab: what they are written from, and what they do for whoever includes them.
#![expect(clippy::unwrap_used, reason = "a test may stop where its set-up does")]

mod component;
mod consumer;
#[path = "../actions/flags.rs"]
mod flags;
#[path = "../actions/hold.rs"]
mod hold;
mod pipeline;
mod runs;
mod script;
mod single;
mod written;
