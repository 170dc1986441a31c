//! How long telling somebody may take. A run waits for it, so that it is little.

use std::time::Duration;

/// The bounds of one notification.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Until a connection stands, default 5 s.
    pub connect: Duration,
    /// For everything, the second try included, default 10 s.
    pub whole: Duration,
    /// Before the second try, where the receiver does not say how long to wait; default 1 s.
    pub pause: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            whole: Duration::from_secs(10),
            pause: Duration::from_secs(1),
        }
    }
}
