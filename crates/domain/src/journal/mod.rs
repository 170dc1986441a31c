//! The journal: what a target remembers of every rollout, hash-chained, replayed into state.

mod entry;

pub use self::entry::{Entry, Event, Head, Way};
