//! Why the scan ended so, for the document, and the places that a CI system marks.

use windlass_ci::report::{Annotation, Level};
use windlass_domain::outcome::Reason;

use crate::finding::{Finding, Kind};
use crate::judge::Scan;
use crate::severity::Severity;

/// One reason for each kind that failed, naming its worst finding, and one for each gap.
pub(crate) fn reasons(scan: &Scan) -> Vec<Reason> {
    let failed = [Kind::Secret, Kind::Dependency].into_iter().filter_map(|kind| failed(scan, kind));
    failed.chain(scan.gaps.iter().map(crate::gap::Gap::reason)).collect()
}

fn failed(scan: &Scan, kind: Kind) -> Option<Reason> {
    // The findings are sorted: the first is the worst.
    let worst = scan.counting(kind).find(|finding| finding.fails(scan.fail_on))?;
    let next = match (kind, &worst.fixed_in) {
        (Kind::Dependency, Some(versions)) => {
            format!("update {} to {versions}", worst.package.as_deref().unwrap_or_default())
        }
        (Kind::Dependency, None) => format!("replace {}", worst.package.as_deref().unwrap_or_default()),
        (Kind::Secret, _) => "revoke it at its issuer, then take it out of the tree".to_owned(),
    };
    Some(
        Reason::new(kind.scan())
            .observed(counts(scan, kind))
            .required(format!("none at {} or above", scan.fail_on))
            .place(worst.place())
            .why(format!("{} ({}): {}", worst.id(), worst.severity, worst.message))
            .next(format!("{next}; more: windlass explain {}", worst.rule)),
    )
}

/// `2 critical, 1 low`, of the findings that count.
pub(crate) fn counts(scan: &Scan, kind: Kind) -> String {
    let parts: Vec<String> = Severity::ALL
        .into_iter()
        .map(|severity| (scan.count(kind, severity), severity))
        .filter(|(count, _)| *count > 0)
        .map(|(count, severity)| format!("{count} {severity}"))
        .collect();
    if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
}

/// A mark for each finding that counts and for each gap.
pub(crate) fn annotations(scan: &Scan) -> Vec<Annotation> {
    let gaps = scan.gaps.iter().map(|gap| Annotation {
        level: Level::Error,
        title: format!("{} not scanned", gap.kind.scan()),
        message: format!("{}: {}; {}", gap.place, gap.why, gap.next),
        path: None,
        line: None,
    });
    let findings = scan.findings.iter().filter(|finding| finding.counts()).map(|finding| Annotation {
        level: level(finding, scan.fail_on),
        title: finding.id().to_owned(),
        message: format!("{} ({})", finding.message, finding.severity),
        path: Some(finding.path.clone()),
        line: finding.line,
    });
    findings.chain(gaps).collect()
}

fn level(finding: &Finding, fail_on: Severity) -> Level {
    if finding.fails(fail_on) {
        return Level::Error;
    }
    match finding.severity {
        Severity::Critical | Severity::High | Severity::Medium => Level::Warning,
        Severity::Low => Level::Notice,
    }
}
