//! Where a target stood when a plan was made from it: part of what is hashed, so that drift makes another plan.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::step::Weights;
use crate::release::Sequence;

/// Where a target stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Standing {
    /// What is live by the ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<Sequence>,
    /// The weights in effect.
    #[serde(default)]
    pub weights: Weights,
    /// What is staged, by number.
    #[serde(default)]
    pub revisions: Vec<Staged>,
}

/// One revision that is staged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Staged {
    /// The revision.
    pub revision: Sequence,
    /// Its instances that are ready.
    pub ready: u16,
}

impl Standing {
    /// What was seen, in a form that does not depend on the order of looking.
    #[must_use]
    pub fn new(live: Option<Sequence>, weights: &Weights, revisions: &[(Sequence, u16)]) -> Self {
        let staged = revisions.iter().map(|&(revision, ready)| Staged { revision, ready });
        let mut revisions: Vec<Staged> = staged.collect();
        revisions.sort_unstable();
        let weights = Weights(
            weights
                .0
                .iter()
                .filter(|(_, weight)| **weight > 0)
                .map(|(revision, weight)| (*revision, *weight))
                .collect(),
        );
        Self { live, weights, revisions }
    }

    /// Whether there is nothing at all, as before the first release.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl std::fmt::Display for Standing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.live {
            Some(live) => write!(f, "{live} live")?,
            None => f.write_str("nothing live")?,
        }
        write!(f, "; {}", self.weights)?;
        let staged: Vec<String> =
            self.revisions.iter().map(|one| format!("{} ×{}", one.revision, one.ready)).collect();
        if staged.is_empty() {
            f.write_str("; nothing staged")
        } else {
            write!(f, "; ready {}", staged.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_has_one_form_whatever_the_order() {
        let (one, two) = (Sequence(1), Sequence(2));
        let weights = Weights([(one, 10_000), (two, 0)].into());
        let seen = Standing::new(Some(one), &weights, &[(two, 0), (one, 3)]);
        assert_eq!(seen, Standing::new(Some(one), &Weights::all(one), &[(one, 3), (two, 0)]));
        assert_eq!(seen.to_string(), "r1 live; r1 100%; ready r1 ×3, r2 ×0");
        assert!(!seen.is_empty() && Standing::new(None, &Weights::none(), &[]).is_empty());
    }

    #[test]
    fn a_standing_survives_its_own_json() {
        let seen = Standing::new(Some(Sequence(1)), &Weights::all(Sequence(1)), &[(Sequence(1), 2)]);
        let json = serde_json::to_string(&seen).unwrap();
        assert_eq!(json, r#"{"live":1,"weights":{"r1":10000},"revisions":[{"revision":1,"ready":2}]}"#);
        assert_eq!(serde_json::from_str::<Standing>(&json).unwrap(), seen);
    }
}
