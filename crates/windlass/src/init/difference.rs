//! The difference between two texts, as lines with a sign, safe to show.

use similar::{ChangeTag, TextDiff};
use windlass_ci::sink;

/// Changed lines with three around them; empty when both are the same.
pub(super) fn between(old: &str, new: &str) -> String {
    let mut out = String::new();
    let difference = TextDiff::from_lines(old, new);
    for (index, group) in difference.grouped_ops(3).iter().enumerate() {
        if index > 0 {
            out.push_str("  …\n");
        }
        for change in group.iter().flat_map(|operation| difference.iter_changes(operation)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            let line = change.value().trim_end_matches(['\n', '\r']);
            let indent = line.len() - line.trim_start_matches(' ').len();
            // What is shown may come from anybody: one line without control characters, its indentation kept.
            out.push_str(&format!("  {sign} {}{}\n", &line[..indent], sink::line(&line[indent..])));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_lines_are_shown_with_their_sign_and_harmless() {
        assert_eq!(between("a\nb\n", "a\nb\n"), "");
        let shown = between("a\n  b\nc\n", "a\n  x\u{1b}[31m\nc\n");
        assert!(shown.starts_with("    a\n  -   b\n  +   x"), "{shown}");
        assert!(!shown.contains('\u{1b}'), "{shown:?}");
    }
}
