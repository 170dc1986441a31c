//! Scans dependencies and secrets, and says so when it could not.
