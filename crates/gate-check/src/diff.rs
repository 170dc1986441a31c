//! A unified diff without context, read for the lines that are new.

use std::ops::Range;

/// A file and its new lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// Its name after the change, with `/` between folders.
    pub(crate) path: String,
    /// New or changed lines, from 1.
    pub(crate) lines: Vec<Range<u32>>,
}

/// Reads the output of `git diff --unified=0 --dst-prefix=b/`. Files that only lost lines are not in it.
pub(crate) fn added_lines(diff: &str) -> Result<Vec<Change>, String> {
    let mut changes: Vec<Change> = Vec::new();
    let mut path: Option<String> = None;
    // Lines of a hunk that are still to come: what they hold is content, whatever it looks like.
    let (mut removed, mut added) = (0_u32, 0_u32);
    for line in diff.lines() {
        if removed > 0 && line.starts_with('-') {
            removed -= 1;
        } else if added > 0 && line.starts_with('+') {
            added -= 1;
        } else if line.starts_with("diff --git ") {
            path = None;
        } else if let Some(name) = line.strip_prefix("+++ ") {
            path = target(name)?;
        } else if let Some(header) = line.strip_prefix("@@ ") {
            let (gone, new) = hunk(header).ok_or_else(|| format!("unreadable hunk of git diff: {line:?}"))?;
            (removed, added) = (gone, new.end - new.start);
            match (&path, new.is_empty()) {
                (_, true) => {}
                (Some(path), false) => match changes.last_mut() {
                    Some(last) if last.path == *path => last.lines.push(new),
                    _ => changes.push(Change { path: path.clone(), lines: vec![new] }),
                },
                (None, false) => return Err(format!("new lines of no file in git diff: {line:?}")),
            }
        }
    }
    if removed > 0 || added > 0 { Err("git diff ends inside a hunk".into()) } else { Ok(changes) }
}

/// `-A,B +C,D @@…`: the count of lines gone, and the lines that are new.
fn hunk(header: &str) -> Option<(u32, Range<u32>)> {
    let mut words = header.split(' ');
    let side = |word: &str, sign: char| {
        let word = word.strip_prefix(sign)?;
        let (start, count) = word.split_once(',').unwrap_or((word, "1"));
        Some((start.parse::<u32>().ok()?, count.parse::<u32>().ok()?))
    };
    let (_, gone) = side(words.next()?, '-')?;
    let (start, count) = side(words.next()?, '+')?;
    Some((gone, start..start.checked_add(count)?))
}

/// The name behind `+++ `; `None` for a deleted file.
fn target(name: &str) -> Result<Option<String>, String> {
    let name = name.strip_suffix('\t').unwrap_or(name);
    if name == "/dev/null" {
        return Ok(None);
    }
    let plain = match name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => unquote(quoted).ok_or_else(|| format!("unreadable name in git diff: {name}"))?,
        None => name.to_owned(),
    };
    plain
        .strip_prefix("b/")
        .map(|path| Some(path.to_owned()))
        .ok_or_else(|| format!("unreadable name in git diff: {name}"))
}

/// Undoes git's C-style quoting.
fn unquote(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next()? {
            b'a' => 7,
            b'b' => 8,
            b't' => b'\t',
            b'n' => b'\n',
            b'v' => 11,
            b'f' => 12,
            b'r' => b'\r',
            octal @ b'0'..=b'3' => {
                let (second, third) = (rest.next()?, rest.next()?);
                (octal - b'0') << 6
                    | second.checked_sub(b'0').filter(|digit| *digit < 8)? << 3
                    | third.checked_sub(b'0').filter(|digit| *digit < 8)?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_lines_are_found_and_content_that_looks_like_a_header_is_content() {
        let diff = "\
diff --git a/src/a.rs b/src/a.rs
--- a/src/a.rs
+++ b/src/a.rs
@@ -3 +3,2 @@ fn main() {
-old
+++ b/evil.rs
+@@ -1 +1,900 @@
@@ -9,2 +10,0 @@
--- gone
-gone
@@ -20,0 +20 @@
+new
diff --git a/gone.rs b/gone.rs
--- a/gone.rs
+++ /dev/null
@@ -1 +0,0 @@
-x
diff --git \"a/t\\303\\251.rs\" \"b/t\\303\\251.rs\"
--- /dev/null
+++ \"b/t\\303\\251.rs\"
@@ -0,0 +1,2 @@
+a
+b
\\ No newline at end of file
diff --git a/old b/new
similarity index 100%
rename from old
rename to new
";
        let changes = added_lines(diff).unwrap();
        let expected = [
            Change { path: "src/a.rs".into(), lines: vec![3..5, 20..21] },
            Change { path: "té.rs".into(), lines: std::iter::once(1..3).collect() },
        ];
        assert_eq!(changes, expected);
    }

    #[test]
    fn diff_that_is_cut_off_is_an_error() {
        assert!(added_lines("+++ b/a\n@@ -0,0 +1,3 @@\n+a\n").is_err());
        assert!(added_lines("+++ b/a\n@@ nonsense @@\n").is_err());
    }
}
