//! Supervision: the processes of each revision, from their start to their end.

mod adopt;
mod fleet;
mod groups;
mod instance;
mod kept;
mod launch;
mod mind;
mod pauses;
mod progress;
mod ready;
mod reins;
mod revision;
mod rotate;
mod running;
mod tail;
mod traffic;
mod usage;
mod words;

pub(crate) use self::adopt::Adopted;
pub(crate) use self::fleet::Fleet;
pub(crate) use self::launch::{Surroundings, visible};
pub(crate) use self::progress::Readiness;
pub(crate) use self::reins::Hold;
pub(crate) use self::rotate::rotate;
pub(crate) use self::tail::lines;
pub(crate) use self::usage::{memory, open_files};
#[cfg(any(test, fuzzing))]
pub(crate) use self::words::Words;
