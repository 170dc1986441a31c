//! The statements that a gate leaves: the result of the tests, and its verdict.

use serde_json::{Value, json};
use windlass_ci::fail::Result;
use windlass_ci::session::Session;
use windlass_domain::digest::Digest;
use windlass_domain::outcome::Outcome;
use windlass_evidence::statement::{Predicate, Statement};

use crate::collect::Reports;
use crate::condition::Judged;
use crate::own::Evidence;
use crate::report::Format;

/// What the statements are about.
pub(crate) struct About<'a> {
    pub(crate) artifact: Digest,
    pub(crate) commit: Option<&'a str>,
    pub(crate) environment: &'a str,
    pub(crate) policy: Digest,
    /// The policy's file name.
    pub(crate) policy_name: &'a str,
}

/// Appends the statements; says how many and whether they are signed.
///
/// # Errors
/// When the evidence cannot be written or the key cannot be used.
pub(crate) fn append(
    session: &Session,
    about: &About<'_>,
    reports: &Reports,
    conditions: &[Judged],
    outcome: Outcome,
) -> Result<String> {
    let at = session.context.started.to_string();
    let mut count = 1;
    if let Some(body) = test_result(about, reports, &at) {
        session.attest(&Statement::about(about.artifact, about.commit, Predicate::TestResult, body))?;
        count += 1;
    }
    let body = verdict(about, conditions, outcome, &at);
    session.attest(&Statement::about(about.artifact, about.commit, Predicate::Gate, body))?;
    let signed = if session.signer()?.is_some() { "signed" } else { "unsigned: no --signing-key" };
    let plural = if count == 1 { "statement" } else { "statements" };
    Ok(format!("{count} {plural} added to {} ({signed})", session.evidence_path().display()))
}

/// in-toto `test-result/v0.1`, where tests were reported. Source:
/// <https://github.com/in-toto/attestation/blob/main/spec/predicates/test-result.md>. The names of passed tests are
/// left out; how many there were is in `counts`.
fn test_result(about: &About<'_>, reports: &Reports, at: &str) -> Option<Value> {
    let tests = reports.tests.as_ref()?;
    let sound = tests.tried() && tests.failed == 0 && tests.doubts.is_empty() && reports.problems.is_empty();
    let configuration: Vec<Value> = reports
        .files
        .iter()
        .filter(|file| file.format == Some(Format::Junit))
        .filter_map(|file| Some(json!({ "name": file.file, "digest": { "sha256": file.digest?.hex() } })))
        .collect();
    let failed: Vec<&str> = tests.offenders.iter().map(|offender| offender.name.as_str()).collect();
    Some(json!({
        "result": if sound { "PASSED" } else { "FAILED" },
        "configuration": configuration,
        "failedTests": failed,
        "counts": {
            "total": tests.total,
            "passed": tests.total.saturating_sub(tests.failed + tests.skipped),
            "failed": tests.failed,
            "skipped": tests.skipped,
            "flaky": tests.flaky,
        },
        "at": at,
        "environment": about.environment,
        "policy": about.policy,
    }))
}

/// SLSA verification summary. Source: <https://slsa.dev/spec/v1.0/verification_summary>.
fn verdict(about: &About<'_>, conditions: &[Judged], outcome: Outcome, at: &str) -> Value {
    let passed = outcome == Outcome::Passed;
    let mut inputs: Vec<&Evidence> = Vec::new();
    for input in conditions.iter().flat_map(|judged| judged.inputs.iter().chain(&judged.result.evidence)) {
        if !inputs.contains(&input) {
            inputs.push(input);
        }
    }
    let inputs: Vec<Value> = inputs
        .iter()
        .map(|input| json!({ "uri": input.file, "digest": { "sha256": input.digest.hex() } }))
        .collect();
    let levels: &[&str] = if passed { &["WINDLASS_GATE_PASSED"] } else { &[] };
    json!({
        "verifier": {
            "id": "https://windlass.dev/gate-check",
            "version": { "windlass": env!("CARGO_PKG_VERSION") },
        },
        "timeVerified": at,
        "resourceUri": format!("windlass:environment/{}", about.environment),
        "policy": { "uri": about.policy_name, "digest": { "sha256": about.policy.hex() } },
        "inputAttestations": inputs,
        "verificationResult": if passed { "PASSED" } else { "FAILED" },
        "verifiedLevels": levels,
        "slsaVersion": "1.0",
        "windlassOutcome": outcome,
    })
}
