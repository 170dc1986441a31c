//! Evidence: what was scanned and found, as statements about the artifact.
//!
//! A scan that is not complete says so in `scan/v1`, and writes no `vulns/v0.2` statement at all: an empty result
//! there would read as clean. Source of that predicate:
//! <https://github.com/in-toto/attestation/blob/main/spec/predicates/vuln.md>.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use windlass_ci::fail::Result;
use windlass_ci::session::{Located, Session};
use windlass_domain::digest::Digest;
use windlass_evidence::statement::{Predicate, Statement};

use crate::dependencies::{Database, Dependencies};
use crate::finding::Kind;
use crate::judge::Scan;
use crate::severity::Severity;

/// What the evidence is about.
pub(crate) enum Subject {
    /// An artifact.
    Artifact(Digest),
    /// Nothing, and why.
    None(String),
}

/// Finds the artifact, and that the key can sign. Without a policy, and where the policy's artifact is not built yet,
/// there is no subject: a scan can come before the build.
///
/// # Errors
/// Invalid (2) when the policy has mistakes, the named artifact cannot be read, or the key cannot be used.
pub(crate) fn subject(session: &Session) -> Result<Subject> {
    let located = policy(session)?;
    if session.common.artifact.is_none() {
        let Some(located) = &located else {
            return Ok(Subject::None("no windlass.yml and no --artifact that it could be about".to_owned()));
        };
        let Some(artifact) = &located.policy.release.artifact else {
            return Ok(Subject::None(
                "windlass.yml has no release.artifact, and there is no --artifact".to_owned(),
            ));
        };
        let by_digest = artifact.rsplit('@').next().is_some_and(|digest| digest.parse::<Digest>().is_ok());
        if !by_digest && !located.resolve(artifact).exists() {
            return Ok(Subject::None(format!("the artifact {artifact} is not there yet")));
        }
    }
    session.signer()?;
    Ok(Subject::Artifact(session.artifact(located.as_ref())?.digest))
}

fn policy(session: &Session) -> Result<Option<Located>> {
    match session.policy() {
        Ok(located) => Ok(Some(located)),
        Err(failure) if failure.topic == &windlass_ci::topics::POLICY_MISSING => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Appends the statements, and says so in a sentence.
///
/// # Errors
/// Unknown (3) when the evidence file cannot be written.
pub(crate) fn append(
    session: &Session,
    scan: &Scan,
    artifact: Digest,
    finished: Timestamp,
) -> Result<String> {
    let commit = session.host.commit();
    let about = |predicate, body| Statement::about(artifact, commit.as_deref(), predicate, body);
    let mut names = Vec::new();
    if let Some(body) = vulnerabilities(scan, session.context.started, finished) {
        session.attest(&about(Predicate::Vulnerabilities, body))?;
        names.push("vulns/v0.2");
    }
    session.attest(&about(Predicate::Scan, summary(scan, finished)))?;
    names.push("scan/v1");
    let signed = if session.signer()?.is_some() { "signed" } else { "unsigned" };
    Ok(format!("appended {} about {}, {signed}", names.join(" and "), artifact.short()))
}

/// The body of `vulns/v0.2`; `None` where dependencies were not scanned, or not completely.
fn vulnerabilities(scan: &Scan, started: Timestamp, finished: Timestamp) -> Option<Value> {
    let dependencies = scan.dependencies.as_ref().filter(|dependencies| dependencies.complete())?;
    let database = dependencies.database.as_ref()?;
    let result: Vec<Value> = scan
        .counting(Kind::Dependency)
        .map(|finding| {
            json!({
                "id": finding.advisory,
                "severity": [{ "method": "windlass", "score": finding.severity }],
                "annotations": [{
                    "rule": finding.rule,
                    "package": finding.package,
                    "version": finding.version,
                    "fixed_in": finding.fixed_in,
                    "path": finding.path,
                }],
            })
        })
        .collect();
    Some(json!({
        "scanner": {
            "uri": "https://windlass.dev/security-scan",
            "version": env!("CARGO_PKG_VERSION"),
            "db": described(database),
            "result": result,
        },
        "metadata": { "scanStartedOn": started.to_string(), "scanFinishedOn": finished.to_string() },
    }))
}

fn described(database: &Database) -> Value {
    json!({
        "uri": "https://github.com/RustSec/advisory-db",
        "version": format!("{} advisories up to {}", database.count, database.newest),
        "lastUpdate": database.updated.to_string(),
    })
}

/// The body of `scan/v1`.
fn summary(scan: &Scan, at: Timestamp) -> Value {
    let mut kinds = Map::new();
    if let Some(dependencies) = &scan.dependencies {
        kinds.insert(Kind::Dependency.scan().to_owned(), dependencies_summary(scan, dependencies));
    }
    if let Some(secrets) = &scan.secrets {
        let body = json!({
            "complete": secrets.complete(),
            "files": secrets.files,
            "findings": scan.counting(Kind::Secret).count(),
        });
        kinds.insert(Kind::Secret.scan().to_owned(), body);
    }
    json!({ "at": at.to_string(), "tool": "security-scan", "version": env!("CARGO_PKG_VERSION"), "kinds": kinds })
}

fn dependencies_summary(scan: &Scan, dependencies: &Dependencies) -> Value {
    let findings: Map<String, Value> = Severity::ALL
        .into_iter()
        .map(|severity| (severity.word().to_owned(), json!(scan.count(Kind::Dependency, severity))))
        .collect();
    json!({ "complete": dependencies.complete(), "packages": dependencies.packages, "findings": findings })
}
