//! Returns an environment to a release it ran before, with its configuration.
