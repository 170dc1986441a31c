//! Telling people and systems of a release's way, by the media that `notify` in `windlass.yml` names.
//!
//! Owns the media, their escaping and limits, and the way there. Knows nothing of targets and CI systems, and decides
//! nothing: what is told, and what a failure means, is the caller's. Every text of an announcement may come from outside,
//! so that each medium makes it inert before it leaves; see [`inert`].

mod bounds;
mod card;
mod cut;
mod discord;
mod email;
pub mod inert;
mod post;
mod slack;
mod teams;
mod teller;
mod template;
mod webhook;

pub use self::bounds::Bounds;
pub use self::teller::{Letter, Teller, tellers};
