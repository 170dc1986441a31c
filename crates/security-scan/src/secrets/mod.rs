//! Secrets: credentials in the files of the tree, by our own built-in rules.
//!
//! What is found never leaves this module: a finding has the rule, the place and a fingerprint.

mod allow;
mod checks;
mod fingerprint;
mod matcher;
mod plausible;
mod reader;
mod rule;
pub(crate) mod rules;
#[cfg(test)]
mod tests;

use self::allow::{Allowed, allowed};
use self::fingerprint::fingerprint;
use self::matcher::{Hit, Matcher};
use self::reader::{Content, Piece};
use self::rules::RULES;
use crate::finding::{Finding, Kind, State};
use crate::gap::Gap;
use crate::topics;
use crate::tree::{Entry, Sort, Tree};

/// What the scan for secrets came to.
#[derive(Default)]
pub(crate) struct Secrets {
    /// What was found.
    pub(crate) findings: Vec<Finding>,
    /// What could not be scanned.
    pub(crate) gaps: Vec<Gap>,
    /// Files read.
    pub(crate) files: u64,
    /// Their size.
    pub(crate) bytes: u64,
    /// Files that are binary.
    pub(crate) binaries: u64,
}

impl Secrets {
    /// Whether there was something to scan and all of it was scanned.
    pub(crate) fn complete(&self) -> bool {
        self.gaps.is_empty()
    }
}

/// Scans every file of the tree.
pub(crate) fn scan(tree: &Tree) -> Secrets {
    let mut result = Secrets::default();
    for (place, why) in &tree.unreadable {
        result.gaps.push(Gap::new(Kind::Secret, &topics::FILE_UNREADABLE, place, why));
    }
    let matcher = Matcher::new();
    let mut buffer = Vec::new();
    for entry in &tree.entries {
        match entry.sort {
            Sort::File => scan_file(entry, &matcher, &mut buffer, &mut result),
            // git stores a link's target, not what is there; pipes and devices are not in a repository.
            Sort::Link | Sort::Folder | Sort::Special => {}
        }
    }
    if result.files == 0 && result.gaps.is_empty() {
        let why = match result.binaries {
            0 => "there is no file to scan".to_owned(),
            count => format!("there is no text file to scan, only {count} binary ones"),
        };
        result.gaps.push(Gap::new(Kind::Secret, &topics::NOTHING, ".", why));
    }
    result
}

fn scan_file(entry: &Entry, matcher: &Matcher, buffer: &mut Vec<u8>, result: &mut Secrets) {
    let mut findings = Vec::new();
    let content = reader::read(&entry.path, buffer, |piece| {
        let mut line = Lines { at: 0, number: piece.first_line };
        for hit in matcher.find(piece.text) {
            if piece.counts.contains(&hit.start) {
                let number = line.number_at(piece.text, hit.start);
                findings.push(finding(entry, piece, &hit, number));
            }
        }
    });
    match content {
        Ok(Content::Text(bytes)) => {
            result.files += 1;
            result.bytes += bytes;
            result.findings.append(&mut findings);
        }
        Ok(Content::Binary) => result.binaries += 1,
        Err(error) => {
            result.gaps.push(Gap::new(
                Kind::Secret,
                &topics::FILE_UNREADABLE,
                &entry.name,
                error.to_string(),
            ));
            // What was found before the error is a finding all the same.
            result.findings.append(&mut findings);
        }
    }
}

fn finding(entry: &Entry, piece: &Piece<'_>, hit: &Hit, line: u64) -> Finding {
    let rule = &RULES[hit.rule];
    let (state, note) = match allowed(line_around(piece.text, hit.start), rule.id()) {
        Allowed::WithReason => (State::Waived, "; accepted by a windlass:allow comment"),
        Allowed::WithoutReason => {
            (State::New, "; its windlass:allow comment gives no reason and does not count")
        }
        Allowed::No => (State::New, ""),
    };
    Finding {
        kind: Kind::Secret,
        rule: rule.id().to_owned(),
        severity: hit.severity,
        path: entry.name.clone(),
        line: Some(line),
        package: None,
        version: None,
        advisory: None,
        fixed_in: None,
        fingerprint: fingerprint(rule.id(), &entry.uri, &piece.text[hit.secret.clone()]),
        state,
        message: format!("{}{note}", rule.finds),
        uri: entry.uri.clone(),
    }
}

/// Line numbers at rising places of one text.
struct Lines {
    at: usize,
    number: u64,
}

impl Lines {
    /// The number of the line at `place`. Hits come by their secret's place; two starts may be out of order.
    fn number_at(&mut self, text: &[u8], place: usize) -> u64 {
        let breaks = |part: &[u8]| part.iter().filter(|byte| **byte == b'\n').count() as u64;
        if place >= self.at {
            self.number += breaks(&text[self.at..place]);
        } else {
            self.number -= breaks(&text[place..self.at]);
        }
        self.at = place;
        self.number
    }
}

/// How far from a secret a comment on its line is looked for, in bytes: lines may have many megabytes.
const COMMENT: usize = 4096;

fn line_around(text: &[u8], place: usize) -> &[u8] {
    let from = place.saturating_sub(COMMENT);
    let start = text[from..place].iter().rposition(|byte| *byte == b'\n').map_or(from, |at| from + at + 1);
    let to = (place + COMMENT).min(text.len());
    let end = text[place..to].iter().position(|byte| *byte == b'\n').map_or(to, |at| place + at);
    &text[start..end]
}
