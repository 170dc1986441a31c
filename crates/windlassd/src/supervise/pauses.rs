//! The pauses between an instance's end and its next start.

use std::time::Duration;

/// The pause before the first restart; each later one is twice as long.
const FIRST: Duration = Duration::from_millis(250);

/// The longest pause.
const LONGEST: Duration = Duration::from_secs(30);

/// An instance that ran for so long starts again as if for the first time.
const STEADY: Duration = Duration::from_secs(60);

/// The pauses that come.
#[derive(Debug)]
pub(super) struct Pauses(Duration);

impl Pauses {
    pub(super) const fn new() -> Self {
        Self(FIRST)
    }

    /// The pause after an end; the next one is longer.
    pub(super) fn next(&mut self) -> Duration {
        let longer = (self.0 * 2).min(LONGEST);
        std::mem::replace(&mut self.0, longer)
    }

    /// It ran for so long.
    pub(super) fn ran(&mut self, time: Duration) {
        if time >= STEADY {
            *self = Self::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_back_off_to_half_a_minute_and_a_steady_run_begins_anew() {
        let mut pauses = Pauses::new();
        let mut ends = |count: usize| (0..count).map(|_| pauses.next().as_millis()).collect::<Vec<_>>();
        assert_eq!(ends(9), [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        pauses.ran(Duration::from_secs(59));
        assert_eq!(pauses.next(), LONGEST);
        pauses.ran(Duration::from_secs(60));
        assert_eq!(pauses.next(), FIRST);
    }
}
