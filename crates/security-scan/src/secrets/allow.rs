//! `windlass:allow REASON`: a comment that accepts the secret on its line.

/// The comment's word.
const WORD: &[u8] = b"windlass:allow";

/// What a line says of the secret on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Allowed {
    /// Nothing, or something about other rules.
    No,
    /// It accepts it, with a reason.
    WithReason,
    /// It would accept it, but gives no reason: that does not count.
    WithoutReason,
}

/// Whether the line accepts a secret of this rule: `windlass:allow REASON`, or `windlass:allow(secret.jwt) REASON`
/// for some rules only, separated by commas. A reason has at least eight letters or digits:
/// the end of a comment is none.
pub(super) fn allowed(line: &[u8], rule: &str) -> Allowed {
    let Some(at) = line.windows(WORD.len()).position(|window| window == WORD) else { return Allowed::No };
    let mut rest = &line[at + WORD.len()..];
    if let Some(list) = rest.strip_prefix(b"(") {
        let Some(end) = list.iter().position(|byte| *byte == b')') else { return Allowed::No };
        let named = list[..end].split(|byte| *byte == b',').any(|name| name.trim_ascii() == rule.as_bytes());
        if !named {
            return Allowed::No;
        }
        rest = &list[end + 1..];
    }
    let letters = rest.iter().filter(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii()).count();
    if letters >= 8 { Allowed::WithReason } else { Allowed::WithoutReason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_needed_and_rules_can_be_named() {
        let table = [
            ("token = x", Allowed::No),
            ("token = x # windlass:allow made up for the test", Allowed::WithReason),
            ("token = x # windlass:allow", Allowed::WithoutReason),
            ("token = x /* windlass:allow */", Allowed::WithoutReason),
            ("token = x <!-- windlass:allow -->", Allowed::WithoutReason),
            ("token = x # windlass:allow(secret.jwt) expired long ago", Allowed::WithReason),
            ("token = x # windlass:allow(secret.a, secret.jwt) expired long ago", Allowed::WithReason),
            ("token = x # windlass:allow(secret.other) expired long ago", Allowed::No),
            ("token = x # windlass:allow(secret.jwt", Allowed::No),
        ];
        for (line, expected) in table {
            assert_eq!(allowed(line.as_bytes(), "secret.jwt"), expected, "{line}");
        }
    }
}
