//! Whatever text comes from outside, it stays text.

use proptest::prelude::*;
use windlass_ci::sink::{line, markdown, prose, xml};

/// Characters that make trouble, more often than chance would have them.
fn hostile() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        Just("::".to_owned()),
        Just("##[".to_owned()),
        Just("##vso[".to_owned()),
        Just("#".to_owned()),
        Just("[".to_owned()),
        Just(":".to_owned()),
        Just("\n".to_owned()),
        Just("\r\u{1b}[0K".to_owned()),
        Just("|".to_owned()),
        Just("`".to_owned()),
        Just("\\".to_owned()),
        Just("\u{200b}".to_owned()),
        Just("\u{ad}".to_owned()),
        Just("\u{3000}".to_owned()),
        Just(" ".to_owned()),
        Just("error".to_owned()),
        Just("<b>".to_owned()),
        Just("&lt;".to_owned()),
        Just("]]>".to_owned()),
        Just("'\"".to_owned()),
        Just("\u{0}\u{b}\u{fffe}\u{ffff}".to_owned()),
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat())
}

/// What GitHub's runner makes of a line: `::` after white space, `##[` anywhere; characters that are not shown do
/// not count in its comparison.
fn is_command(text: &str) -> bool {
    let seen: String =
        text.chars().filter(|letter| !matches!(letter, '\u{ad}' | '\u{200b}'..='\u{200f}')).collect();
    seen.trim_start().starts_with("::") || seen.contains("##[") || seen.contains("##vso[")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn line_is_one_line_without_control_characters_and_no_command(text in hostile()) {
        let line = line(&text);
        prop_assert!(!line.contains(char::is_control), "{line:?}");
        for prefix in ["", "  ", "  hint: ", "gate-check: failed: ", "- ", "\t"] {
            prop_assert!(!is_command(&format!("{prefix}{line}")), "{prefix}{line:?}");
        }
    }

    #[test]
    fn xml_is_one_line_of_text_that_xml_can_hold_and_no_markup(text in hostile()) {
        let escaped = xml(&text);
        prop_assert!(!escaped.contains(['<', '>', '"', '\'', '\u{fffe}', '\u{ffff}']), "{escaped:?}");
        prop_assert!(!escaped.contains(char::is_control), "{escaped:?}");
        for after in escaped.split('&').skip(1) {
            let known = ["lt;", "gt;", "amp;", "quot;", "#39;"].iter().any(|entity| after.starts_with(entity));
            prop_assert!(known, "{escaped:?}");
        }
        prop_assert!(!is_command(&format!("  {escaped}")), "{escaped:?}");
    }

    #[test]
    fn markdown_is_one_cell(text in hostile()) {
        let cell = markdown(&text);
        prop_assert!(!cell.contains(['\n', '\r', '|', '<', '>']), "{cell:?}");
        prop_assert!(!is_command(&cell), "{cell:?}");
        let mut letters = cell.chars();
        while let Some(letter) = letters.next() {
            if letter == '\\' {
                prop_assert!(letters.next().is_some(), "a backslash at the end takes the cell's bar: {cell:?}");
            } else {
                prop_assert!(!"`*_[](){}!~".contains(letter), "{cell:?}");
            }
        }
    }

    #[test]
    fn prose_is_one_cell_in_which_only_spans_of_code_are_open(text in hostile()) {
        let cell = prose(&text);
        prop_assert!(!cell.contains(['\n', '\r', '|']), "{cell:?}");
        prop_assert!(!is_command(&cell), "{cell:?}");
        let mut letters = cell.chars();
        let mut is_code = false;
        while let Some(letter) = letters.next() {
            match letter {
                '`' => is_code = !is_code,
                _ if is_code => {}
                '\\' => prop_assert!(letters.next().is_some(), "a backslash at the end takes the cell's bar: {cell:?}"),
                letter => prop_assert!(!"*_[](){}!~<>".contains(letter), "{cell:?}"),
            }
        }
        prop_assert!(!is_code, "a span that nobody closes: {cell:?}");
    }
}

#[test]
fn what_stands_between_backticks_is_shown_as_it_is_written() {
    let table = [
        ("add `permissions: { contents: read }` to_it", "add `permissions: { contents: read }` to\\_it"),
        ("`a` and `b*`", "`a` and `b*`"),
        ("one ` alone", "one \\` alone"),
        ("`a|b`", "\\`a&#124;b\\`"),
        ("`a``b` *c*", "\\`a\\`\\`b\\` \\*c\\*"),
        ("` `", "\\` \\`"),
    ];
    for (given, expected) in table {
        assert_eq!(prose(given), expected, "{given:?}");
    }
}

#[test]
fn openings_of_commands_are_broken_where_everybody_sees_it() {
    let table = [
        ("::error::x", ": :error::x"),
        ("  ::error::x", "  : :error::x"),
        (":::", ": : :"),
        ("std::io::Error", "std::io::Error"),
        ("\u{200b}::add-mask::x", "\\u{200b}::add-mask::x"),
        ("a ##[add-path]/evil", "a # #[add-path]/evil"),
        ("###[x]", "# # #[x]"),
        ("##vso[task.setvariable]", "# #vso[task.setvariable]"),
        ("## [link]", "## [link]"),
        ("a\nb\tc", "a\\nb c"),
        ("\u{202e}txt.exe", "\\u{202e}txt.exe"),
    ];
    for (given, expected) in table {
        assert_eq!(line(given), expected, "{given:?}");
    }
}

#[test]
fn mentions_references_and_lists_are_text() {
    assert_eq!(markdown("@team fixes #1"), "@&#8203;team fixes &#35;&#8203;1");
    assert_eq!(markdown("- a | b"), "\\- a &#124; b");
}
