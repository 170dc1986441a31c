//! Measuring a running service: probes, metric sources, verdicts and recordings.

pub mod load;
