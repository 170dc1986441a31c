//! The umbrella: every tool from one binary, and init, check, demo, status, explain.
