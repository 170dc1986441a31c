//! The spawned binary, from its command line to everything it writes.

mod bench;
mod dependencies;
mod outputs;
mod secrets;
