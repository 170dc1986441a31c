//! The rollout: a plan, the state a journal replays to, and what follows from it.

mod plan;
mod step;

pub use self::plan::{Intent, Plan, WayBack};
pub use self::step::{Step, Weights};
