//! `windlass demo`: a release's life on one machine, told as a story from what was observed.

pub mod service;
