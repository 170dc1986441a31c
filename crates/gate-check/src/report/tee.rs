//! A reader that digests what it reads, so that the digest is of the very bytes that were judged.

use std::io::{self, Read};

use sha2::{Digest as _, Sha256};
use windlass_domain::digest::Digest;

pub(super) struct Tee<R> {
    inner: R,
    hash: Sha256,
}

impl<R> Tee<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, hash: Sha256::new() }
    }

    /// The digest of all that was read.
    pub(super) fn digest(self) -> Digest {
        Digest::from_bytes(self.hash.finalize().into())
    }
}

impl<R: Read> Read for Tee<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hash.update(&buffer[..count]);
        Ok(count)
    }
}
