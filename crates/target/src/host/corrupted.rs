//! A ledger whose lines are not what was written, and what puts it right.

use std::path::{Path, PathBuf};

use windlass_domain::journal::BrokenChain;

/// A ledger that cannot be gone on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corrupted {
    /// The file; with the host before it where that is another one.
    ledger: PathBuf,
    broken: BrokenChain,
    /// Whether an agent runs that has it open.
    is_open: bool,
}

impl Corrupted {
    pub(super) fn new(ledger: &Path, broken: BrokenChain, is_open: bool) -> Self {
        Self { ledger: ledger.to_owned(), broken, is_open }
    }

    /// What puts it right, in the order of doing it.
    #[must_use]
    pub fn remedies(&self) -> Vec<String> {
        let (ledger, line) = (self.ledger.display(), self.broken.line);
        let mut remedies = vec![format!("put line {line} of {ledger} back as it was written, from a backup")];
        remedies.push(match self.ledger.parent().filter(|_| self.is_open) {
            Some(root) => format!(
                "then `windlassd --root {} --take-over`, by which an agent reads it anew and no connection is lost, and this \
                 command again",
                quoted(root)
            ),
            None => "then this command again: it started no agent, which would refuse every change".to_owned(),
        });
        // The name of a host stands before a path that is not here.
        if self.ledger.is_absolute() {
            let (file, aside) = (quoted(&self.ledger), quoted(&self.ledger.with_extension("jsonl.damaged")));
            let sound = line.saturating_sub(1);
            remedies.push(format!(
                "without a backup: `cp -p {file} {aside} && head -n {sound} {aside} >{file}` keeps the lines before it; what \
                 came after is forgotten, so look at `windlass status` before anything else"
            ));
        }
        remedies
    }
}

impl std::fmt::Display for Corrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.broken.fmt(f)
    }
}

impl std::error::Error for Corrupted {}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+@".contains(letter);
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(ledger: &str, is_open: bool) -> String {
        let broken = BrokenChain { line: 3, why: "it was altered".into() };
        Corrupted::new(Path::new(ledger), broken, is_open).remedies().join("\n")
    }

    #[test]
    fn a_remedy_names_the_line_the_file_and_the_command() {
        let asleep = told("/srv/it's/ledger.jsonl", false);
        assert!(asleep.contains("line 3 of /srv/it's/ledger.jsonl"), "{asleep}");
        assert!(
            asleep.contains(r"head -n 2 '/srv/it'\''s/ledger.jsonl.damaged' >'/srv/it'\''s/ledger.jsonl'"),
            "{asleep}"
        );
        assert!(asleep.contains("started no agent") && !asleep.contains("--take-over"), "{asleep}");
        let awake = told("/srv/shop/ledger.jsonl", true);
        assert!(awake.contains("`windlassd --root /srv/shop --take-over`"), "{awake}");
        let far = told("web1:/srv/shop/ledger.jsonl", false);
        assert!(far.contains("web1:/srv/shop/ledger.jsonl") && !far.contains("head -n"), "{far}");
    }
}
