//! What reports say, whatever their format.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::lines::Lines;

/// How many offenders are kept of one report; the rest is counted.
pub const MOST_OFFENDERS: usize = 20;

/// One thing that is wrong: a test, a file, a finding. Every text comes from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Offender {
    /// The test's, rule's or file's name.
    pub name: String,
    /// The file, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The line in it, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// What was said of it, in one line.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// The most characters of a message that are kept.
const LONGEST_MESSAGE: usize = 300;

impl Offender {
    /// An offender with its message cut to its first line.
    #[must_use]
    pub fn new(name: impl Into<String>, message: &str) -> Self {
        let first = message.trim_start().lines().next().unwrap_or_default().trim_end();
        let name: String = name.into();
        Self {
            name: name.chars().take(LONGEST_MESSAGE).collect(),
            path: None,
            line: None,
            message: first.chars().take(LONGEST_MESSAGE).collect(),
        }
    }

    /// Sets the place.
    #[must_use]
    pub fn at(mut self, path: Option<String>, line: Option<u64>) -> Self {
        self.path = path.filter(|path| !path.is_empty());
        self.line = line;
        self
    }
}

/// Test cases, counted one by one: the totals that a report states are not believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tests {
    /// All cases, the skipped ones included.
    pub total: u64,
    /// Cases that failed or ended in an error, and errors of whole suites.
    pub failed: u64,
    /// Cases that did not run.
    pub skipped: u64,
    /// Cases that failed first and passed when tried again.
    pub flaky: u64,
    /// The time of all cases, added up.
    pub duration: Duration,
    /// Cases that ran and whose time is absent or unreadable.
    pub untimed: u64,
    /// Why the counts may be wrong: where a report contradicts itself in the direction of a pass.
    pub doubts: Vec<String>,
    /// The first cases that failed.
    pub offenders: Vec<Offender>,
    /// The first flaky cases.
    pub flaky_offenders: Vec<Offender>,
    /// Whether these are no tests but the conditions of a gate, as `gate-check --junit` writes them.
    pub of_a_gate: bool,
}

impl Tests {
    /// Whether any case was tried: a report of none, or of skipped ones only, says nothing.
    #[must_use]
    pub const fn tried(&self) -> bool {
        self.total > self.skipped || self.failed > 0
    }

    /// Adds another report's cases.
    pub fn merge(&mut self, other: Self) {
        self.total += other.total;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.flaky += other.flaky;
        self.duration = self.duration.saturating_add(other.duration);
        self.untimed += other.untimed;
        self.doubts.extend(other.doubts);
        self.offenders.extend(other.offenders);
        self.offenders.truncate(MOST_OFFENDERS);
        self.flaky_offenders.extend(other.flaky_offenders);
        self.flaky_offenders.truncate(MOST_OFFENDERS);
    }
}

/// Covered and coverable things: lines, branches or functions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Share {
    /// How many a test ran.
    pub hit: u64,
    /// How many there are.
    pub found: u64,
}

impl Share {
    /// From 0 to 100; `None` of nothing: 0 of 0 is never 100 %.
    #[must_use]
    pub fn percent(self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "line counts are far below 2^53")]
        (self.found > 0).then(|| self.hit as f64 / self.found as f64 * 100.0)
    }

    /// Adds another share.
    pub const fn add(&mut self, other: Self) {
        self.hit += other.hit;
        self.found += other.found;
    }
}

/// The coverage of one file. Reports that name a file twice are merged: what any of them ran was run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileCoverage {
    /// Executable lines, and which of them ran.
    pub lines: Lines,
    /// Branches: a key of each, and whether it was taken.
    pub branches: Outcomes,
    /// Functions: a key of each, and whether it was entered.
    pub functions: Outcomes,
}

/// Things with a key, each hit or not. Eight bytes a thing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcomes(Vec<u64>);

impl Outcomes {
    /// Notes a thing. Its key is 63 bits, by which the same thing is known again.
    pub fn note(&mut self, key: u64, hit: bool) {
        self.0.push(key << 1 | u64::from(hit));
    }

    /// Joins notes of the same thing. To be called when a section of a report ends.
    pub fn settle(&mut self) {
        self.0.sort_unstable();
        // Of two notes of one thing, the later in order is the hit.
        self.0.dedup_by(|later, kept| {
            let same = *later >> 1 == *kept >> 1;
            if same {
                *kept |= *later & 1;
            }
            same
        });
        self.0.shrink_to_fit();
    }

    /// How many there are and how many were hit.
    #[must_use]
    pub fn share(&self) -> Share {
        Share { hit: self.0.iter().map(|note| note & 1).sum(), found: self.0.len() as u64 }
    }

    fn merge(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
        self.settle();
    }
}

/// A 64-bit FNV-1a hash: the key of a function by its name. Source: RFC 9923.
#[must_use]
pub fn key_of(parts: &[&[u8]]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for part in parts {
        for byte in part.iter().chain(&[0xff]) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash
}

/// The coverage of a code base.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// The files by the names that the reports give them, with `/` between folders.
    pub files: BTreeMap<String, FileCoverage>,
    /// The folders that those names may be relative to.
    pub sources: Vec<String>,
}

impl Coverage {
    /// Adds another report's files; lines of a file that both name are joined.
    pub fn merge(&mut self, other: Self) {
        for (name, file) in other.files {
            match self.files.entry(name) {
                std::collections::btree_map::Entry::Vacant(entry) => {
                    entry.insert(file);
                }
                std::collections::btree_map::Entry::Occupied(mut entry) => {
                    let known = entry.get_mut();
                    known.lines.merge(&file.lines);
                    known.branches.merge(&file.branches);
                    known.functions.merge(&file.functions);
                }
            }
        }
        for source in other.sources {
            if !self.sources.contains(&source) {
                self.sources.push(source);
            }
        }
    }

    /// Lines over all files.
    #[must_use]
    pub fn lines(&self) -> Share {
        self.sum(|file| file.lines.share())
    }

    /// Branches over all files.
    #[must_use]
    pub fn branches(&self) -> Share {
        self.sum(|file| file.branches.share())
    }

    /// Functions over all files.
    #[must_use]
    pub fn functions(&self) -> Share {
        self.sum(|file| file.functions.share())
    }

    fn sum(&self, of: impl Fn(&FileCoverage) -> Share) -> Share {
        self.files.values().fold(Share::default(), |mut sum, file| {
            sum.add(of(file));
            sum
        })
    }

    /// The files with executable lines, the least covered first.
    #[must_use]
    pub fn lowest(&self) -> Vec<(&str, Share)> {
        let mut files: Vec<_> = self
            .files
            .iter()
            .map(|(name, file)| (name.as_str(), file.lines.share()))
            .filter(|(_, share)| share.found > 0)
            .collect();
        files.sort_by(|a, b| (a.1.hit * b.1.found).cmp(&(b.1.hit * a.1.found)).then(a.0.cmp(b.0)));
        files
    }
}

/// Findings of static analysis.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Findings of level error.
    pub errors: u64,
    /// Findings of level warning.
    pub warnings: u64,
    /// Findings of level note.
    pub notes: u64,
    /// Findings that the report itself suppresses; not counted above.
    pub suppressed: u64,
    /// The first errors.
    pub error_offenders: Vec<Offender>,
    /// The first warnings.
    pub warning_offenders: Vec<Offender>,
}

impl Findings {
    /// Adds another report's findings.
    pub fn merge(&mut self, other: Self) {
        self.errors += other.errors;
        self.warnings += other.warnings;
        self.notes += other.notes;
        self.suppressed += other.suppressed;
        self.error_offenders.extend(other.error_offenders);
        self.error_offenders.truncate(MOST_OFFENDERS);
        self.warning_offenders.extend(other.warning_offenders);
        self.warning_offenders.truncate(MOST_OFFENDERS);
    }
}

/// What one report says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Test cases.
    Tests(Tests),
    /// Coverage.
    Coverage(Coverage),
    /// Findings.
    Findings(Findings),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_nothing_is_no_percentage() {
        assert_eq!(Share::default().percent(), None);
        assert_eq!(Share { hit: 1, found: 2 }.percent(), Some(50.0));
    }

    #[test]
    fn same_thing_noted_twice_is_hit_if_either_is() {
        let mut outcomes = Outcomes::default();
        for (key, hit) in [(1, false), (2, false), (1, true), (2, false)] {
            outcomes.note(key, hit);
        }
        outcomes.settle();
        assert_eq!(outcomes.share(), Share { hit: 1, found: 2 });
    }
}
