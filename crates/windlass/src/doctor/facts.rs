//! What the checks look at: gathered once, so that the forge is asked once.

use jiff::{SignedDuration, Timestamp};
use windlass_ci::fail::Failure;
use windlass_ci::session::{Located, Session};
use windlass_domain::policy::Environment;
use windlass_forge::{Fault, Forge, Meeting, Patience};

/// What the checks look at.
pub(super) struct Facts<'a> {
    pub(super) session: &'a Session,
    /// The policy, or why there is none.
    pub(super) located: Result<Located, Failure>,
    /// The forge, or why none can be asked.
    pub(super) forge: Result<Box<dyn Forge>, Fault>,
    /// What it says of the repository and the token.
    pub(super) meeting: Result<Meeting, Fault>,
    /// How far our clock is before the forge's.
    pub(super) ahead: Option<SignedDuration>,
}

impl<'a> Facts<'a> {
    pub(super) async fn gather(session: &'a Session) -> Self {
        let located = session.policy();
        let folder = located.as_ref().map_or(&session.context.folder, |located| &located.folder);
        session.progress.now("asking the forge");
        let forge = windlass_moving::forge(session, folder, Patience::default());
        let before = windlass_moving::now();
        let meeting = match &forge {
            Ok(forge) => forge.meet().await,
            Err(fault) => Err(fault.clone()),
        };
        let after = windlass_moving::now();
        let clock = meeting.as_ref().ok().and_then(|meeting| meeting.clock);
        let ahead = clock.map(|clock| ahead(before, after, clock));
        Self { session, located, forge, meeting, ahead }
    }

    /// The environments of the policy, or the one that `-e` names.
    pub(super) fn environments(&self) -> Vec<&Environment> {
        let Ok(located) = &self.located else { return Vec::new() };
        let all = located.policy.environments.iter();
        match &self.session.common.environment {
            Some(name) => all.filter(|one| one.name == *name).collect(),
            None => all.collect(),
        }
    }
}

/// How far our clock is before another, which was read between two moments of ours: the least that explains it.
fn ahead(before: Timestamp, after: Timestamp, other: Timestamp) -> SignedDuration {
    // The forge's has whole seconds: it may be up to one further.
    let other_end = other.saturating_add(SignedDuration::from_secs(1)).unwrap_or(other);
    if before > other_end {
        before.duration_since(other_end)
    } else if after < other {
        after.duration_since(other)
    } else {
        SignedDuration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_judged_by_the_least_difference_that_explains_what_was_seen() {
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
        for (before, after, other, seconds) in
            [(0, 2, 1, 0), (0, 9, 5, 0), (100, 101, 40, 59), (0, 1, 61, -60), (1, 1, 0, 0)]
        {
            let ahead = ahead(at(before), at(after), at(other));
            assert_eq!(ahead.as_secs(), seconds, "{before} {after} {other}");
        }
    }
}
