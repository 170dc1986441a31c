//! Finding the reports, reading them all, and remembering which could not be read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use windlass_domain::digest::Digest;

use crate::own::{Evidence, ReportResult};
use crate::report::model::{Content, Coverage, Findings, Tests};
use crate::report::{self, Format, Parsed, Trouble};
use crate::summary;

/// Where reports are looked for when nobody says.
const DEFAULT_GLOBS: [&str; 7] = [
    "reports/**",
    "**/junit*.xml",
    "**/TEST-*.xml",
    "**/lcov.info",
    "**/cobertura*.xml",
    "**/coverage.xml",
    "**/*.sarif",
];
/// Names that promise a report: such a file must be one.
const PROMISING_GLOBS: [&str; 7] = [
    "**/junit*.xml",
    "**/TEST-*.xml",
    "**/*.info",
    "**/cobertura*.xml",
    "**/coverage.xml",
    "**/*.sarif",
    "**/*.lcov",
];
/// Folders that are never looked into.
const SKIPPED: [&str; 4] = ["target", "node_modules", ".git", ".windlass"];

/// All reports, joined by what they are about, and all that went wrong.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    /// Every report, read or not.
    pub(crate) files: Vec<ReportResult>,
    pub(crate) tests: Option<Tests>,
    pub(crate) coverage: Option<Coverage>,
    pub(crate) findings: Option<Findings>,
    /// What makes every condition on reports unjudgeable.
    pub(crate) problems: Vec<String>,
    /// Files that are no reports, and need not be, and verdicts of gates.
    pub(crate) ignored: Vec<String>,
}

impl Reports {
    /// The first report of one of these forms.
    pub(crate) fn evidence(&self, formats: &[Format]) -> Option<Evidence> {
        self.files.iter().find_map(|file| {
            let (format, digest) = (file.format?, file.digest?);
            formats.contains(&format).then(|| Evidence { file: file.file.clone(), digest })
        })
    }
}

/// Reads every report under `folder` that one of `globs` matches; the default ones where there are none.
pub(crate) fn collect(folder: &Path, globs: &[String]) -> Reports {
    let mut reports = Reports::default();
    let chosen: Vec<&str> =
        if globs.is_empty() { DEFAULT_GLOBS.to_vec() } else { globs.iter().map(String::as_str).collect() };
    let sets: Vec<(&str, GlobSet)> = chosen
        .iter()
        .filter_map(|glob| match set(&[glob.trim_start_matches("./")]) {
            Ok(set) => Some((*glob, set)),
            Err(error) => {
                reports.problems.push(format!("--reports {glob:?} is not a glob: {error}"));
                None
            }
        })
        .collect();
    let promising = set(&PROMISING_GLOBS).expect("the built-in globs are well-formed");
    let mut matched = BTreeSet::new();
    let mut digests = BTreeSet::new();
    for path in walk(folder, &mut reports.problems) {
        let relative = path.strip_prefix(folder).unwrap_or(&path);
        let mut hit = false;
        for (glob, set) in &sets {
            if set.is_match(relative) {
                hit = true;
                matched.insert(*glob);
            }
        }
        if hit {
            let name = plain_name(relative);
            take(&mut reports, &mut digests, name, &path, promising.is_match(relative));
        }
    }
    for glob in globs.iter().filter(|glob| !matched.contains(glob.as_str())) {
        reports.problems.push(format!("no file matches --reports {glob:?}"));
    }
    reports
}

/// Reads the files that are named, all of which must be reports.
pub(crate) fn read_files(folder: &Path, files: &[PathBuf]) -> Vec<ReportResult> {
    files
        .iter()
        .map(|file| summary::of(file.display().to_string(), &report::read_file(&folder.join(file))))
        .collect()
}

/// A name as reports and evidence bear it: separated by `/` on every system.
pub(crate) fn plain_name(path: &Path) -> String {
    path.components().map(|component| component.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

fn set(globs: &[&str]) -> Result<GlobSet, globset::Error> {
    let mut builder = GlobSetBuilder::new();
    for glob in globs {
        builder.add(GlobBuilder::new(glob).literal_separator(true).build()?);
    }
    builder.build()
}

fn walk(folder: &Path, problems: &mut Vec<String>) -> Vec<PathBuf> {
    let walker = ignore::WalkBuilder::new(folder)
        .standard_filters(false)
        .filter_entry(|entry| {
            let skipped = entry.file_name().to_str().is_some_and(|name| SKIPPED.contains(&name));
            entry.depth() == 0 || !skipped || !entry.file_type().is_some_and(|kind| kind.is_dir())
        })
        .sort_by_file_path(Path::cmp)
        .build();
    let mut paths = Vec::new();
    for entry in walker {
        match entry {
            // A link to a file is read as the file; links to folders are not followed.
            Ok(entry) if entry.path().is_file() => paths.push(entry.into_path()),
            Ok(_) => {}
            Err(error) => problems.push(format!("cannot look for reports: {error}")),
        }
    }
    paths
}

fn take(reports: &mut Reports, digests: &mut BTreeSet<Digest>, name: String, path: &Path, promising: bool) {
    let parsed = report::read_file(path);
    if matches!(parsed, Err(Trouble::Unknown(_))) && !promising {
        reports.ignored.push(name);
        return;
    }
    // A gate that counted its own verdict as tests would let a release on that has none.
    if matches!(&parsed, Ok(Parsed { content: Content::Tests(tests), .. }) if tests.of_a_gate) {
        reports.ignored.push(name);
        return;
    }
    reports.files.push(summary::of(name.clone(), &parsed));
    match parsed {
        // The same bytes in two places are one report.
        Ok(parsed) if !digests.insert(parsed.digest) => {}
        Ok(parsed) => join(reports, parsed.content),
        Err(trouble) => reports.problems.push(format!("{name} {trouble}")),
    }
}

fn join(reports: &mut Reports, content: Content) {
    match content {
        Content::Tests(tests) => reports.tests.get_or_insert_default().merge(tests),
        Content::Coverage(coverage) => reports.coverage.get_or_insert_default().merge(coverage),
        Content::Findings(findings) => reports.findings.get_or_insert_default().merge(findings),
    }
}
