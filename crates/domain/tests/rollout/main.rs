//! The rollout as a whole: random histories of random plans, the rules that every list of steps keeps, and the page that
//! describes both.

mod any;
mod clocks;
mod page;
mod rules;
