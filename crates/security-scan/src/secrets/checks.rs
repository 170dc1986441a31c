//! The last looks of single rules: checksums, keys behind a passphrase, words that are no password.

use super::plausible::{entropy, is_name_or_expression};
use super::rule::Seen;
use crate::severity::Severity;

/// Tokens of GitHub and npm end in six base-62 digits: the CRC-32 of the thirty before. A wrong one was mistyped or
/// made up; it is still shown, as low, since a format may change.
/// Source: <https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/>.
pub(super) fn checksum(seen: &Seen<'_>) -> Option<Severity> {
    let body = seen.secret.splitn(2, |byte| *byte == b'_').nth(1)?;
    // Only the classic length has a documented checksum.
    if body.len() != 36 {
        return Some(seen.severity);
    }
    let (token, written) = body.split_at(30);
    Some(if base62(crc32(token)) == written { seen.severity } else { Severity::Low })
}

/// Six base-62 digits: 0-9, A-Z, a-z.
pub(super) fn base62(mut number: u32) -> [u8; 6] {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut text = [b'0'; 6];
    for digit in text.iter_mut().rev() {
        *digit = DIGITS[(number % 62) as usize];
        number /= 62;
    }
    text
}

/// CRC-32 as in ISO 3309: reflected, polynomial `0xEDB88320`.
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xEDB8_8320 & 0_u32.wrapping_sub(crc & 1));
        }
    }
    !crc
}

/// The least length of one unbroken run of base64 in a private key: PEM's lines have 64, PGP's 64, others 76.
const KEY_RUN: usize = 40;

/// A private key's body must look like one; behind a passphrase it is worth less to a thief.
pub(super) fn private_key(seen: &Seen<'_>) -> Option<Severity> {
    let end = seen.secret.windows(5).position(|window| window == b"-----").unwrap_or(seen.secret.len());
    let body = &seen.secret[..end];
    let run = longest_run(body);
    if run.len() < KEY_RUN || entropy(run) < 4.0 {
        return None;
    }
    let contains = |text: &[u8], part: &[u8]| text.windows(part.len()).any(|window| window == part);
    let encrypted = contains(seen.whole, b"BEGIN ENCRYPTED")
        || contains(body, b"ENCRYPTED")
        // OpenSSH names its cipher in the first bytes, here in base64; "none" is a key without a passphrase.
        || (contains(seen.whole, b"BEGIN OPENSSH") && !contains(body, b"b3BlbnNzaC1rZXktdjEAAAAABG5vbmU"));
    Some(if encrypted { Severity::Medium } else { seen.severity })
}

fn longest_run(text: &[u8]) -> &[u8] {
    text.split(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')))
        .max_by_key(|run| run.len())
        .unwrap_or_default()
}

/// Passwords that every development database has.
const DEFAULTS: [&str; 12] = [
    "pass", "password", "postgres", "mysql", "root", "user", "admin", "secret", "test", "guest", "redis",
    "mongo",
];

/// The password of a connection URL: not a name, a variable or a default; on this very machine it is worth little.
pub(super) fn database_url(seen: &Seen<'_>) -> Option<Severity> {
    let password = seen.secret.to_ascii_lowercase();
    let variable =
        seen.secret.iter().any(|byte| matches!(byte, b'$' | b'{' | b'}' | b'<' | b'>' | b'%' | b'[' | b'*'));
    let percent_encoded = seen
        .secret
        .windows(3)
        .any(|part| part[0] == b'%' && part[1].is_ascii_hexdigit() && part[2].is_ascii_hexdigit());
    if (variable && !percent_encoded) || DEFAULTS.iter().any(|word| password == word.as_bytes()) {
        return None;
    }
    let host = seen.whole.rsplit(|byte| *byte == b'@').next().unwrap_or_default();
    let local =
        [&b"localhost"[..], b"127.0.0.1", b"[::1]", b"0.0.0.0"].iter().any(|name| host.starts_with(name));
    Some(if local { Severity::Low } else { seen.severity })
}

/// A value that was assigned to something called a password must not be a name or an expression.
pub(super) fn generic(seen: &Seen<'_>) -> Option<Severity> {
    (!is_name_or_expression(seen.secret)).then_some(seen.severity)
}

/// A token of letters and digits that has both.
pub(super) fn mixed(seen: &Seen<'_>) -> Option<Severity> {
    let any = |test: fn(&u8) -> bool| seen.secret.iter().skip(3).any(test);
    (any(u8::is_ascii_digit) && any(u8::is_ascii_alphabetic)).then_some(seen.severity)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc_is_the_standard_one() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn base62_is_padded_and_has_upper_case_first() {
        assert_eq!(&base62(0), b"000000");
        assert_eq!(&base62(61), b"00000z");
        assert_eq!(&base62(62 * 10 + 35), b"0000AZ");
    }
}
