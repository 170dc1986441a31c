//! Probes as a hard gate: so many failed tries in a row, or among about twice as many, fail the service.

use std::collections::VecDeque;

use windlass_domain::outcome::Reason;
use windlass_domain::policy::Probe;

use crate::probe::{Answer, describe};

/// What became of one probe's tries.
#[derive(Clone, Debug)]
pub(super) struct ProbeRecord {
    name: String,
    /// How many failed tries are too many.
    limit: usize,
    /// Whether each of the last `2·limit − 1` tries was good.
    window: VecDeque<bool>,
    tries: u64,
    good: u64,
    last: Option<Answer>,
    asked: bool,
}

impl ProbeRecord {
    pub(super) fn new(probe: &Probe) -> Self {
        Self {
            name: format!("probe {}", describe(probe)),
            limit: usize::try_from(probe.failures.max(1)).unwrap_or(usize::MAX),
            window: VecDeque::new(),
            tries: 0,
            good: 0,
            last: None,
            asked: false,
        }
    }

    /// Takes one try. A service that flaps (`limit` failures among the last `2·limit − 1` tries) fails like one that
    /// is down: failures in a row are only the steadiest way of it.
    pub(super) fn observe(&mut self, answer: &Answer) -> Option<Reason> {
        self.tries += 1;
        self.good += u64::from(*answer == Answer::Good);
        self.asked |= !matches!(answer, Answer::NotAsked(_));
        self.last = Some(answer.clone());
        self.window.push_back(*answer == Answer::Good);
        if self.window.len() > self.limit.saturating_mul(2) - 1 {
            self.window.pop_front();
        }
        let failed = self.window.iter().filter(|good| !**good).count();
        if failed < self.limit || !self.asked {
            return None;
        }
        let in_a_row = self.window.iter().rev().take_while(|good| !**good).count();
        let how = if in_a_row >= self.limit {
            format!("{in_a_row} failed tries in a row")
        } else {
            format!("{failed} of the last {} tries failed", self.window.len())
        };
        Some(
            Reason::new(&self.name)
                .observed(format!("{how}: {}", self.last_failure()))
                .required(format!("fewer than {} failed tries", self.limit))
                .why("the service does not answer as the policy demands")
                .next("look at the last lines of the service's log"),
        )
    }

    /// At least one success, and the last try succeeded.
    pub(super) fn passes(&self) -> bool {
        self.last == Some(Answer::Good)
    }

    /// Tries could never be made: no host of that name, no such command.
    pub(super) fn never_asked(&self) -> Option<&str> {
        match &self.last {
            Some(Answer::NotAsked(why)) if !self.asked => Some(why),
            Some(Answer::NotAsked(_) | Answer::Good | Answer::Bad(_)) | None => None,
        }
    }

    /// At the deadline: a probe that was answered wrongly every time fails the service.
    pub(super) fn never_good(&self) -> Option<Reason> {
        (self.asked && self.good == 0).then(|| {
            Reason::new(&self.name)
                .observed(format!("none of {} tries succeeded: {}", self.tries, self.last_failure()))
                .required("at least one success, and the last one")
                .why("the service never answered as the policy demands")
                .next("look at the last lines of the service's log")
        })
    }

    /// What is missing for passing, in words.
    pub(super) fn lacking(&self) -> Option<Reason> {
        (!self.passes()).then(|| {
            let observed = match &self.last {
                None => "no try has ended".to_owned(),
                Some(_) => format!(
                    "{} of {} tries succeeded, the last did not: {}",
                    self.good,
                    self.tries,
                    self.last_failure()
                ),
            };
            Reason::new(&self.name).observed(observed).required("at least one success, and the last one")
        })
    }

    /// What was seen, in words.
    pub(super) fn summary(&self) -> String {
        format!("{}: {} of {} tries succeeded", self.name, self.good, self.tries)
    }

    fn last_failure(&self) -> &str {
        match &self.last {
            Some(Answer::Bad(why) | Answer::NotAsked(why)) => why,
            Some(Answer::Good) => "the last one succeeded",
            None => "no try has ended",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_domain::policy::{Expect, ProbeKind, Span};

    fn record(failures: u32) -> ProbeRecord {
        ProbeRecord::new(&Probe {
            kind: ProbeKind::Http("/healthz".into()),
            expect: Expect::default(),
            timeout: Span::seconds(1),
            every: Span::seconds(1),
            failures,
        })
    }

    /// The number of the try at which the gate fell: `.` good, `x` bad, `?` not asked.
    fn falls(failures: u32, tries: &str) -> Option<usize> {
        let mut record = record(failures);
        tries.chars().position(|one| {
            let answer = match one {
                '.' => Answer::Good,
                'x' => Answer::Bad("status 500".into()),
                _ => Answer::NotAsked("no such host".into()),
            };
            record.observe(&answer).is_some()
        })
    }

    #[test]
    fn failures_in_a_row_and_flapping_fall_and_single_misses_do_not() {
        assert_eq!(falls(3, "xxx"), Some(2));
        assert_eq!(falls(3, "..xx.....xx...."), None);
        assert_eq!(falls(3, "x.x.x"), Some(4));
        assert_eq!(falls(3, "xx.x"), Some(3));
        assert_eq!(falls(1, ".x"), Some(1));
        assert_eq!(falls(3, "x..x..x..x.."), None);
        assert_eq!(falls(3, "?????????"), None);
        assert_eq!(falls(3, ".??x"), Some(3));
    }

    #[test]
    fn passing_needs_a_success_and_the_last_one() {
        let mut one = record(3);
        assert!(!one.passes() && one.never_good().is_none());
        one.observe(&Answer::Bad("status 500".into()));
        assert!(!one.passes() && one.never_good().is_some());
        one.observe(&Answer::Good);
        assert!(one.passes() && one.lacking().is_none());
        one.observe(&Answer::Bad("status 500".into()));
        assert!(!one.passes() && one.lacking().is_some() && one.never_good().is_none());
    }
}
