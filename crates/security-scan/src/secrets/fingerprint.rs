//! A name for a secret that a report may carry.

use sha2::{Digest as _, Sha256};
use windlass_domain::digest::Digest;

/// How many times the hash is applied. A report may be public, and a password may be short: each guess must cost
/// something. About a millisecond; there are few findings.
const ROUNDS: u32 = 4096;

/// The fingerprint of a secret: rule, path and secret, hashed slowly. Rule and path are its salt: one secret in two
/// files has two. It has no line, so that it stays when lines above change. 32 hexadecimal digits.
pub(super) fn fingerprint(rule: &str, uri: &str, secret: &[u8]) -> String {
    let salt = Sha256::digest(format!("windlass secret v1\0{rule}\0{uri}").as_bytes());
    let mut hash = Sha256::new_with_prefix(salt).chain_update(secret).finalize();
    for _ in 1..ROUNDS {
        hash = Sha256::new_with_prefix(salt).chain_update(hash).finalize();
    }
    Digest::from_bytes(hash.into()).hex()[..32].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_path_and_secret_each_change_it() {
        let one = fingerprint("a", "b", b"c");
        assert_eq!(one, fingerprint("a", "b", b"c"));
        assert_eq!(one.len(), 32);
        for other in [fingerprint("x", "b", b"c"), fingerprint("a", "x", b"c"), fingerprint("a", "b", b"x")] {
            assert_ne!(one, other);
        }
    }
}
