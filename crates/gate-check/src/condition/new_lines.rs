//! `coverage.new_lines`: the lines changed since the merge base, held against the reports.

use std::collections::BTreeMap;

use windlass_domain::policy::Condition;

use super::coverage::{FORMATS, NO_REPORT, of_share};
use super::paths::{Match, Tracked};
use super::{Facts, Judged, unreadable};
use crate::git::Changes;
use crate::report::lines::Lines;
use crate::report::model::{Coverage, Offender, Share};
use crate::status::Status;

/// The endings of source files whose coverage is commonly measured. One of these that changed and is in no report is missing, even
/// where no report is about its language.
const SOURCES: [&str; 33] = [
    "c", "cc", "clj", "cpp", "cs", "cxx", "dart", "ex", "fs", "go", "groovy", "h", "hpp", "hs", "java", "jl",
    "js", "jsx", "kt", "lua", "m", "mjs", "ml", "php", "pl", "py", "r", "rb", "rs", "scala", "swift", "ts",
    "tsx",
];

pub(super) fn judge(facts: &Facts<'_>, condition: &Condition) -> Judged {
    if let Some(judged) = unreadable(facts.reports, condition) {
        return judged;
    }
    let Some(coverage) = &facts.reports.coverage else {
        return Judged::of(condition, Status::Missing).why("no report of coverage was found").next(NO_REPORT);
    };
    let judged = match &facts.changes {
        Err(why) => Judged::of(condition, Status::Error)
            .why(why.clone())
            .next("name the revision to compare with by --base, and fetch its history (fetch-depth: 0)"),
        Ok(_) if coverage.lines().found == 0 => Judged::of(condition, Status::Missing)
            .why("the reports name no lines: nothing was measured")
            .next(NO_REPORT),
        Ok(changes) => compare(condition, coverage, changes),
    };
    judged.evidence(facts.reports.evidence(&FORMATS))
}

/// What became of the changed lines.
#[derive(Debug, Default)]
struct Comparison {
    share: Share,
    changed_sources: usize,
    unmeasured: Vec<String>,
    missed: Vec<Offender>,
    ambiguous: Option<String>,
}

fn compare(condition: &Condition, coverage: &Coverage, changes: &Changes) -> Judged {
    let base = &changes.base[..changes.base.len().min(12)];
    let comparison = hold_against(coverage, changes);
    if let Some(why) = comparison.ambiguous {
        return Judged::of(condition, Status::Error)
            .why(why)
            .next("let the coverage tool write paths relative to the repository's root");
    }
    if !comparison.unmeasured.is_empty() {
        let named = comparison.unmeasured.iter().map(|path| {
            Offender::new(path, "changed, and in no report of coverage").at(Some(path.clone()), None)
        });
        return Judged::of(condition, Status::Missing)
            .observed(format!("{} changed files unmeasured", comparison.unmeasured.len()))
            .why(format!("changed since {base} and in no report: {}", comparison.unmeasured.join(", ")))
            .next("measure the coverage of these files too")
            .offenders(named);
    }
    let found = comparison.share.found;
    if found == 0 {
        return Judged::of(condition, Status::NotApplicable)
            .observed(format!("no executable line changed since {base}"));
    }
    if let Some(least) = condition.min_lines.filter(|least| found < *least) {
        return Judged::of(condition, Status::NotApplicable)
            .observed(format!("{found} lines changed since {base}, fewer than the {least} of min_lines"));
    }
    of_share(condition, comparison.share, "changed lines")
        .offenders(comparison.missed)
        .next(format!("test the lines that changed since {base}"))
}

fn hold_against(coverage: &Coverage, changes: &Changes) -> Comparison {
    let tracked = Tracked::new(&changes.tracked);
    let mut measured: BTreeMap<&str, Lines> = BTreeMap::new();
    let mut unclear: Vec<(&str, Vec<&str>)> = Vec::new();
    for (name, file) in &coverage.files {
        match tracked.find(name, &coverage.sources) {
            Match::One(path) => measured.entry(path).or_default().merge(&file.lines),
            Match::Ambiguous(candidates) => unclear.push((name, candidates)),
            Match::Nothing => {}
        }
    }
    let mut comparison = Comparison::default();
    for change in changes.files.iter().filter(|change| is_source(&change.path)) {
        comparison.changed_sources += 1;
        if let Some((name, candidates)) = unclear.iter().find(|(_, all)| all.contains(&change.path.as_str()))
        {
            comparison.ambiguous =
                Some(format!("{name:?} of the report may be any of {}", candidates.join(", ")));
            return comparison;
        }
        let Some(lines) = measured.get(change.path.as_str()) else {
            comparison.unmeasured.push(change.path.clone());
            continue;
        };
        for line in change.lines.iter().cloned().flatten() {
            match lines.hit(line) {
                None => {}
                Some(hit) => {
                    comparison.share.add(Share { hit: u64::from(hit), found: 1 });
                    if !hit && comparison.missed.len() < 20 {
                        let missed =
                            Offender::new(format!("{}:{line}", change.path), "changed, and no test runs it");
                        comparison.missed.push(missed.at(Some(change.path.clone()), Some(line.into())));
                    }
                }
            }
        }
    }
    comparison
}

/// Whether the coverage of a file is asked for: a source file, and not itself a test.
fn is_source(path: &str) -> bool {
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    let Some((stem, ending)) = name.rsplit_once('.') else { return false };
    if !SOURCES.contains(&ending.to_ascii_lowercase().as_str()) {
        return false;
    }
    let in_tests = folders
        .split('/')
        .any(|folder| matches!(folder, "test" | "tests" | "__tests__" | "spec" | "benches"));
    let is_test = stem.starts_with("test_")
        || ["_test", ".test", ".spec", "_spec", "Test", "Tests"].iter().any(|end| stem.ends_with(end))
        || matches!(stem, "tests" | "test" | "conftest");
    !in_tests && !is_test
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::Change;
    use windlass_domain::policy::{Bound, Comparison as Sign, Percent, Quantity};

    fn check(
        min_lines: Option<u64>,
        report: &[(&str, &[(u32, bool)])],
        changed: &[&str],
    ) -> (Status, String) {
        let mut coverage = Coverage::default();
        for (name, lines) in report {
            let file = coverage.files.entry((*name).to_owned()).or_default();
            lines.iter().for_each(|(line, hit)| file.lines.note(*line, *hit));
        }
        let changes = Changes {
            base: "0123456789abcdef".into(),
            files: changed
                .iter()
                .map(|path| Change { path: (*path).into(), lines: std::iter::once(1..4).collect() })
                .collect(),
            tracked: ["src/a.rs", "src/b.rs", "web/b.rs", "README.md", "tests/a.rs", "app.js"]
                .map(Into::into)
                .into(),
        };
        let condition = Condition {
            metric: "coverage.new_lines".into(),
            bound: Bound { comparison: Sign::AtLeast, value: Quantity::Percent(Percent::new(80.0).unwrap()) },
            min_lines,
            advisory: false,
            line: 1,
        };
        let judged = compare(&condition, &coverage, &changes).result;
        (judged.status, judged.observed.or(judged.why).unwrap_or_default())
    }

    #[test]
    fn changed_lines_are_judged_and_what_is_in_no_report_is_missing() {
        let all: &[(u32, bool)] = &[(1, true), (2, true), (9, false)];
        let half: &[(u32, bool)] = &[(1, true), (2, false)];
        type Case<'a> = (&'a str, Option<u64>, &'a str, &'a [(u32, bool)], &'a [&'a str], Status);
        let cases: [Case<'_>; 9] = [
            ("all of them ran", None, "src/a.rs", all, &["src/a.rs"], Status::Passed),
            ("half of them ran", None, "src/a.rs", half, &["src/a.rs"], Status::Failed),
            ("too few to judge", Some(20), "src/a.rs", half, &["src/a.rs"], Status::NotApplicable),
            ("in no report", None, "src/a.rs", all, &["src/b.rs"], Status::Missing),
            ("another language", None, "src/a.rs", all, &["app.js"], Status::Missing),
            ("no path in common", None, "/elsewhere/x.rs", all, &["src/a.rs"], Status::Missing),
            ("ambiguous", None, "b.rs", all, &["src/b.rs"], Status::Error),
            (
                "only a document and a test",
                None,
                "src/a.rs",
                all,
                &["README.md", "tests/a.rs"],
                Status::NotApplicable,
            ),
            ("nothing executable", None, "src/a.rs", &[(9, true)], &["src/a.rs"], Status::NotApplicable),
        ];
        for (case, min_lines, name, lines, changed, expected) in cases {
            let (status, said) = check(min_lines, &[(name, lines)], changed);
            assert_eq!(status, expected, "{case}: {said}");
        }
    }
}
