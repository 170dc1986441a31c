//! The job summary: the verdict first, then a table of findings, then what was not scanned.

use std::fmt::Write as _;

use windlass_ci::sink;

use crate::finding::State;
use crate::human;
use crate::judge::Scan;

/// How many findings and gaps are shown each: GitHub takes 1 MiB a summary.
const SHOWN: usize = 100;

/// The summary; what comes from outside is escaped.
pub(crate) fn text(scan: &Scan, attested: &str) -> String {
    let mut text = format!("## security-scan: {}\n\n", sink::markdown(&human::verdict(scan)));
    let mut line = |part: String| writeln!(text, "{part}").expect("writing to a string cannot fail");
    if !scan.findings.is_empty() {
        line("| severity | what | where | why |\n|---|---|---|---|".to_owned());
        for finding in scan.findings.iter().take(SHOWN) {
            let severity = match finding.state {
                State::New | State::Existing => finding.severity.word(),
                State::Waived => "waived",
            };
            let cells = [severity, finding.id(), &finding.place(), &finding.message].map(sink::markdown);
            line(format!("| {} |", cells.join(" | ")));
        }
        if scan.findings.len() > SHOWN {
            line(format!("\n… and {} more in security-scan.json", scan.findings.len() - SHOWN));
        }
        line(String::new());
    }
    if !scan.gaps.is_empty() {
        line("Not scanned:\n".to_owned());
        for gap in scan.gaps.iter().take(SHOWN) {
            let [kind, place, why, next] =
                [gap.kind.scan(), &gap.place, &gap.why, &gap.next].map(sink::markdown);
            line(format!("- {kind}: {place}: {why}. Next: {next}"));
        }
        if scan.gaps.len() > SHOWN {
            line(format!("- … and {} more in security-scan.json", scan.gaps.len() - SHOWN));
        }
        line(String::new());
    }
    line(sink::markdown(&human::scanned(scan)));
    line(String::new());
    line(format!("evidence: {}", sink::markdown(attested)));
    text
}
