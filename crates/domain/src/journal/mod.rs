//! The journal: what a target remembers of every rollout, hash-chained, replayed into state.

mod chain;
mod entry;
mod replay;

pub use self::chain::{BrokenChain, Chain, read_chain, verify_chain};
pub use self::entry::{Entry, Event, Head, Way};
pub use self::replay::{Commit, History, Hold, NotReplayable};
