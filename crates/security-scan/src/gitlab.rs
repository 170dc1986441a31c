//! What GitLab reads of a scan: a report of secret detection and one of dependency scanning, as artifacts of the job.
//!
//! Source: version 15.2.1 of <https://gitlab.com/gitlab-org/security-products/security-report-schemas>. A kind that was
//! not scanned has no report: an empty one would read as clean. No secret is in them, and what waivers accept is not.

use jiff::Timestamp;
use serde_json::{Value, json};
use windlass_ci::sink;

use crate::finding::{Finding, Kind};
use crate::judge::Scan;
use crate::secrets::rules::RULES;
use crate::severity::Severity;
use crate::topics::TOPICS;

const VERSION: &str = "15.2.1";

/// The longest name, in characters.
const LONGEST_NAME: usize = 255;

/// What GitLab's own analyzer says where it knows no commit.
const NO_COMMIT: &str = "0000000";

/// The reports by file name: one for each kind that was scanned.
pub(crate) fn reports(
    scan: &Scan,
    commit: Option<&str>,
    started: Timestamp,
    finished: Timestamp,
) -> Vec<(&'static str, Value)> {
    let commit = commit.unwrap_or(NO_COMMIT);
    let scanned = [
        (Kind::Secret, scan.secrets.is_some(), "gl-secret-detection-report.json", "secret_detection"),
        (
            Kind::Dependency,
            scan.dependencies.is_some(),
            "gl-dependency-scanning-report.json",
            "dependency_scanning",
        ),
    ];
    scanned
        .into_iter()
        .filter(|(_, was_scanned, ..)| *was_scanned)
        .map(|(kind, _, file, name)| (file, report(scan, kind, name, commit, started, finished)))
        .collect()
}

fn report(
    scan: &Scan,
    kind: Kind,
    name: &str,
    commit: &str,
    started: Timestamp,
    finished: Timestamp,
) -> Value {
    let findings: Vec<Value> = scan.counting(kind).map(|finding| vulnerability(finding, commit)).collect();
    let messages: Vec<Value> = scan
        .gaps
        .iter()
        .filter(|gap| gap.kind == kind)
        .map(|gap| json!({ "level": "fatal", "value": sink::line(&format!("{}: {}", gap.place, gap.why)) }))
        .collect();
    let tool = json!({
        "id": "windlass-security-scan",
        "name": "windlass security-scan",
        "version": env!("CARGO_PKG_VERSION"),
        "vendor": { "name": "Windlass" },
    });
    let mut report = json!({
        "version": VERSION,
        "scan": {
            "type": name,
            "status": if messages.is_empty() { "success" } else { "failure" },
            "messages": messages,
            "analyzer": tool,
            "scanner": tool,
            "start_time": time(started),
            "end_time": time(finished),
        },
        "vulnerabilities": findings,
    });
    if kind == Kind::Dependency {
        // Servers before 17 demand it; what it would list is the business of an SBOM.
        report["dependency_files"] = json!([]);
    }
    report
}

fn vulnerability(finding: &Finding, commit: &str) -> Value {
    let topic = TOPICS.iter().find(|topic| topic.key == finding.rule);
    let mut location = json!({ "file": sink::line(&finding.path) });
    if let Some(line) = finding.line {
        location["start_line"] = json!(line);
    }
    match finding.kind {
        Kind::Secret => location["commit"] = json!({ "sha": commit }),
        Kind::Dependency => {
            location["dependency"] = json!({
                "package": { "name": sink::line(finding.package.as_deref().unwrap_or_default()) },
                "version": sink::line(finding.version.as_deref().unwrap_or_default()),
            });
        }
    }
    let place = finding.line.map(|line| format!("-{line}")).unwrap_or_default();
    let mut vulnerability = json!({
        // The same secret may stand on several lines, with one fingerprint.
        "id": format!("{}{place}", finding.fingerprint),
        "name": sink::line(&name(finding)).chars().take(LONGEST_NAME).collect::<String>(),
        "description": sink::markdown(&finding.message),
        "severity": severity(finding.severity),
        "identifiers": [identifier(finding)],
        "location": location,
    });
    if let Some(topic) = topic {
        vulnerability["solution"] = json!(topic.next);
    }
    vulnerability
}

/// What it is, without what only this finding has: GitLab groups by it.
fn name(finding: &Finding) -> String {
    match finding.kind {
        Kind::Secret => {
            let finds = RULES.iter().find(|rule| rule.id() == finding.rule).map(|rule| rule.finds);
            finds.unwrap_or("a secret").to_owned()
        }
        Kind::Dependency => {
            format!("{} in {}", finding.id(), finding.package.as_deref().unwrap_or_default())
        }
    }
}

fn identifier(finding: &Finding) -> Value {
    let id = sink::line(finding.id());
    let mut identifier = json!({ "type": "windlass_rule", "name": id, "value": id });
    if finding.advisory.is_some() {
        identifier["type"] = json!("rustsec");
        identifier["url"] = json!(format!("https://rustsec.org/advisories/{id}.html"));
    }
    identifier
}

const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "Low",
        Severity::Medium => "Medium",
        Severity::High => "High",
        Severity::Critical => "Critical",
    }
}

/// In UTC without a zone, as the schema has it.
fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S").to_string()
}
