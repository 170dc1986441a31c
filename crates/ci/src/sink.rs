//! The one sink: text from outside is escaped here before it reaches a terminal, a log, a summary or a command.
//!
//! A runner reads commands out of a job's log. GitHub's takes `::name::` at the start of a line, white space before
//! it allowed, and the older `##[name]` anywhere in a line; it compares by the rules of a culture, so that
//! characters which are not shown do not count (`src/Runner.Common/ActionCommand.cs` of actions/runner). Azure's
//! takes `##vso[`, TeamCity's `##teamcity[`. So what is not shown is spelled out, and these two openings are
//! broken by a space that everybody sees.

use windlass_domain::shown;

/// Text for a terminal or a log, on one line: control characters, line breaks included, and characters that are not
/// shown are spelled out, and no part of it is a command of a CI system.
#[must_use]
pub fn line(text: &str) -> String {
    without_commands(shown::one_line(text))
}

/// Text for one cell or sentence of Markdown: no markup, no HTML, no line break, no mention, no reference.
#[must_use]
pub fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in line(text).chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            // Forges look for mentions and references in the finished page: an entity alone would not stop them.
            '@' => out.push_str("@&#8203;"),
            '#' => out.push_str("&#35;&#8203;"),
            // A backslash before it does not keep every renderer from ending the cell.
            '|' => out.push_str("&#124;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '!' | '~' | '$' => {
                out.push('\\');
                out.push(character);
            }
            '-' | '+' | '=' if out.trim_start().is_empty() => {
                out.push('\\');
                out.push(character);
            }
            character => out.push(character),
        }
    }
    out
}

/// A sentence for Markdown, or a cell: what stands between backticks is shown as it is written, to be copied; the rest goes
/// through [`markdown`].
#[must_use]
pub fn prose(text: &str) -> String {
    // Two backticks beside each other would open or close another kind of span.
    if text.contains("``") {
        return markdown(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, span, after)) = first_span(rest) {
        out.push_str(&markdown(before));
        // A bar ends a cell even there.
        if span.trim().is_empty() || span.contains('|') {
            out.push_str(&markdown(&format!("`{span}`")));
        } else {
            out.push('`');
            out.push_str(&line(span));
            out.push('`');
        }
        rest = after;
    }
    out.push_str(&markdown(rest));
    out
}

/// What stands before the first pair of backticks, between them, and after.
fn first_span(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('`')?;
    let (span, after) = rest.split_once('`')?;
    Some((before, span, after))
}

/// Text for an attribute or the content of XML 1.0: one line, no markup, and no character that XML cannot hold.
#[must_use]
pub fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in line(text).chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Of what XML 1.0 cannot hold, these alone are left by `line`.
            '\u{fffe}' | '\u{ffff}' => out.extend(character.escape_unicode()),
            character => out.push(character),
        }
    }
    out
}

/// Breaks `##word[` anywhere, and the first `::` where nothing but white space or signs stands before it.
fn without_commands(text: String) -> String {
    let mut text = text;
    let mut from = 0;
    while let Some(found) = text[from..].find("##") {
        let at = from + found;
        let word =
            text[at + 2..].trim_start_matches(|letter: char| letter == '#' || letter.is_alphanumeric());
        if word.starts_with('[') {
            text.insert(at + 1, ' ');
        }
        from = at + 1;
    }
    if let Some(at) = text.find("::")
        && !text[..at].contains(|letter: char| letter.is_ascii_graphic() && letter != ':')
    {
        text.insert(at + 1, ' ');
        return without_commands_at_start(text, at + 3);
    }
    text
}

/// The same again where one `::` followed the other: `:: ::`, `:::`.
fn without_commands_at_start(mut text: String, from: usize) -> String {
    let mut at = from;
    while text[at..].starts_with(':') {
        text.insert(at, ' ');
        at += 2;
    }
    text
}
