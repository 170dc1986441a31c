//! Supervision: the processes of each revision, from their start to their end.

mod fleet;
mod kept;
mod launch;
mod mind;
mod ready;
mod rotate;
mod tail;

pub(crate) use self::fleet::{Fleet, Readiness};
pub(crate) use self::launch::visible;
pub(crate) use self::rotate::rotate;
