//! Every way in which a statement can be wrong has its own reason.

mod common;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::{artifact, body, demand, now, policy, statement, store, trusted};
use serde_json::json;
use windlass_domain::digest::Digest;
use windlass_domain::policy::EvidenceKind;
use windlass_evidence::envelope::Envelope;
use windlass_evidence::sign::Signer;
use windlass_evidence::statement::{Predicate, Statement, Subject};
use windlass_evidence::store::Store;
use windlass_evidence::verify::{Demand, Refusal};

const NOW: &str = "2026-03-01T12:00:00Z";

/// Why the only line does not count; `None` when it does.
fn refusal(demand: &Demand<'_>, store: &Store) -> Option<Refusal> {
    match demand.newest(store) {
        Ok(_) => None,
        Err(refusals) => Some(refusals.into_iter().next().expect("a line that is refused has a reason").1),
    }
}

#[test]
fn each_flaw_has_its_own_reason() {
    let signer = Signer::generate().unwrap();
    let stranger = Signer::generate().unwrap();
    let keys = [trusted(&signer, &[EvidenceKind::Deploy])];
    let signed = |statement: &Statement| Envelope::seal(statement, Some(&signer));
    let other = |key: &str, value: serde_json::Value| {
        let mut body = body(NOW);
        body[key] = value;
        signed(&statement(body))
    };
    let without = |key: &str| {
        let mut body = body(NOW);
        body.as_object_mut().unwrap().remove(key);
        signed(&statement(body))
    };
    let about_another = Statement::about(Digest::of(b"another"), None, Predicate::Deploy, body(NOW));
    let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
    let (late, early) = ("2026-03-01T10:59:59Z", "2026-03-01T12:05:01Z");
    let table = [
        ("sound", signed(&statement(body(NOW))), None),
        ("an hour old to the second", other("at", json!("2026-03-01T11:00:00Z")), None),
        ("five minutes ahead", other("at", json!("2026-03-01T12:05:00Z")), None),
        ("unsigned", Envelope::seal(&statement(body(NOW)), None), Some(Refusal::Unsigned)),
        ("a stranger's", Envelope::seal(&statement(body(NOW)), Some(&stranger)), Some(Refusal::UnknownKey)),
        ("another artifact", signed(&about_another), Some(Refusal::OtherArtifact)),
        (
            "another environment",
            other("environment", json!("dev")),
            Some(Refusal::OtherEnvironment("dev".into())),
        ),
        ("no environment", without("environment"), Some(Refusal::OtherEnvironment(String::new()))),
        ("another policy", other("policy", json!(Digest::of(b"x"))), Some(Refusal::OtherPolicy)),
        ("no policy", without("policy"), Some(Refusal::OtherPolicy)),
        ("stale", other("at", json!(late)), Some(Refusal::Stale(at(late)))),
        ("of the future", other("at", json!(early)), Some(Refusal::FromTheFuture(at(early)))),
        ("no time", without("at"), Some(Refusal::NoTime)),
        ("a time that is none", other("at", json!("yesterday")), Some(Refusal::NoTime)),
    ];
    for (name, envelope, expected) in table {
        assert_eq!(refusal(&demand(&keys), &store(&[envelope])), expected, "{name}");
    }
}

#[test]
fn key_that_may_not_sign_this_kind_is_named() {
    let signer = Signer::generate().unwrap();
    let keys = [trusted(&signer, &[EvidenceKind::Tests])];
    let store = store(&[Envelope::seal(&statement(body(NOW)), Some(&signer))]);
    assert_eq!(refusal(&demand(&keys), &store), Some(Refusal::KeyNotAllowed("pipeline".into())));
    // Not even where unsigned evidence counts: the key was trusted with something else.
    let lax = Demand { unsigned: true, ..demand(&keys) };
    assert_eq!(refusal(&lax, &store), Some(Refusal::KeyNotAllowed("pipeline".into())));
}

#[test]
fn every_flipped_byte_of_payload_and_signature_is_noticed() {
    let signer = Signer::generate().unwrap();
    let keys = [trusted(&signer, &[EvidenceKind::Deploy])];
    let sound = Envelope::seal(&statement(body(NOW)), Some(&signer));
    for lax in [false, true] {
        let demand = Demand { unsigned: lax, ..demand(&keys) };
        let (payload, signature) = (sound.payload_bytes().unwrap(), sound.signatures[0].bytes().unwrap());
        for index in 0..payload.len() {
            let mut altered = sound.clone();
            let mut bytes = payload.clone();
            bytes[index] ^= 1;
            altered.payload = STANDARD.encode(bytes);
            match demand.newest(&store(&[altered])) {
                Ok(_) => panic!("byte {index} of the payload"),
                // Empty where the predicate's type itself was altered: it is no candidate any more.
                Err(refusals) => assert!(
                    refusals.iter().all(|(_, why)| matches!(why, Refusal::Tampered | Refusal::Unreadable(_))),
                    "byte {index} of the payload: {refusals:?}"
                ),
            }
        }
        for index in 0..signature.len() {
            let mut altered = sound.clone();
            let mut bytes = signature.clone();
            bytes[index] ^= 0x80;
            altered.signatures[0].sig = STANDARD.encode(bytes);
            assert_eq!(refusal(&demand, &store(&[altered])), Some(Refusal::Tampered), "byte {index}");
        }
    }
}

#[test]
fn signature_without_its_key_hint_still_counts_and_a_false_hint_helps_nobody() {
    let signer = Signer::generate().unwrap();
    let stranger = Signer::generate().unwrap();
    let keys = [trusted(&signer, &[EvidenceKind::Deploy])];
    let mut envelope = Envelope::seal(&statement(body(NOW)), Some(&signer));
    envelope.signatures[0].keyid = String::new();
    assert_eq!(refusal(&demand(&keys), &store(&[envelope])), None);
    let mut forged = Envelope::seal(&statement(body(NOW)), Some(&stranger));
    forged.signatures[0].keyid = signer.public().id();
    assert_eq!(refusal(&demand(&keys), &store(&[forged])), Some(Refusal::Tampered));
}

#[test]
fn newest_statement_wins_whichever_line_it_stands_on() {
    let signer = Signer::generate().unwrap();
    let keys = [trusted(&signer, &[EvidenceKind::Deploy])];
    let made = |at: &str, outcome: &str| {
        let mut body = body(at);
        body["outcome"] = json!(outcome);
        Envelope::seal(&statement(body), Some(&signer))
    };
    let pass = made("2026-03-01T11:30:00Z", "passed");
    let failure = made("2026-03-01T11:45:00Z", "failed");
    let again = made("2026-03-01T11:45:00Z", "passed");
    let newest = |envelopes: &[Envelope]| {
        let verified = demand(&keys).newest(&store(envelopes)).unwrap();
        (verified.statement.predicate["outcome"].as_str().unwrap().to_owned(), verified.line.0)
    };
    assert_eq!(newest(&[pass.clone(), failure.clone()]), ("failed".to_owned(), 2));
    assert_eq!(newest(&[failure.clone(), pass]), ("failed".to_owned(), 1));
    // Of two made in one moment the one further down counts: it was appended later.
    assert_eq!(newest(&[failure.clone(), again.clone()]), ("passed".to_owned(), 2));
    assert_eq!(newest(&[again, failure]), ("failed".to_owned(), 2));
}

#[test]
fn every_subject_is_looked_at_and_by_digest_not_by_name() {
    let signer = Signer::generate().unwrap();
    let keys = [trusted(&signer, &[EvidenceKind::Deploy])];
    let mut two = statement(body(NOW));
    let mut other = two.subject[0].clone();
    other.digest.insert("sha256".into(), Digest::of(b"other").hex());
    two.subject.insert(0, other);
    assert_eq!(refusal(&demand(&keys), &store(&[Envelope::seal(&two, Some(&signer))])), None);
    let mut named = two.clone();
    named.subject = vec![Subject {
        name: artifact().to_string(),
        digest: [("sha256".to_owned(), policy().hex())].into(),
    }];
    let store = store(&[Envelope::seal(&named, Some(&signer))]);
    assert_eq!(refusal(&demand(&keys), &store), Some(Refusal::OtherArtifact));
}

#[test]
fn summary_of_a_gate_carries_environment_policy_and_time_in_its_own_fields() {
    let signer = Signer::generate().unwrap();
    let keys = [trusted(&signer, &[EvidenceKind::Gate])];
    let body = json!({
        "timeVerified": NOW,
        "resourceUri": "windlass:environment/staging",
        "policy": {"uri": "windlass.yml", "digest": {"sha256": policy().hex()}},
        "verificationResult": "PASSED",
    });
    let summary = Statement::about(artifact(), None, Predicate::Gate, body);
    let demand = Demand { predicate: Predicate::Gate, ..demand(&keys) };
    assert_eq!(refusal(&demand, &store(&[Envelope::seal(&summary, Some(&signer))])), None);
    let elsewhere = Demand { environment: Some("production"), ..demand };
    let store = store(&[Envelope::seal(&summary, Some(&signer))]);
    assert_eq!(refusal(&elsewhere, &store), Some(Refusal::OtherEnvironment("staging".into())));
    assert_eq!(now().to_string(), NOW);
}
