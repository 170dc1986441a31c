//! Decides whether a release may enter an environment, from reports and evidence.
