//! How a target's refusals and faults end a tool: under the tool's own topics, with one wording for all.

use windlass_ci::fail::Failure;
use windlass_domain::explain::Topic;
use windlass_domain::outcome::Outcome;
use windlass_target::driver::DriverError;
use windlass_target::host::Corrupted;

/// The topics of a tool under which it tells that a target did not do what was asked.
#[derive(Clone, Copy, Debug)]
pub struct Failures {
    /// There is no driver for the target.
    pub driver: &'static Topic,
    /// The target cannot be reached, or could not judge.
    pub target: &'static Topic,
    /// Another run holds the fence, or wrote the journal.
    pub fence: &'static Topic,
    /// A step was judged no.
    pub judged: &'static Topic,
}

impl Failures {
    /// The failure of a tool that met this error.
    #[must_use]
    pub fn of(&self, error: DriverError) -> Failure {
        match error {
            DriverError::Fence(refusal) => {
                Failure::refused(self.fence, format!("another run holds the environment: {refusal}"))
            }
            DriverError::Head(head) => Failure::refused(
                self.fence,
                format!("another run has written the ledger: its head is entry {}", head.number),
            ),
            DriverError::Judged { why, log } => {
                let mut failure = Failure::new(Outcome::Failed, self.judged, why);
                failure.hints = log.into_iter().map(|line| format!("its log: {line}")).collect();
                failure
            }
            DriverError::Unreachable { attempt, source } => {
                let mut failure = Failure::unknown(self.target, attempt);
                failure.hints = match source.downcast_ref::<Corrupted>() {
                    Some(corrupted) => corrupted.remedies(),
                    None => vec!["what is open stays open: the next run goes on from the ledger".to_owned()],
                };
                failure.source = Some(source);
                failure
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use windlass_domain::fence::{Epoch, Refusal};
    use windlass_domain::journal::Head;

    use super::*;

    static TOPIC: Topic = Topic { key: "test.topic", means: "", next: "" };
    const FAILURES: Failures = Failures { driver: &TOPIC, target: &TOPIC, fence: &TOPIC, judged: &TOPIC };

    #[test]
    fn each_refusal_ends_with_its_own_code() {
        let stale = Refusal::Stale { carried: Epoch(1), current: Epoch(2) };
        let unreachable = DriverError::Unreachable { attempt: "cannot ask".into(), source: "gone".into() };
        let cases = [
            (DriverError::Fence(stale), Outcome::Refused, "epoch 1 is stale"),
            (DriverError::Head(Head::EMPTY), Outcome::Refused, "entry 0"),
            (DriverError::Judged { why: "not ready".into(), log: vec![] }, Outcome::Failed, "not ready"),
            (unreachable, Outcome::Unknown, "cannot ask: gone"),
        ];
        for (error, outcome, says) in cases {
            let failure = FAILURES.of(error);
            assert_eq!(failure.outcome, outcome);
            assert!(failure.chain().contains(says), "{}", failure.chain());
        }
    }

    #[test]
    fn a_release_that_was_judged_shows_its_log() {
        let judged = DriverError::Judged { why: "not ready".into(), log: vec!["port taken".into()] };
        assert!(FAILURES.of(judged).text("deploy").contains("port taken"));
    }
}
