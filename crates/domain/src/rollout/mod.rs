//! The rollout: a plan, the state a journal replays to, and what follows from it.

mod next;
mod plan;
mod state;
mod step;
mod strategy;

pub use self::next::{Decision, Finished, Observation, next};
pub use self::plan::{Intent, Plan, WayBack};
pub use self::state::{Doing, End, Phase, Record, Rollout};
pub use self::step::{Step, Weights};
pub use self::strategy::{Takeover, compile, compile_rollback};
