//! How connections and requests are treated, whatever revision they are for.

use std::time::Duration;

/// What belongs to the place, not to a release.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    pub(super) limits: Limits,
}

/// What a client may take.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// Of a request's head, in bytes.
    pub(super) header: usize,
    /// Of a request's body, in bytes.
    pub(super) body: Option<u64>,
    /// How long a connection may rest, a head may take to arrive, and either end may stop in the middle of a body.
    pub(super) idle: Duration,
    /// For a request and its answer.
    pub(super) request: Option<Duration>,
    /// Connections at once.
    pub(super) connections: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header: 64 * 1024,
            body: None,
            idle: Duration::from_secs(60),
            request: None,
            connections: 10_000,
        }
    }
}
