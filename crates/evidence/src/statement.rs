//! in-toto Statement v1: what is claimed, about which digests.
//!
//! Source: <https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md>.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use windlass_domain::digest::Digest;
use windlass_domain::policy::EvidenceKind;

/// The `_type` of every statement.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// A claim about one or more digests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    /// Always [`STATEMENT_TYPE`].
    #[serde(rename = "_type")]
    pub kind: String,
    /// What it is about; never empty.
    pub subject: Vec<Subject>,
    /// What sort of claim it is: a URI.
    #[serde(rename = "predicateType")]
    pub predicate_type: String,
    /// The claim.
    pub predicate: Value,
}

/// One thing that a statement is about. It is matched by digest, never by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// A name for people.
    pub name: String,
    /// Digests by algorithm, in bare hexadecimal: `sha256`, `gitCommit`.
    pub digest: BTreeMap<String, String>,
}

impl Statement {
    /// A statement about an artifact and, where it is known, the commit it was built from.
    #[must_use]
    pub fn about(artifact: Digest, commit: Option<&str>, predicate: Predicate, body: Value) -> Self {
        let mut subject = vec![Subject {
            name: "artifact".into(),
            digest: BTreeMap::from([("sha256".into(), artifact.hex())]),
        }];
        if let Some(commit) = commit {
            subject.push(Subject {
                name: "commit".into(),
                digest: BTreeMap::from([("gitCommit".into(), commit.to_owned())]),
            });
        }
        Self { kind: STATEMENT_TYPE.into(), subject, predicate_type: predicate.uri().into(), predicate: body }
    }

    /// Whether one of the subjects is this artifact.
    #[must_use]
    pub fn names(&self, artifact: Digest) -> bool {
        let hex = artifact.hex();
        self.subject.iter().any(|subject| subject.digest.get("sha256") == Some(&hex))
    }
}

/// The predicate types that Windlass writes and reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Predicate {
    /// in-toto test result: `{result: PASSED|FAILED|WARNED, configuration: […], passedTests, failedTests}`.
    TestResult,
    /// in-toto vulnerabilities: `{scanner: {uri, version, db, result: […]}, metadata}`.
    Vulnerabilities,
    /// What `security-scan` scanned and counted, by kind and severity.
    Scan,
    /// SLSA verification summary: the verdict of a gate.
    Gate,
    /// What a deploy did.
    Deploy,
    /// A health verdict.
    Health,
    /// What a rollback did.
    Rollback,
    /// That the way back from one artifact to another was walked on purpose, under traffic, and held or did not:
    /// `{at, environment, policy, outcome, from, to, plan, proof}`. The subject is the newer artifact, `to`.
    Proof,
    /// An approval by a person.
    Approval,
}

impl Predicate {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::TestResult,
        Self::Vulnerabilities,
        Self::Scan,
        Self::Gate,
        Self::Deploy,
        Self::Health,
        Self::Rollback,
        Self::Proof,
        Self::Approval,
    ];

    /// Its URI.
    #[must_use]
    pub const fn uri(self) -> &'static str {
        match self {
            Self::TestResult => "https://in-toto.io/attestation/test-result/v0.1",
            Self::Vulnerabilities => "https://in-toto.io/attestation/vulns/v0.2",
            Self::Scan => "https://windlass.dev/attestation/scan/v1",
            Self::Gate => "https://slsa.dev/verification_summary/v1",
            Self::Deploy => "https://windlass.dev/attestation/deploy/v1",
            Self::Health => "https://windlass.dev/attestation/health/v1",
            Self::Rollback => "https://windlass.dev/attestation/rollback/v1",
            Self::Proof => "https://windlass.dev/attestation/rollback-proof/v1",
            Self::Approval => "https://windlass.dev/attestation/approval/v1",
        }
    }

    /// Which keys may sign it: those that list this kind under `signs`.
    #[must_use]
    pub const fn kind(self) -> EvidenceKind {
        match self {
            Self::TestResult => EvidenceKind::Tests,
            Self::Vulnerabilities | Self::Scan => EvidenceKind::Scan,
            Self::Gate => EvidenceKind::Gate,
            Self::Deploy | Self::Proof => EvidenceKind::Deploy,
            Self::Health => EvidenceKind::Health,
            Self::Rollback => EvidenceKind::Rollback,
            Self::Approval => EvidenceKind::Approval,
        }
    }
}
