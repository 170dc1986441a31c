//! Sequential tests over counts: is the new revision worse than the old?
