//! Text from outside, made inert for each medium: it is shown as it is, and does nothing.
//!
//! In every medium a text becomes one line without control characters and without characters that are not shown or that
//! reorder others, and is cut where it is very long. What is left of markup, mentions and links is the medium's own.

use windlass_domain::shown;

use crate::cut;

/// The most of one text that is told, in UTF-16 units.
const MOST: usize = 1_000;

/// One line, with everything spelled out that is not shown.
#[must_use]
pub fn line(text: &str) -> String {
    shown::one_line(&cut::units(text, MOST))
}

/// For Slack: `&`, `<` and `>` are what commands, mentions and links are made of there; nothing else is, where the text
/// object is `verbatim` (<https://docs.slack.dev/messaging/formatting-message-text#escaping>).
#[must_use]
pub fn slack(text: &str) -> String {
    line(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// For Markdown as Discord and Teams read it: a backslash before each ASCII punctuation mark, which both take for the mark
/// itself (CommonMark 0.31, section 2.4). That ends markup, mentions and the links that are found in plain text.
#[must_use]
pub fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for character in line(text).chars() {
        if character.is_ascii_punctuation() {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

/// For a text mail, whose readers make links of what looks like one: `://` is torn apart.
#[must_use]
pub fn mail(text: &str) -> String {
    line(text).replace("://", ": //")
}

/// For the inside of a JSON string.
#[must_use]
pub fn json(text: &str) -> String {
    let quoted = serde_json::Value::String(text.to_owned()).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\n<!channel> @everyone [x](https://evil.example) *b*\u{202e}\u{200b}&lt;";

    #[test]
    fn each_medium_shows_what_would_have_done_something() {
        let rest = "[x](https://evil.example) *b*";
        assert_eq!(
            slack(HOSTILE),
            format!("a\\n&lt;!channel&gt; @everyone {rest}\\u{{202e}}\\u{{200b}}&amp;lt;")
        );
        assert_eq!(
            markdown(HOSTILE),
            r"a\\n\<\!channel\> \@everyone \[x\]\(https\:\/\/evil\.example\) \*b\*\\u\{202e\}\\u\{200b\}\&lt\;"
        );
        assert!(mail(HOSTILE).contains("(https: //evil.example)"), "{}", mail(HOSTILE));
        assert_eq!(json("a\"\n\u{1}"), "a\\\"\\n\\u0001");
    }

    #[test]
    fn a_very_long_text_is_cut() {
        assert_eq!(line(&"x".repeat(5_000)).chars().count(), MOST);
        assert!(line(&"x".repeat(5_000)).ends_with('…'));
    }
}
