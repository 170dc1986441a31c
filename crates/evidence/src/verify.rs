//! Verifying: which statement counts, and why every other one does not.

use jiff::Timestamp;
use serde_json::Value;
use windlass_domain::digest::Digest;
use windlass_domain::policy::{EvidenceKind, Span};

use crate::envelope::{PAYLOAD_TYPE, pre_authentication_encoding};
use crate::sign::PublicKey;
use crate::statement::{Predicate, Statement};
use crate::store::{Line, Store};

/// A key that counts, and for what.
#[derive(Clone, Debug)]
pub struct TrustedKey {
    /// Its name in `windlass.yml`.
    pub name: String,
    /// The key.
    pub key: PublicKey,
    /// The kinds of evidence it may sign.
    pub signs: Vec<EvidenceKind>,
}

/// What a verifier demands of a statement before it counts.
#[derive(Clone, Debug)]
pub struct Demand<'a> {
    /// The sort of claim.
    pub predicate: Predicate,
    /// The artifact that it must name.
    pub artifact: Digest,
    /// The environment that the claim must be about; `None` for claims that hold everywhere.
    pub environment: Option<&'a str>,
    /// The policy under which it must have been made; `None` where any will do.
    pub policy: Option<Digest>,
    /// The greatest age.
    pub max_age: Option<Span>,
    /// Whether unsigned statements count.
    pub unsigned: bool,
    /// The keys that count.
    pub keys: &'a [TrustedKey],
    /// The time of judging.
    pub now: Timestamp,
}

/// A statement that counts.
#[derive(Clone, Debug)]
pub struct Verified {
    /// What it says.
    pub statement: Statement,
    /// The names of the keys whose signatures hold; empty for unsigned evidence.
    pub signers: Vec<String>,
    /// When it was made, by its own word.
    pub made: Timestamp,
    /// Where it stands: the line's number in the evidence file, from 1, and its digest.
    pub line: (usize, Digest),
}

/// Why a statement does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The line is not a readable statement.
    Unreadable(String),
    /// A signature does not match the content, by a key that is known: it was altered.
    Tampered,
    /// It carries no signature, and unsigned evidence does not count here.
    Unsigned,
    /// No known key signed it.
    UnknownKey,
    /// The key that signed it may not sign this kind.
    KeyNotAllowed(String),
    /// It is about another artifact.
    OtherArtifact,
    /// It is about another environment.
    OtherEnvironment(String),
    /// It was made under another policy.
    OtherPolicy,
    /// It is older than allowed.
    Stale(Timestamp),
    /// It claims to have been made in the future.
    FromTheFuture(Timestamp),
    /// It does not say when it was made.
    NoTime,
    /// A newer statement that counts says otherwise.
    Revoked(usize),
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreadable(why) => write!(f, "unreadable: {why}"),
            Self::Tampered => f.write_str("altered: the signature does not match the content"),
            Self::Unsigned => f.write_str("unsigned, and this environment does not accept unsigned evidence"),
            Self::UnknownKey => f.write_str("signed by a key that windlass.yml does not list"),
            Self::KeyNotAllowed(name) => write!(f, "key {name:?} may not sign this kind of evidence"),
            Self::OtherArtifact => f.write_str("about another artifact"),
            Self::OtherEnvironment(name) => write!(f, "about another environment: {name:?}"),
            Self::OtherPolicy => f.write_str("made under another windlass.yml"),
            Self::Stale(made) => write!(f, "too old: made at {made}"),
            Self::FromTheFuture(made) => write!(f, "made in the future: {made}"),
            Self::NoTime => f.write_str("does not say when it was made"),
            Self::Revoked(line) => write!(f, "revoked by the newer statement on line {line}"),
        }
    }
}

/// How far ahead of us another machine's clock may be.
const CLOCK_SKEW: std::time::Duration = std::time::Duration::from_secs(300);

/// The field of a predicate that says when it was made. The SLSA and in-toto types have their own.
fn made(predicate: Predicate, body: &Value) -> Option<Timestamp> {
    let text = match predicate {
        Predicate::Gate => body.get("timeVerified"),
        Predicate::Vulnerabilities => body.pointer("/metadata/scanFinishedOn"),
        Predicate::TestResult
        | Predicate::Scan
        | Predicate::Deploy
        | Predicate::Health
        | Predicate::Rollback
        | Predicate::Proof
        | Predicate::Approval => body.get("at"),
    };
    text?.as_str()?.parse().ok()
}

/// The environment a claim is about. A verification summary names it as its `resourceUri`:
/// `windlass:environment/NAME`.
fn environment(predicate: Predicate, body: &Value) -> Option<String> {
    match predicate {
        Predicate::Gate => {
            body.get("resourceUri")?.as_str()?.strip_prefix("windlass:environment/").map(str::to_owned)
        }
        Predicate::TestResult
        | Predicate::Vulnerabilities
        | Predicate::Scan
        | Predicate::Deploy
        | Predicate::Health
        | Predicate::Rollback
        | Predicate::Proof
        | Predicate::Approval => body.get("environment")?.as_str().map(str::to_owned),
    }
}

fn policy(predicate: Predicate, body: &Value) -> Option<Digest> {
    let text = match predicate {
        Predicate::Gate => {
            return body
                .pointer("/policy/digest/sha256")?
                .as_str()
                .and_then(|hex| format!("sha256:{hex}").parse().ok());
        }
        Predicate::TestResult
        | Predicate::Vulnerabilities
        | Predicate::Scan
        | Predicate::Deploy
        | Predicate::Health
        | Predicate::Rollback
        | Predicate::Proof
        | Predicate::Approval => body.get("policy"),
    };
    text?.as_str()?.parse().ok()
}

impl Demand<'_> {
    /// Every statement of the demanded predicate that counts, newest first, and every line of it that does not,
    /// with the reason. Lines of other predicates are in neither list.
    #[must_use]
    pub fn all(&self, store: &Store) -> (Vec<Verified>, Vec<(usize, Refusal)>) {
        let mut counts = Vec::new();
        let mut refused = Vec::new();
        for line in &store.lines {
            match self.judge(line) {
                None => {}
                Some(Ok(verified)) => counts.push(verified),
                Some(Err(refusal)) => refused.push((line.number, refusal)),
            }
        }
        counts.sort_by_key(|verified| std::cmp::Reverse((verified.made, verified.line.0)));
        (counts, refused)
    }

    /// The newest statement that counts: it wins, so that a later failure revokes an earlier pass.
    ///
    /// # Errors
    /// When none counts: every candidate's line with its reason; empty when there is no candidate at all.
    pub fn newest(&self, store: &Store) -> Result<Verified, Vec<(usize, Refusal)>> {
        let (counts, refused) = self.all(store);
        counts.into_iter().next().ok_or(refused)
    }

    fn judge(&self, line: &Line) -> Option<Result<Verified, Refusal>> {
        let (envelope, statement) = match &line.content {
            Ok(content) => content,
            Err(why) => return Some(Err(Refusal::Unreadable(why.clone()))),
        };
        if statement.predicate_type != self.predicate.uri() {
            return None;
        }
        Some(self.check(line, envelope, statement))
    }

    fn check(
        &self,
        line: &Line,
        envelope: &crate::envelope::Envelope,
        statement: &Statement,
    ) -> Result<Verified, Refusal> {
        let signers = self.signers(envelope)?;
        if !statement.names(self.artifact) {
            return Err(Refusal::OtherArtifact);
        }
        let body = &statement.predicate;
        if let Some(wanted) = self.environment {
            let named = environment(self.predicate, body).unwrap_or_default();
            if named != wanted {
                return Err(Refusal::OtherEnvironment(named));
            }
        }
        if self.policy.is_some() && policy(self.predicate, body) != self.policy {
            return Err(Refusal::OtherPolicy);
        }
        let made = made(self.predicate, body).ok_or(Refusal::NoTime)?;
        if made.duration_since(self.now) > CLOCK_SKEW.try_into().expect("five minutes fit") {
            return Err(Refusal::FromTheFuture(made));
        }
        if let Some(max_age) = self.max_age
            && self.now.duration_since(made).unsigned_abs() > max_age.get()
            && made < self.now
        {
            return Err(Refusal::Stale(made));
        }
        Ok(Verified { statement: statement.clone(), signers, made, line: (line.number, line.digest) })
    }

    fn signers(&self, envelope: &crate::envelope::Envelope) -> Result<Vec<String>, Refusal> {
        if envelope.signatures.is_empty() {
            return if self.unsigned { Ok(Vec::new()) } else { Err(Refusal::Unsigned) };
        }
        let payload = envelope.payload_bytes().unwrap_or_default();
        let message = pre_authentication_encoding(PAYLOAD_TYPE, &payload);
        let kind = self.predicate.kind();
        let mut names = Vec::new();
        let mut refusal = Refusal::UnknownKey;
        for signature in &envelope.signatures {
            let bytes = signature.bytes().unwrap_or_default();
            let holder = self.keys.iter().find(|trusted| trusted.key.verifies(&message, &bytes));
            match holder {
                Some(trusted) if trusted.signs.contains(&kind) => names.push(trusted.name.clone()),
                Some(trusted) => refusal = Refusal::KeyNotAllowed(trusted.name.clone()),
                None if self.keys.iter().any(|trusted| trusted.key.id() == signature.keyid) => {
                    return Err(Refusal::Tampered);
                }
                None => {}
            }
        }
        if !names.is_empty() {
            return Ok(names);
        }
        // A signature by somebody unknown proves nothing; where unsigned evidence counts, it counts as that.
        if self.unsigned && refusal == Refusal::UnknownKey { Ok(names) } else { Err(refusal) }
    }
}
