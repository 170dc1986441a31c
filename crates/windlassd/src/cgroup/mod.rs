//! Control groups (version 2): each instance in one of its own, where this agent may make them. There its memory and
//! processor time can be limited, and everything it started ends with it, whatever process group that moved to.

mod enter;
mod group;
mod tree;

pub(crate) use self::enter::{ENTER, enter};
pub(crate) use self::group::{Group, Limits};
pub(crate) use self::tree::Tree;
