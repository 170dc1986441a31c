//! One entry of the journal: what was intended, done or decided on a target, chained to the one before.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::fence::Epoch;
use crate::release::Sequence;
use crate::rollout::Plan;

/// One line of the ledger. `hash` is the sha256 of the entry's JSON without `hash`, which contains `prev`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// Its number, from 1, without a gap.
    pub number: u64,
    /// When it was written, by the target's clock. Order never depends on it.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// The epoch that it was written under.
    pub epoch: Epoch,
    /// Who wrote it, for people.
    pub by: String,
    /// What it says.
    pub event: Event,
    /// The hash of the entry before; all zeros for the first.
    pub prev: Digest,
    /// The hash of this entry.
    pub hash: Digest,
}

/// A place in the journal: the number and hash of its last entry. An append names the head that it follows, and is
/// refused when that is no longer the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Head {
    /// The number of the last entry; 0 for an empty journal.
    pub number: u64,
    /// Its hash; all zeros for an empty journal.
    pub hash: Digest,
}

impl Head {
    /// The head of an empty journal.
    pub const EMPTY: Self = Self { number: 0, hash: Digest::from_bytes([0; 32]) };
}

/// Which list a step belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// The plan's steps.
    Forward,
    /// The plan's undo.
    Back,
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A rollout begins. Everything that any later run needs to finish or revert it is in the plan.
    Opened {
        /// The plan.
        plan: Box<Plan>,
    },
    /// Another run, under a new epoch, goes on with the open rollout.
    Resumed,
    /// A step is about to take effect.
    Started {
        /// Which list.
        way: Way,
        /// Its index there.
        index: usize,
    },
    /// The step took effect.
    Done {
        /// Which list.
        way: Way,
        /// Its index there.
        index: usize,
        /// What it says of itself, for people.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        note: String,
    },
    /// The step was judged no: it cannot take effect, or the release did not hold.
    Failed {
        /// Which list.
        way: Way,
        /// Its index there.
        index: usize,
        /// Why.
        why: String,
    },
    /// The rollout turns back.
    Reverting {
        /// Why.
        why: String,
    },
    /// The release is live. Written by the commit step itself.
    Committed {
        /// The revision.
        revision: Sequence,
    },
    /// The rollout is over and the release is live.
    Closed,
    /// The rollout is over and the environment is as it was before.
    Reverted {
        /// Why.
        why: String,
    },
    /// The environment could not be put back; a human is needed.
    Stuck {
        /// Why.
        why: String,
    },
    /// The environment is on hold: nothing may be deployed.
    Hold {
        /// Why.
        reason: String,
        /// When it ends by itself.
        #[schemars(with = "Option<String>")]
        until: Option<Timestamp>,
    },
    /// The hold is over.
    Unhold {
        /// Why.
        reason: Option<String>,
    },
}
