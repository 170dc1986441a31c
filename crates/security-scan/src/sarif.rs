//! SARIF 2.1.0: what code scanning and other gates read.
//!
//! Source: <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>, and GitHub's limits:
//! <https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning>.
//! It has no snippets: they would hold the secrets.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::finding::{Finding, Kind, State};
use crate::judge::Scan;
use crate::secrets::rules::RULES;
use crate::topics::TOPICS;

/// GitHub refuses more results in one run. The findings are sorted, so that the worst are in.
const MOST_RESULTS: usize = 25_000;

/// The log of a scan.
pub(crate) fn log(scan: &Scan) -> Value {
    let findings = &scan.findings[..scan.findings.len().min(MOST_RESULTS)];
    let rules = rules(findings);
    let order: BTreeMap<&str, usize> =
        rules.iter().enumerate().map(|(index, (id, _))| (*id, index)).collect();
    let results: Vec<Value> = findings.iter().map(|finding| result(finding, order[finding.id()])).collect();
    json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "windlass security-scan",
                "informationUri": "https://windlass.dev/",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules.into_values().collect::<Vec<_>>(),
            }},
            "invocations": [invocation(scan)],
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

/// A run with a gap was not successful: its silence proves nothing.
fn invocation(scan: &Scan) -> Value {
    let mut notes: Vec<Value> = scan
        .gaps
        .iter()
        .take(MOST_RESULTS)
        .map(|gap| {
            let text = format!("{} not scanned: {}: {}", gap.kind.scan(), gap.place, gap.why);
            json!({ "level": "error", "descriptor": { "id": gap.topic.key }, "message": { "text": message(&text) } })
        })
        .collect();
    if scan.findings.len() > MOST_RESULTS {
        let text = format!("{} results left out", scan.findings.len() - MOST_RESULTS);
        notes.push(json!({ "level": "warning", "message": { "text": text } }));
    }
    json!({ "executionSuccessful": scan.gaps.is_empty(), "toolExecutionNotifications": notes })
}

/// The rules of these findings by id: an advisory is a rule of its own.
fn rules(findings: &[Finding]) -> BTreeMap<&str, Value> {
    let mut rules = BTreeMap::new();
    for finding in findings {
        rules.entry(finding.id()).or_insert_with(|| rule(finding));
    }
    rules
}

fn rule(finding: &Finding) -> Value {
    let topic = TOPICS.iter().find(|topic| topic.key == finding.rule);
    let (means, next) = topic.map_or(("", ""), |topic| (topic.means, topic.next));
    let short = match finding.kind {
        Kind::Dependency => finding.message.clone(),
        Kind::Secret => RULES
            .iter()
            .find(|rule| rule.id() == finding.rule)
            .map_or("a secret", |rule| rule.finds)
            .to_owned(),
    };
    let mut rule = json!({
        "id": finding.id(),
        "shortDescription": { "text": message(&short) },
        "fullDescription": { "text": means },
        "help": { "text": format!("{means} {next}") },
        "defaultConfiguration": { "level": finding.severity.sarif_level() },
        "properties": {
            "tags": ["security", finding.kind.scan()],
            "security-severity": finding.severity.security_severity(),
        },
    });
    if let Some(advisory) = &finding.advisory {
        rule["helpUri"] = json!(format!("https://rustsec.org/advisories/{advisory}.html"));
    }
    rule
}

fn result(finding: &Finding, rule_index: usize) -> Value {
    let mut place = json!({ "artifactLocation": { "uri": finding.uri, "uriBaseId": "%SRCROOT%" } });
    if let Some(line) = finding.line {
        place["region"] = json!({ "startLine": line });
    }
    let mut result = json!({
        "ruleId": finding.id(),
        "ruleIndex": rule_index,
        "level": finding.severity.sarif_level(),
        "message": { "text": message(&finding.message) },
        "locations": [{ "physicalLocation": place }],
        "partialFingerprints": { "windlass/v1": finding.fingerprint },
        "properties": { "severity": finding.severity },
    });
    match finding.state {
        State::Waived => result["suppressions"] = json!([{ "kind": "inSource", "status": "accepted" }]),
        State::New | State::Existing => {}
    }
    result
}

/// A plain-text message: in SARIF `[text](target)` is a link, and viewers show a message's lines.
fn message(text: &str) -> String {
    windlass_ci::sink::line(text).replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]")
}
