//! Whether a text can be a real secret: entropy, placeholders, examples of documentation.

/// The Shannon entropy of `text`, in bits a byte; from 0 (one byte repeated) to 8.
pub(super) fn entropy(text: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in text {
        counts[usize::from(*byte)] += 1;
    }
    let total = f64::from(u32::try_from(text.len()).unwrap_or(u32::MAX));
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| {
            let share = f64::from(*count) / total;
            -share * share.log2()
        })
        .sum()
}

/// Texts that only a made-up value contains, in lower case. Long enough that chance does not write them.
const PLACEHOLDERS: [&str; 20] = [
    "example",
    "placeholder",
    "change_me",
    "changeme",
    "change-me",
    "redacted",
    "dummy",
    "xxxx",
    "your_",
    "your-",
    "insert",
    "replace",
    "****",
    "....",
    "0000000",
    "1111111",
    "01234567",
    "12345678",
    "abcdefgh",
    "abcdef0123",
];

/// Values that documentation publishes: the token that jwt.io shows.
const PUBLISHED: [&str; 1] = ["SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"];

/// Whether a text is a placeholder or an example.
pub(super) fn is_placeholder(text: &[u8]) -> bool {
    let lower = text.to_ascii_lowercase();
    let contains = |part: &str| lower.windows(part.len()).any(|window| window == part.as_bytes());
    PLACEHOLDERS.iter().any(|part| contains(part))
        || PUBLISHED.iter().any(|part| text.windows(part.len()).any(|window| window == part.as_bytes()))
}

/// Whether a value is an expression, a name or a path rather than a password: what generic rules must leave alone.
pub(super) fn is_name_or_expression(value: &[u8]) -> bool {
    let any = |test: fn(&u8) -> bool| value.iter().any(test);
    if any(|byte| matches!(byte, b'(' | b')' | b'<' | b'>' | b'{' | b'}' | b'$' | b'[' | b']' | b'\\' | b'%'))
    {
        return true;
    }
    let has_digit = any(u8::is_ascii_digit);
    let has_letter = any(u8::is_ascii_alphabetic);
    if !has_digit || !has_letter {
        return true;
    }
    // Words with separators, such as `my-secret-v2`, `app.token.1` or `/run/secrets/key1`, and paths.
    let words =
        value.split(|byte| matches!(byte, b'-' | b'_' | b'.' | b'/' | b':' | b' ')).collect::<Vec<_>>();
    words.len() > 1 && words.iter().all(|word| is_word(word))
}

/// Letters, and after them digits at most.
fn is_word(word: &[u8]) -> bool {
    let letters = word.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    word[letters..].iter().all(u8::is_ascii_digit) && word.len() - letters <= 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_is_shannons() {
        assert!(entropy(b"aaaaaaaa").abs() < 1e-9);
        assert!((entropy(b"abab") - 1.0).abs() < 1e-9);
        assert!((entropy(b"abcdefgh") - 3.0).abs() < 1e-9);
        assert!(entropy(b"").abs() < 1e-9);
    }

    #[test]
    fn placeholders_and_names_are_no_secrets() {
        for made_up in ["AKIAIOSFODNN7EXAMPLE", "your_token_here", "xxxxxxxxxxxx", "CHANGEME1", "sk-12345678"]
        {
            assert!(is_placeholder(made_up.as_bytes()), "{made_up}");
        }
        for name in
            ["get_token()", "${TOKEN}", "{{ token }}", "my-secret-v2", "/run/secrets/db1", "hunter", "1234"]
        {
            assert!(is_name_or_expression(name.as_bytes()), "{name}");
        }
        assert!(!is_name_or_expression(b"q7Zk93mXw0LpT5"));
    }
}
