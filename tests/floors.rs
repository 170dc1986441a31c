//! The floors of the design, asked of Cargo itself: which crate may use which, what must never be linked, and that every
//! dependency says why it is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Each crate's floor, by its folder under `crates/`. A crate may use only crates on floors below its own, so that tools
/// cannot use each other, and what measures or reaches a service knows no CI system.
const FLOORS: &[(&str, u8)] = &[
    ("domain", 0),
    ("evidence", 1),
    ("ci", 2),
    ("target", 2),
    ("signal", 2),
    ("forge", 2),
    ("notify", 2),
    ("moving", 3),
    ("gate-check", 4),
    ("security-scan", 4),
    ("deploy", 4),
    ("health-verify", 4),
    ("rollback", 4),
    ("windlassd", 4),
    ("windlass", 5),
];

/// What reaches an environment.
const DEPLOY_CLIENTS: &[&str] = &["windlass-target", "windlass-windlassd", "kube", "bollard", "openssh"];

/// What tells people of a release.
const TELLERS: &[&str] = &["windlass-notify", "minijinja", "lettre"];

/// What waits, or speaks to a network.
const NETWORK: &[&str] = &[
    "tokio",
    "mio",
    "socket2",
    "async-io",
    "smol",
    "hyper",
    "hyper-util",
    "reqwest",
    "ureq",
    "rustls",
    "octocrab",
    "futures-executor",
];

/// What reads the clock, the environment, files or randomness for others.
const SURROUNDINGS: &[&str] = &[
    "rustix",
    "tempfile",
    "getrandom",
    "ignore",
    "walkdir",
    "globset",
    "signal-hook",
    "iana-time-zone",
    "clap",
    "anstream",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("cannot read {path}: {error}"))
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .args(["--offline", "--locked"])
        .current_dir(root())
        .output()
        .expect("cargo runs: it built this test");
    assert!(output.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("cargo writes UTF-8")
}

/// A workspace crate: its folder, its package's name, and the workspace crates that it names outside its tests.
#[derive(Debug)]
struct Member {
    folder: String,
    package: String,
    uses: BTreeSet<String>,
}

fn members() -> Vec<Member> {
    let metadata = cargo(&["metadata", "--format-version", "1", "--no-deps"]);
    let metadata: Value = serde_json::from_str(&metadata).expect("cargo metadata is JSON");
    let text = |value: &Value| value.as_str().expect("a string").to_owned();
    let packages = metadata["packages"].as_array().expect("a list of packages");
    let members: Vec<Member> = packages
        .iter()
        .map(|package| {
            let manifest = PathBuf::from(text(&package["manifest_path"]));
            let folder = manifest.parent().and_then(Path::file_name).expect("a manifest lies in a folder");
            let dependencies = package["dependencies"].as_array().expect("a list of dependencies");
            Member {
                folder: folder.to_string_lossy().into_owned(),
                package: text(&package["name"]),
                // Tests may use what they like: they are not linked into anything.
                uses: dependencies
                    .iter()
                    .filter(|dependency| dependency["kind"] != "dev" && !dependency["path"].is_null())
                    .map(|dependency| text(&dependency["name"]))
                    .collect(),
            }
        })
        .collect();
    assert!(members.len() >= 11, "cargo metadata lists the workspace: {members:?}");
    members
}

/// Everything that is linked into a package, or runs while it is built.
fn linked(package: &str) -> BTreeSet<String> {
    let tree = cargo(&[
        "tree",
        "--package",
        package,
        "--edges",
        "normal,build",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]);
    let names: BTreeSet<String> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    assert!(names.contains(package), "cargo tree of {package} begins with itself: {names:?}");
    names
}

fn package_of(folder: &str) -> String {
    if folder == "windlass" { folder.to_owned() } else { format!("windlass-{folder}") }
}

/// What is wrong with who uses whom; empty when every use goes down.
fn wrong_uses(members: &[Member]) -> Vec<String> {
    let floors: BTreeMap<String, u8> =
        FLOORS.iter().map(|(folder, floor)| (package_of(folder), *floor)).collect();
    let mut wrong = Vec::new();
    for member in members {
        let Some(floor) = floors.get(&member.package) else {
            wrong.push(format!("{} has no floor", member.package));
            continue;
        };
        for used in &member.uses {
            match floors.get(used) {
                Some(below) if below < floor => {}
                Some(other) => {
                    wrong.push(format!("{} (floor {floor}) uses {used} (floor {other})", member.package))
                }
                None => wrong.push(format!("{} uses {used}, which has no floor", member.package)),
            }
        }
    }
    wrong
}

#[track_caller]
fn links_none_of(package: &str, forbidden: &[&str]) {
    let linked = linked(package);
    let found: Vec<_> = forbidden.iter().filter(|name| linked.contains(**name)).collect();
    assert!(found.is_empty(), "{package} links {found:?}; see `cargo tree -p {package} -i {}`", found[0]);
}

#[test]
fn packages_are_named_by_their_folders() {
    for member in members() {
        assert_eq!(member.package, package_of(&member.folder));
    }
}

#[test]
fn crates_use_only_floors_below() {
    assert_eq!(wrong_uses(&members()), Vec::<String>::new());
}

#[test]
fn use_that_goes_sideways_up_or_nowhere_is_seen() {
    let member = |package: &str, uses: &[&str]| Member {
        folder: String::new(),
        package: package.into(),
        uses: uses.iter().map(|&used| used.into()).collect(),
    };
    let cases = [
        (
            member("windlass-deploy", &["windlass-rollback"]),
            "windlass-deploy (floor 4) uses windlass-rollback (floor 4)",
        ),
        (member("windlass-signal", &["windlass-ci"]), "windlass-signal (floor 2) uses windlass-ci (floor 2)"),
        (
            member("windlass-domain", &["windlass-evidence"]),
            "windlass-domain (floor 0) uses windlass-evidence (floor 1)",
        ),
        (
            member("windlass-deploy", &["windlass-utils"]),
            "windlass-deploy uses windlass-utils, which has no floor",
        ),
        (member("windlass-utils", &[]), "windlass-utils has no floor"),
    ];
    for (member, expected) in cases {
        assert_eq!(wrong_uses(&[member]), [expected]);
    }
}

#[test]
fn judging_tools_link_no_deploy_client() {
    for tool in ["windlass-gate-check", "windlass-security-scan", "windlass-health-verify"] {
        links_none_of(tool, DEPLOY_CLIENTS);
    }
    // Telling people is for what moves a release.
    for tool in
        ["windlass-gate-check", "windlass-security-scan", "windlass-health-verify", "windlass-windlassd"]
    {
        links_none_of(tool, TELLERS);
    }
    assert!(
        linked("windlass-deploy").contains("lettre") && linked("windlass-rollback").contains("minijinja")
    );
    // The check can see one: the tool that deploys links it.
    assert!(linked("windlass-deploy").contains("windlass-target"));
}

#[test]
fn judging_tools_link_no_client_of_a_forge() {
    for tool in
        ["windlass-gate-check", "windlass-security-scan", "windlass-health-verify", "windlass-windlassd"]
    {
        links_none_of(tool, &["windlass-forge", "octocrab"]);
    }
    assert!(linked("windlass-forge").contains("octocrab"));
}

#[test]
fn only_the_forge_names_octocrab() {
    for member in members().iter().filter(|member| member.folder != "forge") {
        let manifest = read(&format!("crates/{}/Cargo.toml", member.folder));
        assert!(!manifest.contains("octocrab"), "{}", member.folder);
    }
    assert!(read("crates/forge/Cargo.toml").contains("octocrab"));
}

#[test]
fn domain_links_no_async_network_clock_or_files() {
    links_none_of("windlass-domain", NETWORK);
    links_none_of("windlass-domain", SURROUNDINGS);
    // The check can see them: what measures a service links an async runtime.
    assert!(linked("windlass-signal").contains("tokio"));
}

#[test]
fn evidence_and_ci_link_no_network() {
    links_none_of("windlass-evidence", NETWORK);
    links_none_of("windlass-ci", NETWORK);
}

/// The paths that a `clippy.toml` forbids.
fn forbidden_paths(clippy: &str) -> BTreeSet<&str> {
    clippy.split("path = \"").skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn nearer_clippy_settings_forbid_all_that_the_roots_do() {
    let everywhere = read("clippy.toml");
    let everywhere = forbidden_paths(&everywhere);
    assert!(everywhere.contains("std::env::var"), "{everywhere:?}");
    for member in members() {
        let path = format!("crates/{}/clippy.toml", member.folder);
        if root().join(&path).exists() {
            let nearer = read(&path);
            let missing: Vec<_> = everywhere.difference(&forbidden_paths(&nearer)).copied().collect();
            assert!(missing.is_empty(), "{path} hides the root's settings and does not repeat {missing:?}");
        }
    }
    assert!(root().join("crates/domain/clippy.toml").exists());
}

/// The names in `[workspace.dependencies]` that are not crates of the workspace.
fn workspace_dependencies(manifest: &str) -> BTreeSet<&str> {
    manifest
        .lines()
        .skip_while(|line| *line != "[workspace.dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name)
        .filter(|name| !name.starts_with("windlass-"))
        .collect()
}

#[test]
fn every_dependency_has_its_line_of_why() {
    let manifest = read("Cargo.toml");
    let declared = workspace_dependencies(&manifest);
    assert!(declared.contains("tokio") && declared.contains("insta"), "{declared:?}");
    let page = read("docs/dependencies.md");
    let explained: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split_once('`'))
        .filter(|(_, why)| why.trim_matches([' ', '|']).len() > 10)
        .map(|(name, _)| name)
        .collect();
    let missing: Vec<_> = declared.difference(&explained).collect();
    let stale: Vec<_> = explained.difference(&declared).collect();
    assert!(
        missing.is_empty() && stale.is_empty(),
        "docs/dependencies.md lacks {missing:?} and still has {stale:?}"
    );
}

/// Every Rust source under `folder`, one after the other.
fn sources(folder: &Path) -> String {
    let mut all = String::new();
    for entry in
        fs::read_dir(folder).unwrap_or_else(|error| panic!("cannot list {}: {error}", folder.display()))
    {
        let path = entry.expect("an entry of a folder that can be listed").path();
        if path.is_dir() {
            all.push_str(&sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all.push_str(
                &fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())),
            );
        }
    }
    all
}

/// Every row of the table under a heading of a page must name tests that exist. Gives the number of rows.
fn check_held_by(page: &str, heading: &str) -> usize {
    let text = read(page);
    let start = format!("{heading}\n");
    let part = text.split("\n## ").find_map(|part| part.strip_prefix(&start)).expect(heading);
    let sources = sources(&root().join("crates")) + &sources(&root().join("tests"));
    let rows: Vec<&str> = part.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    for row in &rows {
        let held_by = row.trim_end_matches([' ', '|']).rsplit(" | ").next().unwrap_or_default();
        let names: Vec<&str> = held_by.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "no test holds this: {row}");
        for name in names {
            assert!(
                sources.contains(&format!("fn {name}(")),
                "there is no test {name}, which this row of {page} names: {row}"
            );
        }
    }
    rows.len()
}

#[test]
fn every_invariant_names_a_test_that_exists() {
    assert!(check_held_by("docs/ARCHITECTURE.md", "Invariants") >= 10);
}

#[test]
fn every_rule_of_a_rollout_names_a_test_that_exists() {
    assert_eq!(check_held_by("docs/rollout.md", "Rules"), 16);
}
