//! What one report says, in numbers.

use crate::own::{CoverageCounts, FindingCounts, ReportResult, TestCounts};
use crate::report::model::{Content, Offender};
use crate::report::{Parsed, Trouble};

/// How many offenders of one report are shown.
const SHOWN: usize = 10;

/// The numbers of a report, or why there are none.
pub(crate) fn of(file: String, parsed: &Result<Parsed, Trouble>) -> ReportResult {
    let mut result = ReportResult {
        file,
        digest: None,
        format: None,
        trouble: None,
        tests: None,
        coverage: None,
        findings: None,
        offenders: Vec::new(),
    };
    match parsed {
        Err(trouble) => result.trouble = Some(trouble.to_string()),
        Ok(parsed) => {
            result.digest = Some(parsed.digest);
            result.format = Some(parsed.format);
            count(&mut result, &parsed.content);
        }
    }
    result.offenders.truncate(SHOWN);
    result
}

fn count(result: &mut ReportResult, content: &Content) {
    match content {
        Content::Tests(tests) => {
            result.tests = Some(TestCounts {
                total: tests.total,
                failed: tests.failed,
                skipped: tests.skipped,
                flaky: tests.flaky,
                duration_ms: u64::try_from(tests.duration.as_millis()).unwrap_or(u64::MAX),
                untimed: tests.untimed,
            });
            let doubts = tests.doubts.iter().map(|doubt| Offender::new("totals", doubt));
            result.offenders = doubts
                .chain(tests.offenders.iter().cloned())
                .chain(tests.flaky_offenders.iter().cloned())
                .collect();
        }
        Content::Coverage(coverage) => {
            result.coverage = Some(CoverageCounts {
                files: coverage.files.len() as u64,
                lines: coverage.lines(),
                branches: coverage.branches(),
                functions: coverage.functions(),
            });
            result.offenders = coverage
                .lowest()
                .into_iter()
                .take(SHOWN)
                .filter(|(_, share)| share.hit < share.found)
                .map(|(name, share)| {
                    Offender::new(name, &format!("{} of {} lines", share.hit, share.found))
                        .at(Some(name.to_owned()), None)
                })
                .collect();
        }
        Content::Findings(findings) => {
            result.findings = Some(FindingCounts {
                error: findings.errors,
                warning: findings.warnings,
                note: findings.notes,
                suppressed: findings.suppressed,
            });
            result.offenders =
                findings.error_offenders.iter().chain(&findings.warning_offenders).cloned().collect();
        }
    }
}
