//! Dependencies: every package of every `Cargo.lock` of the tree, looked up in a local RustSec database.

mod database;
mod foreign;
mod lock;

use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use rustsec::advisory::{Advisory, Informational};
use rustsec::database::Query;
use rustsec::package::Package;
use sha2::{Digest as _, Sha256};
use windlass_ci::context::Context;

pub(crate) use self::database::Database;
pub(crate) use self::lock::Lock;
use crate::finding::{Finding, Kind, State};
use crate::gap::Gap;
use crate::severity::Severity;
use crate::topics;
use crate::tree::Tree;

/// What the scan of dependencies came to.
#[derive(Default)]
pub(crate) struct Dependencies {
    /// What was found.
    pub(crate) findings: Vec<Finding>,
    /// What could not be scanned.
    pub(crate) gaps: Vec<Gap>,
    /// How many packages were looked up.
    pub(crate) packages: u64,
    /// The lock files that they come from.
    pub(crate) locks: Vec<Lock>,
    /// Whether these are all that the tree names packages in.
    pub(crate) lists_all: bool,
    /// The database, where it could be read.
    pub(crate) database: Option<Database>,
}

impl Dependencies {
    /// Whether there was something to scan and all of it was scanned: only then do the counts prove anything.
    pub(crate) fn complete(&self) -> bool {
        self.gaps.is_empty() && !self.locks.is_empty()
    }
}

/// What the scan needs to know.
pub(crate) struct Question<'a> {
    /// `--database`.
    pub(crate) database: Option<&'a Path>,
    /// The greatest age of the newest advisory.
    pub(crate) max_age: SignedDuration,
    /// Whether dependencies were asked for by name: then a tree without a lock file is no answer.
    pub(crate) demanded: bool,
}

/// Scans every lock file of the tree.
pub(crate) fn scan(tree: &Tree, question: &Question<'_>, context: &Context) -> Dependencies {
    let mut result = Dependencies::default();
    for (place, why) in &tree.unreadable {
        result.gaps.push(Gap::new(Kind::Dependency, &topics::FILE_UNREADABLE, place, why));
    }
    let found = lock::find(tree);
    result.gaps.extend(found.gaps);
    result.gaps.extend(foreign::gaps(tree));
    result.lists_all = result.gaps.is_empty();
    if found.locks.is_empty() {
        if question.demanded && result.gaps.is_empty() {
            result.gaps.push(Gap::new(
                Kind::Dependency,
                &topics::LOCK_MISSING,
                ".",
                "no Cargo.lock in the tree",
            ));
        }
        return result;
    }
    let database =
        folder(question.database, context).and_then(|folder| Database::open(&folder, context.started));
    match database {
        Ok(database) => {
            result.gaps.extend(database.stale(question.max_age));
            for lock in &found.locks {
                look_up(lock, &database, &mut result);
            }
            result.database = Some(database);
        }
        Err(gap) => result.gaps.push(*gap),
    }
    result.locks = found.locks;
    result
}

/// `--database`, or `windlass/advisory-db` in the user's cache folder.
fn folder(given: Option<&Path>, context: &Context) -> Result<PathBuf, Box<Gap>> {
    if let Some(given) = given {
        return Ok(context.folder.join(given));
    }
    let cache = match (context.var("XDG_CACHE_HOME"), context.var("HOME")) {
        (Some(cache), _) if Path::new(cache).is_absolute() => PathBuf::from(cache),
        (_, Some(home)) => Path::new(home).join(".cache"),
        (_, None) => {
            let why =
                "neither --database, WINDLASS_DATABASE, XDG_CACHE_HOME nor HOME says where the database is";
            return Err(Box::new(Gap::new(Kind::Dependency, &topics::DATABASE_MISSING, "", why)));
        }
    };
    Ok(cache.join("windlass/advisory-db"))
}

fn look_up(lock: &Lock, database: &Database, result: &mut Dependencies) {
    for package in &lock.file.packages {
        // A package without a source is the tree's own. One from git or another registry is looked up by name and
        // version as if it came from crates.io: a fork of a vulnerable version is most often vulnerable itself, and
        // to leave it out would be a silent gap.
        if package.source.is_none() {
            continue;
        }
        result.packages += 1;
        let query = Query::new()
            .collection(rustsec::Collection::Crates)
            .package_name(package.name.clone())
            .package_version(package.version.clone())
            .withdrawn(false);
        for advisory in database.advisories.query(&query) {
            result.findings.push(finding(lock, package, advisory));
        }
    }
}

fn finding(lock: &Lock, package: &Package, advisory: &Advisory) -> Finding {
    let (rule, severity) = judge(advisory);
    let id = advisory.id().to_string();
    let patched: Vec<String> = advisory.versions.patched().iter().map(ToString::to_string).collect();
    let fixed_in = (!patched.is_empty()).then(|| patched.join(" or "));
    let foreign = match &package.source {
        Some(source) if !source.is_default_registry() => {
            " (not from crates.io: looked up by name and version)"
        }
        _ => "",
    };
    let fixed = match &fixed_in {
        Some(versions) => format!("fixed in {versions}"),
        None => "no fixed version".to_owned(),
    };
    let version = package.version.to_string();
    Finding {
        kind: Kind::Dependency,
        rule: rule.to_owned(),
        severity,
        path: lock.name.clone(),
        line: lock.line_of(package.name.as_str(), &version),
        fingerprint: fingerprint(&lock.uri, package.name.as_str(), &version, &id),
        message: format!("{} {version}: {}; {fixed}{foreign}", package.name, advisory.title().trim()),
        package: Some(package.name.to_string()),
        version: Some(version),
        advisory: Some(id),
        fixed_in,
        state: State::New,
        uri: lock.uri.clone(),
    }
}

/// The rule and the severity of an advisory. A vulnerability without CVSS counts as high: nobody has said that it is
/// harmless. An informational advisory of a kind that nobody knows yet is a notice.
fn judge(advisory: &Advisory) -> (&'static str, Severity) {
    match &advisory.metadata.informational {
        Some(Informational::Unsound) => (topics::UNSOUND.key, Severity::Medium),
        Some(Informational::Unmaintained) => (topics::UNMAINTAINED.key, Severity::Low),
        // The type is open-ended: `Notice`, `Other`, and what a later version adds.
        Some(_) => (topics::NOTICE.key, Severity::Low),
        None => (topics::VULNERABLE.key, advisory.severity().map_or(Severity::High, from_cvss)),
    }
}

fn from_cvss(severity: rustsec::advisory::Severity) -> Severity {
    match severity {
        rustsec::advisory::Severity::None | rustsec::advisory::Severity::Low => Severity::Low,
        rustsec::advisory::Severity::Medium => Severity::Medium,
        rustsec::advisory::Severity::High => Severity::High,
        rustsec::advisory::Severity::Critical => Severity::Critical,
    }
}

/// Package URL and advisory, in this lock file. The version is part of the package URL.
fn fingerprint(uri: &str, package: &str, version: &str, advisory: &str) -> String {
    let text = format!("windlass dependency v1\0{uri}\0pkg:cargo/{package}@{version}\0{advisory}");
    windlass_domain::digest::Digest::from_bytes(Sha256::digest(text.as_bytes()).into()).hex()[..32].to_owned()
}

/// The time from `earlier` to `later` in milliseconds, and 0 where it is none.
pub(crate) fn age_ms(earlier: Timestamp, later: Timestamp) -> u64 {
    u64::try_from(later.duration_since(earlier).as_millis()).unwrap_or(0)
}
