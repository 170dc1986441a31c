//! One thing that the scan reports.

use schemars::JsonSchema;
use serde::Serialize;

use crate::severity::Severity;

/// One thing that the scan reports. It never holds a secret's text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Finding {
    /// Which scan found it.
    pub kind: Kind,
    /// The rule, by the word that `windlass explain` takes: `secret.github-token`, `dependency.vulnerable`.
    pub rule: String,
    /// How bad it is.
    pub severity: Severity,
    /// The file, relative to the repository's root, with `/`. Comes from outside: escape it before it is shown.
    pub path: String,
    /// The line in it, from 1.
    pub line: Option<u64>,
    /// The package.
    pub package: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// The advisory's id.
    pub advisory: Option<String>,
    /// The versions in which it is fixed, as requirements; `None` where there are none.
    pub fixed_in: Option<String>,
    /// The same for the same finding, whatever its line: rule, path and a slow hash of the secret, or package and
    /// advisory.
    pub fingerprint: String,
    /// Whether it counts.
    pub state: State,
    /// What it is, in a sentence. Comes partly from outside: escape it before it is shown.
    pub message: String,
    /// The path as a relative URI reference, percent-encoded byte by byte.
    #[serde(skip)]
    pub uri: String,
}

/// Which scan found something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A package that a lock file names.
    Dependency,
    /// A credential in a file.
    Secret,
}

impl Kind {
    /// The scan's name: the word of `--only`, of reasons and of the evidence.
    #[must_use]
    pub const fn scan(self) -> &'static str {
        match self {
            Self::Dependency => "dependencies",
            Self::Secret => "secrets",
        }
    }
}

/// Whether a finding counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It counts. Without a baseline every finding is new.
    New,
    /// It was there before. Never said without a baseline.
    Existing,
    /// It is accepted, by a `windlass:allow` comment with a reason on its line.
    Waived,
}

impl Finding {
    /// Whether it makes the scan fail.
    #[must_use]
    pub fn fails(&self, fail_on: Severity) -> bool {
        self.counts() && self.severity >= fail_on
    }

    /// Whether it is counted as a finding.
    #[must_use]
    pub fn counts(&self) -> bool {
        match self.state {
            State::New | State::Existing => true,
            State::Waived => false,
        }
    }

    /// `path:line`, or the path alone.
    #[must_use]
    pub fn place(&self) -> String {
        match self.line {
            Some(line) => format!("{}:{line}", self.path),
            None => self.path.clone(),
        }
    }

    /// What names it best: the advisory's id, or the rule.
    #[must_use]
    pub fn id(&self) -> &str {
        self.advisory.as_deref().unwrap_or(&self.rule)
    }
}

/// Sorts findings: those that count first, then worst first, then by place.
pub(crate) fn sort(findings: &mut [Finding]) {
    findings.sort_by(|a, b| {
        let key = |finding: &Finding| (!finding.counts(), std::cmp::Reverse(finding.severity), finding.kind);
        key(a)
            .cmp(&key(b))
            .then_with(|| (&a.path, a.line, a.id(), &a.package).cmp(&(&b.path, b.line, b.id(), &b.package)))
    });
}
