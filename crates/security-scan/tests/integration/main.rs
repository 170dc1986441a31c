//! The spawned binary, from its command line to everything it writes.

#![expect(clippy::unwrap_used, reason = "a test whose bench cannot be set up must stop there")]

mod bench;
mod dependencies;
mod outputs;
mod sbom;
mod secrets;
