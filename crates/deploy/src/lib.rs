//! Takes a release the whole way: fence, stage, ready, shift, verify, commit.
