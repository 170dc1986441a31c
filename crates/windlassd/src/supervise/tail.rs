//! The last lines of a log.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use crate::rotation::place;

/// How many lines are shown.
const LINES: usize = 20;

/// How much of the file's end is looked at, in bytes.
const WINDOW: u64 = 16 * 1024;

/// The longest line that is shown, in characters.
const LINE: usize = 400;

/// The last lines of a log, oldest first; none where it cannot be read. The text is the release's and is escaped
/// where it is printed.
pub(crate) fn lines(path: &Path) -> Vec<String> {
    let mut bytes = end(path).unwrap_or_default();
    if (bytes.len() as u64) < WINDOW {
        // It may have been rotated just now.
        let mut before = end(&place(path, 1)).unwrap_or_default();
        before.append(&mut bytes);
        bytes = before;
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(LINES)..].iter().map(|line| line.chars().take(LINE).collect()).collect()
}

fn end(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(WINDOW)))?;
    let mut bytes = Vec::new();
    file.take(WINDOW).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_lines_are_shown() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text: String = (1..=30).map(|line| format!("line {line}\n\n")).collect();
        std::fs::write(file.path(), text).unwrap();
        let lines = lines(file.path());
        assert_eq!((lines.len(), lines[0].as_str(), lines[19].as_str()), (20, "line 11", "line 30"));
        assert!(super::lines(Path::new("/nowhere")).is_empty());
        std::fs::rename(file.path(), place(file.path(), 1)).unwrap();
        std::fs::write(file.path(), "line 31\n").unwrap();
        let lines = super::lines(file.path());
        std::fs::remove_file(place(file.path(), 1)).unwrap();
        assert_eq!((lines.len(), lines[0].as_str(), lines[19].as_str()), (20, "line 12", "line 31"));
    }
}
