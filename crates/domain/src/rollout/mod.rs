//! The rollout: a plan, the state a journal replays to, and what follows from it.

mod body;
mod change;
mod next;
mod plan;
mod preset;
mod standing;
mod state;
mod step;
mod strategy;

pub use self::change::Change;
pub use self::next::{Decision, Finished, Observation, next};
pub use self::plan::{Intent, Longest, Plan, Walk, WayBack};
pub use self::preset::{spelled_out, step_yaml, yaml};
pub use self::standing::{Staged, Standing};
pub use self::state::{Doing, End, Phase, Record, Rollout};
pub use self::step::{Step, Weights};
pub use self::strategy::{Takeover, compile, compile_rollback};
