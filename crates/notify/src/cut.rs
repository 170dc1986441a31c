//! Texts that are longer than a medium takes, cut so that what is left is still whole.

/// At most `most` UTF-16 units, which is the strictest way of counting that a medium has; an ellipsis ends what is cut.
pub(crate) fn units(text: &str, most: usize) -> String {
    if text.encode_utf16().count() <= most {
        return text.to_owned();
    }
    let mut left = most.saturating_sub(1);
    let mut out: String = text
        .chars()
        .take_while(|character| {
            let fits = left.checked_sub(character.len_utf16());
            left = fits.unwrap_or(0);
            fits.is_some()
        })
        .collect();
    tidy(&mut out);
    out.push('…');
    out
}

/// At most `most` bytes of JSON, quotes and escapes included.
pub(crate) fn json_bytes(text: &str, most: usize) -> String {
    let mut out = text.to_owned();
    loop {
        let bytes = serde_json::Value::String(out.clone()).to_string().len();
        if bytes <= most {
            return out;
        }
        let count = out.encode_utf16().count();
        // Never the same again: a text of one unit becomes an ellipsis, and that fits.
        out = units(&out, (count * most / bytes).min(count.saturating_sub(1)).max(1));
        if count <= 1 {
            return String::new();
        }
    }
}

/// Takes the half of an escape away that a cut left at the end: `&am`, or a backslash alone.
fn tidy(text: &mut String) {
    if let Some(at) = text.rfind('&')
        && text.len() - at <= 5
        && text[at + 1..].bytes().all(|byte| byte.is_ascii_alphabetic())
    {
        text.truncate(at);
    }
    let backslashes = text.bytes().rev().take_while(|byte| *byte == b'\\').count();
    if backslashes % 2 == 1 {
        text.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_stays_and_what_does_not_ends_with_an_ellipsis() {
        assert_eq!(units("abc", 3), "abc");
        assert_eq!(units("abcd", 3), "ab…");
        assert_eq!(units("😀😀", 3), "😀…");
        assert_eq!(units("😀😀", 2), "…");
    }

    #[test]
    fn no_half_of_an_escape_is_left() {
        assert_eq!(units("ab&amp;cd", 6), "ab…");
        assert_eq!(units("ab\\*cd", 4), "ab…");
        assert_eq!(units("ab\\\\cd", 5), "ab\\\\…");
    }

    #[test]
    fn json_is_measured_as_it_is_sent() {
        for text in
            ["x".repeat(100), "\"".repeat(100), "😀".repeat(100), "\u{1}".repeat(100), "é".repeat(100)]
        {
            let cut = json_bytes(&text, 50);
            let bytes = serde_json::Value::String(cut.clone()).to_string().len();
            assert!(bytes <= 50 && !cut.is_empty(), "{bytes} {cut}");
        }
        assert_eq!(json_bytes("abc", 5), "abc");
        assert_eq!(json_bytes("abc", 2), "");
    }
}
