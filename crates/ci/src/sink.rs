//! The one sink: text from outside is escaped here before it reaches a terminal, a log, a summary or a command.

/// Text for a terminal or a log, on one line: control characters, line breaks included, are shown as escapes, and
/// `::` at the start of a line cannot be a workflow command.
#[must_use]
pub fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push(' '),
            character if is_hostile(character) => out.extend(character.escape_unicode()),
            character => out.push(character),
        }
    }
    if out.trim_start().starts_with("::") || out.trim_start().starts_with("##[") {
        out.insert(0, '\u{200b}');
    }
    out
}

/// Text for one cell or sentence of Markdown: no markup, no HTML, no line break, no mention.
#[must_use]
pub fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in line(text).chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '@' => out.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '#' | '|' | '!' | '~' => {
                out.push('\\');
                out.push(character);
            }
            character => out.push(character),
        }
    }
    out
}

/// Whether a character could move the cursor, reorder text or end a line somewhere.
fn is_hostile(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}
