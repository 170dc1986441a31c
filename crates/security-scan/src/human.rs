//! Standard output for people: the verdict first, then what was found, what was not scanned, and what was.

use std::fmt::Write as _;

use windlass_ci::sink;
use windlass_domain::outcome::Outcome;

use crate::finding::{Finding, Kind, State};
use crate::judge::Scan;
use crate::reasons;

/// How many findings and gaps are shown each; the document has all of them.
const SHOWN: usize = 100;

/// The text; what comes from outside is escaped.
pub(crate) fn text(scan: &Scan, attested: &str) -> String {
    let mut lines = vec![format!("security-scan: {}", verdict(scan))];
    lines.extend(findings(&scan.findings));
    if !scan.gaps.is_empty() {
        lines.push("not scanned:".to_owned());
        for gap in scan.gaps.iter().take(SHOWN) {
            lines.push(format!(
                "  {}: {}: {}",
                gap.kind.scan(),
                sink::line(&gap.place),
                sink::line(&gap.why)
            ));
            lines.push(format!("    next: {}", sink::line(&gap.next)));
        }
        lines.extend(rest(scan.gaps.len()));
    }
    lines.push(scanned(scan));
    lines.push(format!("evidence: {}", sink::line(attested)));
    lines.extend(more(scan));
    lines.into_iter().fold(String::new(), |mut text, line| {
        writeln!(text, "{line}").expect("writing to a string cannot fail");
        text
    })
}

/// The verdict in a sentence, outcome first.
pub(crate) fn verdict(scan: &Scan) -> String {
    let outcome = scan.outcome();
    let found = [Kind::Secret, Kind::Dependency]
        .into_iter()
        .filter(|kind| scan.counting(*kind).next().is_some())
        .map(|kind| format!("{} ({})", kind.scan(), reasons::counts(scan, kind)))
        .collect::<Vec<_>>()
        .join(" and ");
    let incomplete = match scan.gaps.len() {
        0 => String::new(),
        1 => "; 1 thing could not be scanned".to_owned(),
        count => format!("; {count} things could not be scanned"),
    };
    match outcome {
        Outcome::Failed => {
            format!("failed: {found}; accepted is only what is below {}{incomplete}", scan.fail_on)
        }
        Outcome::Unknown if found.is_empty() => {
            format!("unknown: nothing found, but not everything was scanned{incomplete}")
        }
        Outcome::Unknown => format!("unknown: {found}, all below {}{incomplete}", scan.fail_on),
        Outcome::Passed if found.is_empty() => "passed: nothing found".to_owned(),
        Outcome::Passed => format!("passed: {found}, all below {}", scan.fail_on),
        Outcome::Invalid | Outcome::Held | Outcome::Stuck | Outcome::Refused => outcome.word().to_owned(),
    }
}

fn findings(findings: &[Finding]) -> Vec<String> {
    let shown = || findings.iter().take(SHOWN);
    let width = |text: fn(&Finding) -> String| {
        shown().map(|finding| text(finding).chars().count()).max().unwrap_or(0)
    };
    let (first, second, third) = (width(severity), width(id), width(place).min(60));
    let mut lines: Vec<String> = shown()
        .map(|finding| {
            let message = sink::line(&finding.message);
            format!(
                "  {:first$}  {:second$}  {:third$}  {message}",
                severity(finding),
                id(finding),
                place(finding)
            )
        })
        .collect();
    lines.extend(rest(findings.len()));
    lines
}

fn severity(finding: &Finding) -> String {
    match finding.state {
        State::New | State::Existing => finding.severity.to_string(),
        State::Waived => "waived".to_owned(),
    }
}

fn id(finding: &Finding) -> String {
    sink::line(finding.id())
}

fn place(finding: &Finding) -> String {
    sink::line(&finding.place())
}

fn rest(count: usize) -> Option<String> {
    (count > SHOWN).then(|| format!("  … and {} more in security-scan.json", count - SHOWN))
}

/// What was scanned, in a line.
pub(crate) fn scanned(scan: &Scan) -> String {
    let mut parts = Vec::new();
    if let Some(secrets) = &scan.secrets {
        parts.push(format!(
            "{} ({}) for secrets, {} binary ones left out",
            counted(secrets.files, "file"),
            size(secrets.bytes),
            secrets.binaries
        ));
    }
    if let Some(dependencies) = &scan.dependencies {
        parts.push(match (&dependencies.database, dependencies.locks.len() as u64) {
            (_, 0) => "no lock file that could be read, so no dependencies".to_owned(),
            (None, locks) => format!("no package of {}, for want of a database", counted(locks, "lock file")),
            (Some(database), locks) => format!(
                "{} of {} against {} advisories, the newest {} old",
                counted(dependencies.packages, "package"),
                counted(locks, "lock file"),
                database.count,
                counted(database.days(), "day")
            ),
        });
    }
    format!("scanned: {}", parts.join("; "))
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{}.{} kB", bytes / 1_000, bytes % 1_000 / 100),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}

fn more(scan: &Scan) -> Option<String> {
    let finding = scan.findings.iter().find(|finding| finding.counts()).map(|finding| finding.rule.as_str());
    let word = finding.or_else(|| scan.gaps.first().map(|gap| gap.topic.key))?;
    Some(format!("more: windlass explain {word}"))
}
