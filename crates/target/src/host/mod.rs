//! The host driver: a plain machine, by its agent `windlassd`.

pub mod control;
