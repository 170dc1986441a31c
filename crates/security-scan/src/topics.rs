//! What `windlass explain` says of this tool's refusals and rules.

use windlass_domain::explain::Topic;

use crate::secrets::rules::RULES;

windlass_domain::topics! {
    [pub(crate), static OWN]
    /// The path to scan is not there.
    PATH = "scan.path": "The path to scan does not exist or cannot be read. Nothing was scanned.",
        "Check the path; without one the working folder is scanned.";
    /// There is no database.
    DATABASE_MISSING = "scan.database-missing": "There is a lock file, and no advisory database to look its packages up in. \
        That is no clean scan: nothing was looked up.",
        "Run `git clone --depth 1 https://github.com/RustSec/advisory-db DIR` and name DIR with --database or WINDLASS_DATABASE.";
    /// The database cannot be read.
    DATABASE_UNREADABLE = "scan.database-unreadable": "The advisory database is there and cannot be read whole: it is empty, \
        damaged, or not in RustSec's format. Nothing was looked up, since half a database looks like a clean scan.",
        "Fetch the database again; it has a folder `crates` with one folder a package.";
    /// The database is old.
    DATABASE_STALE = "scan.database-stale": "The newest advisory of the database is older than --max-age: newer \
        vulnerabilities cannot be in it. What it does know was looked up and is reported.",
        "Fetch the database again, or raise --max-age.";
    /// A lock file cannot be read.
    LOCK_UNREADABLE = "scan.lock-unreadable": "A Cargo.lock is there and cannot be read whole: it is damaged, truncated, \
        empty or not a file. Its packages were not looked up.",
        "Run `cargo generate-lockfile` and commit the result.";
    /// A manifest has no lock file.
    LOCK_MISSING = "scan.lock-missing": "There is no Cargo.lock to read packages from.",
        "Run `cargo generate-lockfile` and commit Cargo.lock, or scan the folder that holds it.";
    /// A lock file of another ecosystem.
    LOCK_UNSUPPORTED = "scan.lock-unsupported": "A file names dependencies in a format that this version does not read. \
        Its packages were not looked up.",
        "Scan it with a tool that reads it; leave it out by naming a folder without it, or use --only secrets.";
    /// A file or folder cannot be read.
    FILE_UNREADABLE = "scan.file-unreadable": "A file or folder of the tree cannot be read, so what is in it is not known.",
        "Give read permission, or remove it from the tree.";
    /// Nothing to scan.
    NOTHING = "scan.nothing": "No file was scanned. An empty tree proves nothing.",
        "Check the path, and that .gitignore does not exclude everything.";
    /// The SARIF file cannot be written.
    SARIF_FILE = "scan.sarif-file": "The SARIF file cannot be written.",
        "Check --sarif, --report-dir, their permissions and the space on the disk.";
    /// An SBOM that cannot be made.
    SBOM = "scan.sbom": "A list of packages was asked for by --sbom, and the other settings say that there is none to make.",
        "Leave --only out or name dependencies in it; give SOURCE_DATE_EPOCH as seconds since 1970.";
    /// The SBOM cannot be written.
    SBOM_FILE = "scan.sbom-file": "The file of the list of packages cannot be written.",
        "Check --sbom, --report-dir, their permissions and the space on the disk.";
    /// A vulnerable package.
    VULNERABLE = "dependency.vulnerable": "A lock file names a package at a version that an advisory calls vulnerable. The severity \
        is the advisory's CVSS; without one it is high. A package from git or another registry is looked up by name and version too.",
        "Run `cargo update -p PACKAGE` to a version that the finding names as fixed, or replace the package.";
    /// An unsound package.
    UNSOUND = "dependency.unsound": "A package at this version can cause undefined behaviour from safe code.",
        "Update to a fixed version, or make sure that the unsound function is not called.";
    /// An unmaintained package.
    UNMAINTAINED = "dependency.unmaintained": "A package is no longer maintained: its next vulnerability will not be mended.",
        "Replace it; the advisory names alternatives.";
    /// Any other notice.
    NOTICE = "dependency.notice": "An advisory gives notice of something about a package that is no vulnerability.",
        "Read the advisory.";
}

const COUNT: usize = OWN.len() + RULES.len();

/// Everything of this tool that `windlass explain` can explain: its refusals, and each rule.
pub static TOPICS: &[&Topic] = &ALL;

static ALL: [&Topic; COUNT] = {
    let mut all = [OWN[0]; COUNT];
    let mut index = 0;
    while index < COUNT {
        all[index] = if index < OWN.len() { OWN[index] } else { &RULES[index - OWN.len()].topic };
        index += 1;
    }
    all
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_has_its_own_key_and_says_what_to_do() {
        let mut keys: Vec<_> = TOPICS.iter().map(|topic| topic.key).collect();
        keys.sort_unstable();
        let count = keys.len();
        keys.dedup();
        assert_eq!(keys.len(), count);
        for topic in TOPICS {
            assert!(topic.means.ends_with('.') && topic.next.ends_with('.'), "{}", topic.key);
        }
    }
}
