//! The scan from beginning to end: list, scan, judge, write, attest.

use std::path::{Path, PathBuf};
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use windlass_ci::fail::{Failure, Result};
use windlass_ci::report::Report;
use windlass_ci::session::Session;
use windlass_domain::explain::Topic;
use windlass_domain::outcome::Outcome;

use crate::args::Arguments;
use crate::attest::{self, Subject};
use crate::dependencies::{self, Dependencies, Question};
use crate::document::{DatabaseAge, Own, Scanned};
use crate::finding::{self, Finding, Kind};
use crate::gap::Gap;
use crate::secrets::{self, Secrets};
use crate::severity::Severity;
use crate::{gitlab, human, markdown, reasons, sarif, sbom, topics, tree};

/// Everything that the scan came to.
pub(crate) struct Scan {
    /// The scan of dependencies, where it was asked for.
    pub(crate) dependencies: Option<Dependencies>,
    /// The scan for secrets, where it was asked for.
    pub(crate) secrets: Option<Secrets>,
    /// All findings, sorted.
    pub(crate) findings: Vec<Finding>,
    /// All gaps.
    pub(crate) gaps: Vec<Gap>,
    /// From which severity on findings fail it.
    pub(crate) fail_on: Severity,
}

impl Scan {
    /// A finding fails it, also where something could not be scanned; a gap makes it unknown; else it passed.
    pub(crate) fn outcome(&self) -> Outcome {
        if self.findings.iter().any(|finding| finding.fails(self.fail_on)) {
            Outcome::Failed
        } else if self.gaps.is_empty() {
            Outcome::Passed
        } else {
            Outcome::Unknown
        }
    }

    /// How many findings of this kind and severity count.
    pub(crate) fn count(&self, kind: Kind, severity: Severity) -> usize {
        self.counting(kind).filter(|finding| finding.severity == severity).count()
    }

    /// The findings of this kind that count.
    pub(crate) fn counting(&self, kind: Kind) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |finding| finding.kind == kind && finding.counts())
    }

    /// The tool's own part of the document.
    fn own(&self) -> Own {
        let secrets = self.secrets.as_ref();
        let dependencies = self.dependencies.as_ref();
        let database = dependencies.and_then(|scan| scan.database.as_ref());
        Own {
            findings: self.findings.clone(),
            scanned: Scanned {
                files: secrets.map_or(0, |scan| scan.files),
                bytes: secrets.map_or(0, |scan| scan.bytes),
                binaries: secrets.map_or(0, |scan| scan.binaries),
                packages: dependencies.map_or(0, |scan| scan.packages),
                databases: database
                    .map(|database| DatabaseAge { name: "rustsec".to_owned(), age_ms: database.age_ms })
                    .into_iter()
                    .collect(),
            },
        }
    }
}

/// Scans, and reports what came of it.
pub(crate) fn judge(session: &Session, arguments: &Arguments) -> Result<Report<Own>> {
    let begun = Instant::now();
    let epoch = epoch(session, arguments)?;
    // What could refuse the run refuses it before it takes time.
    let subject = attest::subject(session)?;
    let scan = scan(session, arguments)?;
    let elapsed = SignedDuration::try_from(begun.elapsed()).unwrap_or_default();
    let finished = session.context.started.checked_add(elapsed).unwrap_or(session.context.started);
    let sarif = write_sarif(session, arguments, &scan)?;
    let sbom = write_sbom(session, arguments, &scan, epoch, &subject)?;
    write_for_gitlab(session, &scan, finished)?;
    let attested = match &subject {
        Subject::Artifact(_) if session.common.plan => "nothing appended: --plan".to_owned(),
        Subject::Artifact(digest) => attest::append(session, &scan, *digest, finished)?,
        Subject::None(why) => format!("nothing appended: {why}"),
    };
    let mut report = Report::new(scan.outcome());
    report.artifact = match subject {
        Subject::Artifact(digest) => Some(digest),
        Subject::None(_) => None,
    };
    report.reasons = reasons::reasons(&scan);
    report.text = human::text(&scan, &attested);
    report.markdown = markdown::text(&scan, &attested);
    report.annotations = reasons::annotations(&scan);
    report.files = sarif.into_iter().chain(sbom).collect();
    report.own = scan.own();
    Ok(report)
}

fn scan(session: &Session, arguments: &Arguments) -> Result<Scan> {
    let folder = &session.context.folder;
    let root = arguments.path.as_ref().map_or_else(|| folder.clone(), |path| folder.join(path));
    let tree = tree::list(&root, folder).map_err(|error| {
        Failure::invalid(&topics::PATH, format!("cannot scan {}", root.display())).because(error)
    })?;
    session.progress.now("scanning");
    let dependencies = arguments.wants(Kind::Dependency).then(|| {
        let question = Question {
            database: arguments.database.as_deref(),
            max_age: arguments.max_age.0,
            demanded: !arguments.only.is_empty() || arguments.sbom.is_some(),
        };
        dependencies::scan(&tree, &question, &session.context)
    });
    let secrets = arguments.wants(Kind::Secret).then(|| secrets::scan(&tree));
    let mut findings: Vec<Finding> = Vec::new();
    let mut gaps = Vec::new();
    if let Some(scan) = &dependencies {
        findings.extend_from_slice(&scan.findings);
        gaps.extend_from_slice(&scan.gaps);
    }
    if let Some(scan) = &secrets {
        findings.extend_from_slice(&scan.findings);
        gaps.extend_from_slice(&scan.gaps);
    }
    finding::sort(&mut findings);
    Ok(Scan { dependencies, secrets, findings, gaps, fail_on: arguments.fail_on })
}

/// Writes the SARIF file, and says under which name it is an output. With `--plan` nothing is written.
fn write_sarif(session: &Session, arguments: &Arguments, scan: &Scan) -> Result<Option<(String, PathBuf)>> {
    if session.common.plan {
        return Ok(None);
    }
    let path = match &arguments.sarif {
        Some(path) => session.context.folder.join(path),
        None => session.report_dir().join("security-scan.sarif"),
    };
    write(&path, &sarif::log(scan), &topics::SARIF_FILE)?;
    Ok(Some(("sarif-path".to_owned(), path)))
}

/// GitLab takes its reports as files that the job names as artifacts.
fn write_for_gitlab(session: &Session, scan: &Scan, finished: Timestamp) -> Result<()> {
    if session.common.plan || session.host.name() != "gitlab" {
        return Ok(());
    }
    let commit = session.host.commit();
    for (file, report) in gitlab::reports(scan, commit.as_deref(), session.context.started, finished) {
        write(&session.report_dir().join(file), &report, &topics::SARIF_FILE)?;
    }
    Ok(())
}

/// The time that the list of packages bears, unless it is the run's: what SOURCE_DATE_EPOCH says, so that the same tree
/// gives the same bytes.
fn epoch(session: &Session, arguments: &Arguments) -> Result<Option<Timestamp>> {
    if arguments.sbom.is_some() && !arguments.wants(Kind::Dependency) {
        return Err(Failure::invalid(&topics::SBOM, "--sbom lists dependencies, and --only leaves them out"));
    }
    let Some(text) = session.context.var("SOURCE_DATE_EPOCH") else { return Ok(None) };
    let second = text.parse().ok().and_then(|second| Timestamp::from_second(second).ok());
    let refuse = || Failure::invalid(&topics::SBOM, "SOURCE_DATE_EPOCH is no count of seconds since 1970");
    second.map(Some).ok_or_else(refuse)
}

/// Writes the list of packages, and says under which name it is an output. Without a lock file there is none: an empty
/// one would read as a tree without packages.
fn write_sbom(
    session: &Session,
    arguments: &Arguments,
    scan: &Scan,
    epoch: Option<Timestamp>,
    subject: &Subject,
) -> Result<Option<(String, PathBuf)>> {
    if session.common.plan {
        return Ok(None);
    }
    let path = match &arguments.sbom {
        Some(path) => session.context.folder.join(path),
        None => session.report_dir().join("security-scan.cdx.json"),
    };
    let Some(dependencies) = scan.dependencies.as_ref().filter(|scan| !scan.locks.is_empty()) else {
        windlass_ci::file::take_away(&path).map_err(|error| {
            let message = format!("cannot take away {}", path.display());
            Failure::unknown(&topics::SBOM_FILE, message).because(error)
        })?;
        return Ok(None);
    };
    let about = sbom::About {
        name: tree_name(session, arguments),
        artifact: match subject {
            Subject::Artifact(digest) => Some(*digest),
            Subject::None(_) => None,
        },
        at: epoch.unwrap_or(session.context.started),
    };
    write(&path, &sbom::document(dependencies, &about), &topics::SBOM_FILE)?;
    Ok(Some(("sbom-path".to_owned(), path)))
}

/// What the tree is called: the policy's app, else its folder.
fn tree_name(session: &Session, arguments: &Arguments) -> String {
    let of_policy = session.policy().ok().map(|located| located.policy.app);
    of_policy.unwrap_or_else(|| {
        let folder = &session.context.folder;
        let root = arguments.path.as_ref().map_or_else(|| folder.clone(), |path| folder.join(path));
        let root = root.canonicalize().unwrap_or(root);
        root.file_name().map_or_else(|| "tree".to_owned(), |name| name.to_string_lossy().into_owned())
    })
}

fn write(path: &Path, log: &serde_json::Value, topic: &'static Topic) -> Result<()> {
    let text = serde_json::to_string_pretty(log).expect("a log has only string keys");
    windlass_ci::file::write_whole(path, text.as_bytes())
        .map_err(|error| Failure::unknown(topic, format!("cannot write {}", path.display())).because(error))
}
