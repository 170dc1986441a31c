//! The steps of a rollout: what a driver, or the run itself, does next. One step is one idempotent effect.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::policy::Span;
use crate::release::Sequence;

/// The share of requests each revision gets, in hundredths of a percent; they add up to 10,000, or the map is
/// empty and nothing is served.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "BTreeMap<String, u16>", into = "BTreeMap<String, u16>")]
#[schemars(with = "BTreeMap<String, u16>")]
pub struct Weights(pub BTreeMap<Sequence, u16>);

impl TryFrom<BTreeMap<String, u16>> for Weights {
    type Error = std::num::ParseIntError;

    fn try_from(named: BTreeMap<String, u16>) -> Result<Self, Self::Error> {
        named
            .into_iter()
            .map(|(name, weight)| Ok((name.parse()?, weight)))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl From<Weights> for BTreeMap<String, u16> {
    fn from(weights: Weights) -> Self {
        weights.0.into_iter().map(|(revision, weight)| (revision.to_string(), weight)).collect()
    }
}

impl Weights {
    /// The whole, in hundredths of a percent.
    pub const WHOLE: u16 = 10_000;

    /// Nothing is served.
    #[must_use]
    pub const fn none() -> Self {
        Self(BTreeMap::new())
    }

    /// Everything goes to one revision.
    #[must_use]
    pub fn all(revision: Sequence) -> Self {
        Self(BTreeMap::from([(revision, Self::WHOLE)]))
    }

    /// `share` hundredths of a percent go to `new`, the rest to `old`.
    #[must_use]
    pub fn split(new: Sequence, share: u16, old: Option<Sequence>) -> Self {
        match old {
            Some(old) if share < Self::WHOLE => {
                Self(BTreeMap::from([(new, share), (old, Self::WHOLE - share)]))
            }
            Some(_) | None => Self::all(new),
        }
    }

    /// The weight of `revision`, 0 where it has none.
    #[must_use]
    pub fn of(&self, revision: Sequence) -> u16 {
        self.0.get(&revision).copied().unwrap_or(0)
    }
}

impl std::fmt::Display for Weights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nothing is served");
        }
        for (index, (revision, weight)) in self.0.iter().rev().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{revision} {}%", f64::from(*weight) / 100.0)?;
        }
        Ok(())
    }
}

/// One step. The run does `Verify`, `Pause` and `Hook` itself; the driver applies all others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum Step {
    /// Put the artifact and its configuration in place, check its digest, and have `instances` of it running.
    /// It gets no requests yet. A revision that is staged already is started where it lies.
    Stage {
        /// The revision.
        revision: Sequence,
        /// How many instances it shall have, never fewer than it has; 0 puts only its files in place.
        instances: u16,
        /// The hosts, where the target has several; empty means all of them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        on: Vec<String>,
    },
    /// Bring the data to the schema that the revision writes: run a command in the staged artifact's folder, once,
    /// however often the step is applied.
    Migrate {
        /// The revision.
        revision: Sequence,
        /// The program and its arguments.
        run: Vec<String>,
        /// How long it may take.
        timeout: Span,
        /// Whether what was live before still works afterwards. If not, there is no way back once it has begun.
        reversible: bool,
    },
    /// Wait until that many instances of the revision are ready.
    AwaitReady {
        /// The revision.
        revision: Sequence,
        /// How many.
        instances: u16,
        /// The hosts, where the target has several; empty means all of them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        on: Vec<String>,
    },
    /// Send requests by these weights, and only these.
    Shift {
        /// The weights.
        weights: Weights,
        /// The hosts, where the target has several; empty means all of them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        on: Vec<String>,
    },
    /// Wait until the last shift is in effect and revisions at weight 0 have nothing in flight, or their drain
    /// time is over.
    Settle,
    /// Judge a revision.
    Verify {
        /// The revision, where it is not the plan's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revision: Option<Sequence>,
        /// Its weight while it is judged.
        weight: u16,
        /// The least time that it is watched.
        bake: Span,
    },
    /// Wait, watching nothing.
    Pause {
        /// How long.
        span: Span,
    },
    /// Make the revision the one that is live, in the ledger.
    Commit {
        /// The revision.
        revision: Sequence,
    },
    /// Run a command of the author's, before or after a phase.
    Hook {
        /// Where it stands: `before shift`.
        name: String,
        /// The program and its arguments.
        run: Vec<String>,
        /// Variables beside the run's own.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        env: BTreeMap<String, String>,
        /// How long it may take.
        timeout: Span,
    },
    /// Stop the instances of every other revision and remove what retention no longer keeps.
    Retire {
        /// The revision that is live.
        live: Sequence,
        /// Revisions whose instances stay beside those of the live one.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        warm: Vec<Sequence>,
        /// The revisions whose files stay.
        keep: Vec<Sequence>,
    },
    /// Stop the instances of one revision that is not to be live, and keep its files and logs.
    Withdraw {
        /// The revision.
        revision: Sequence,
    },
}

impl Step {
    /// The time that it brings with it, in place of the step clock.
    #[must_use]
    pub const fn own_time(&self) -> Option<Span> {
        match self {
            Self::Migrate { timeout, .. } | Self::Hook { timeout, .. } => Some(*timeout),
            _ => None,
        }
    }

    /// Whether it changes the data so that what was live before cannot come back.
    #[must_use]
    pub const fn is_for_good(&self) -> bool {
        matches!(self, Self::Migrate { reversible: false, .. })
    }

    /// The step's word, as it stands in documents and in `windlass explain`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Stage { .. } => "stage",
            Self::Migrate { .. } => "migrate",
            Self::Hook { .. } => "hook",
            Self::AwaitReady { .. } => "await-ready",
            Self::Shift { .. } => "shift",
            Self::Settle => "settle",
            Self::Verify { .. } => "verify",
            Self::Pause { .. } => "pause",
            Self::Commit { .. } => "commit",
            Self::Retire { .. } => "retire",
            Self::Withdraw { .. } => "withdraw",
        }
    }
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())?;
        match self {
            Self::Stage { revision, instances: 0, on } => write!(f, " the files of {revision}{}", at(on)),
            Self::Stage { revision, instances, on } | Self::AwaitReady { revision, instances, on } => {
                write!(f, " {revision} ×{instances}{}", at(on))
            }
            Self::Migrate { revision, reversible: true, .. } => write!(f, " to the schema of {revision}"),
            Self::Migrate { revision, reversible: false, .. } => {
                write!(f, " to the schema of {revision}, for good")
            }
            Self::Shift { weights, on } => write!(f, " {weights}{}", at(on)),
            Self::Verify { revision, weight, bake } => {
                if let Some(revision) = revision {
                    write!(f, " {revision}")?;
                }
                write!(f, " at {}% for {bake}", f64::from(*weight) / 100.0)
            }
            Self::Hook { name, .. } => write!(f, " {name}"),
            Self::Pause { span } => write!(f, " {span}"),
            Self::Commit { revision } | Self::Withdraw { revision } => write!(f, " {revision}"),
            Self::Retire { live, warm, .. } => {
                write!(f, " all but {live}")?;
                warm.iter().try_for_each(|revision| write!(f, ", {revision}"))
            }
            Self::Settle => Ok(()),
        }
    }
}

/// ` on a, b`, or nothing for all hosts.
fn at(on: &[String]) -> String {
    if on.is_empty() { String::new() } else { format!(" on {}", on.join(", ")) }
}

impl Step {
    /// Sends requests by these weights, on every host.
    #[must_use]
    pub const fn shift(weights: Weights) -> Self {
        Self::Shift { weights, on: Vec::new() }
    }

    /// Stages a revision on every host, and has so many instances of it running on each.
    #[must_use]
    pub const fn stage(revision: Sequence, instances: u16) -> Self {
        Self::Stage { revision, instances, on: Vec::new() }
    }

    /// Waits until so many instances of a revision are ready on every host.
    #[must_use]
    pub const fn await_ready(revision: Sequence, instances: u16) -> Self {
        Self::AwaitReady { revision, instances, on: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shift_survives_its_own_json() {
        let shift = Step::shift(Weights::split(Sequence(2), 500, Some(Sequence(1))));
        let json = serde_json::to_string(&shift).unwrap();
        assert_eq!(json, r#"{"step":"shift","weights":{"r1":9500,"r2":500}}"#);
        assert_eq!(serde_json::from_str::<Step>(&json).unwrap(), shift);
    }
}
