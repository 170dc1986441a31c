//! What the suites share: keys, demands, statements.
#![expect(unreachable_pub, reason = "each suite includes it as a module of its own")]

use jiff::Timestamp;
use serde_json::{Value, json};
use windlass_domain::digest::Digest;
use windlass_domain::policy::{EvidenceKind, Span};
use windlass_evidence::envelope::Envelope;
use windlass_evidence::sign::Signer;
use windlass_evidence::statement::{Predicate, Statement};
use windlass_evidence::store::Store;
use windlass_evidence::verify::{Demand, TrustedKey};

pub fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().expect("the time is one")
}

pub fn artifact() -> Digest {
    Digest::of(b"the artifact")
}

pub fn policy() -> Digest {
    Digest::of(b"windlass.yml")
}

/// The body of a deploy's claim, made `at`.
pub fn body(at: &str) -> Value {
    json!({"at": at, "environment": "staging", "policy": policy(), "outcome": "passed"})
}

pub fn statement(body: Value) -> Statement {
    Statement::about(artifact(), None, Predicate::Deploy, body)
}

pub fn trusted(signer: &Signer, signs: &[EvidenceKind]) -> TrustedKey {
    TrustedKey { name: "pipeline".into(), key: signer.public(), signs: signs.to_vec() }
}

pub fn demand(keys: &[TrustedKey]) -> Demand<'_> {
    Demand {
        predicate: Predicate::Deploy,
        artifact: artifact(),
        environment: Some("staging"),
        policy: Some(policy()),
        max_age: Some(Span::minutes(60)),
        unsigned: false,
        keys,
        now: now(),
    }
}

/// A store with these envelopes, written and read as a file.
pub fn store(envelopes: &[Envelope]) -> Store {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("evidence.jsonl");
    for envelope in envelopes {
        Store::append(&path, envelope).expect("the file can be written");
    }
    Store::read(&path).expect("the file can be read")
}
