//! Judges a running service: probes, hard gates and sequential tests.
