//! What `.github/workflows/release.yml` does by scripts: packs, parts list, checksums, manifest, and the commit that is released;
//! then `run.sh` of that tree finds the archive in a mirror, by the manifest that came with it, and becomes the tool.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;
use windlass_domain::digest::Digest;

use super::mirror::{Mirror, Says};
use super::{ran, target, tool_at};

const TARGETS: [&str; 2] = ["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl"];
const WINDOWS: &str = "x86_64-pc-windows-gnu";
const ON_WINDOWS: [&str; 3] = ["gate-check.exe", "health-verify.exe", "security-scan.exe"];
const TOOLS: [&str; 7] =
    ["deploy", "gate-check", "health-verify", "rollback", "security-scan", "windlass", "windlassd"];
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A copy of what a release is made from, and small tools as its binaries.
struct Tree {
    folder: TempDir,
}

impl Tree {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("wl release").tempdir().unwrap();
        let tree = Self { folder };
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
        for name in [".github/scripts", ".github/workflows", "actions/_lib"] {
            fs::create_dir_all(tree.path("tree").join(name)).unwrap();
            for entry in fs::read_dir(root.join(name)).unwrap() {
                let entry = entry.unwrap();
                fs::copy(entry.path(), tree.path("tree").join(name).join(entry.file_name())).unwrap();
            }
        }
        for name in ["LICENSE-MIT", "LICENSE-APACHE", "Cargo.toml", "Cargo.lock"] {
            fs::copy(root.join(name), tree.path("tree").join(name)).unwrap();
        }
        for name in ["crates", "tests"] {
            symlink(root.join(name), tree.path("tree").join(name)).unwrap();
        }
        for target in TARGETS {
            for tool in TOOLS {
                tool_at(&tree.path("built").join(format!("built-{target}")).join(tool), target, VERSION);
            }
        }
        for tool in ON_WINDOWS {
            tool_at(&tree.path("built").join(format!("built-{WINDOWS}")).join(tool), WINDOWS, VERSION);
        }
        tree
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn script(&self, name: &str, words: &[&Path]) -> Output {
        let mut command = Command::new("bash");
        command.arg(self.path("tree/.github/scripts").join(name)).args(words);
        command.env("CARGO_NET_OFFLINE", "true").env_remove("GITHUB_OUTPUT").output().unwrap()
    }

    fn git(&self, words: &[&str]) -> String {
        let output = Command::new("git").args(words).current_dir(self.path("tree")).output().unwrap();
        assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn assembled(&self) -> PathBuf {
        let out = self.path("release");
        let output = self.script("assemble.sh", &[&self.path("built"), &out]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{said}\n(what cargo lacks of other systems comes by cargo fetch --locked)"
        );
        out
    }
}

fn archive(target: &str) -> String {
    format!("windlass-{VERSION}-{target}.tar.gz")
}

#[test]
fn what_is_packed_and_named_is_found_checked_and_run() {
    let tree = Tree::new();
    let out = tree.assembled();
    let sums =
        Command::new("sha256sum").args(["--check", "--strict", "SHA256SUMS"]).current_dir(&out).output();
    let sums = sums.unwrap();
    assert!(sums.status.success(), "{sums:?}");
    assert_eq!(
        String::from_utf8_lossy(&sums.stdout).lines().count(),
        6,
        "three archives and their parts lists"
    );
    let manifest = fs::read_to_string(tree.path("tree/actions/_lib/manifest")).unwrap();
    assert_eq!(manifest, fs::read_to_string(out.join("manifest")).unwrap());
    let promised = 2 * (TOOLS.len() + 1) + ON_WINDOWS.len() + 1;
    assert_eq!(manifest.lines().filter(|line| line.starts_with("sha256 ")).count(), promised);
    assert!(manifest.contains(&format!(" {WINDOWS}/security-scan.exe\n")), "{manifest}");
    // A step on a machine that has nothing of it yet.
    let mirror = Mirror::start(Says::whole(&fs::read(out.join(archive(&target()))).unwrap()));
    let mut step = Command::new("bash");
    step.arg(tree.path("tree/actions/_lib/run.sh")).args(["deploy", "-e", "two words"]).env_clear();
    step.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", tree.folder.path());
    step.env("RUNNER_TOOL_CACHE", tree.path("cache")).env("WINDLASS_MIRROR", mirror.url());
    step.env("WINDLASS_RELEASES", "http://127.0.0.1:9");
    ran(&step.output().unwrap(), &target());
    assert_eq!(mirror.asked(), 1);
}

#[test]
fn the_same_binaries_make_the_same_archive_wherever_and_whenever() {
    let (one, other) = (Tree::new(), Tree::new());
    let digest = |tree: &Tree| Digest::of(&fs::read(tree.assembled().join(archive(TARGETS[0]))).unwrap());
    // Uploads between jobs lose permissions.
    let tool = one.path("built/built-x86_64-unknown-linux-musl/deploy");
    fs::set_permissions(&tool, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    assert_eq!(digest(&one), digest(&other));
}

#[test]
fn a_release_without_a_tool_or_without_linux_is_none() {
    let tree = Tree::new();
    let before = fs::read(tree.path("tree/actions/_lib/manifest")).unwrap();
    let arm = tree.path("built/built-aarch64-unknown-linux-musl");
    fs::remove_file(arm.join("rollback")).unwrap();
    let output = tree.script("assemble.sh", &[&tree.path("built"), &tree.path("release")]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("holds no rollback"), "{output:?}");
    fs::remove_dir_all(arm).unwrap();
    let output = tree.script("assemble.sh", &[&tree.path("built"), &tree.path("release")]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("for aarch64-unknown-linux-musl"), "{output:?}");
    assert_eq!(fs::read(tree.path("tree/actions/_lib/manifest")).unwrap(), before, "nothing half written");
}

#[test]
fn a_release_refers_to_commits_that_hold_what_it_needs() {
    let tree = Tree::new();
    for words in [
        &["init", "-q"][..],
        &["config", "user.name", "Bo"],
        &["config", "user.email", "bo@example.org"],
        &["config", "core.excludesFile", "/dev/null"],
        &["add", ".github", "actions"],
        &["commit", "-q", "-m", "What was built"],
    ] {
        tree.git(words);
    }
    let refused = tree.script("publish.sh", &[]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("names no archive"), "{refused:?}");
    tree.assembled();
    let output = tree.script("publish.sh", &[]);
    assert!(output.status.success(), "{output:?}");
    let released = tree.git(&["rev-parse", &format!("v{VERSION}^{{commit}}")]);
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), released);
    // From the pipeline to the environment's workflow, and from that to the actions, as a caller's runner goes.
    let pipeline = tree.git(&["show", &format!("{released}:.github/workflows/pipeline.yml")]);
    let named = commit(&pipeline, "/.github/workflows/environment.yml@");
    let environment = tree.git(&["show", &format!("{named}:.github/workflows/environment.yml")]);
    for (text, action) in [(&pipeline, "security-scan"), (&environment, "deploy"), (&environment, "rollback")]
    {
        let built = commit(text, &format!("/actions/{action}@"));
        let manifest = tree.git(&["show", &format!("{built}:actions/_lib/manifest")]);
        assert!(manifest.contains(&archive(TARGETS[1])), "{action}: {manifest}");
    }
    assert!(!pipeline.contains(&format!("@v{VERSION}")) && !environment.contains(&format!("@v{VERSION}")));
    let again = tree.script("publish.sh", &[]);
    assert!(String::from_utf8_lossy(&again.stderr).contains("is released already"), "{again:?}");
}

/// The commit that stands behind the first of these references.
#[track_caller]
fn commit(workflow: &str, reference: &str) -> String {
    let (_, rest) = workflow.split_once(reference).unwrap_or_else(|| panic!("no {reference} in {workflow}"));
    let (sha, version) = rest.lines().next().unwrap().split_once(" # v").unwrap();
    assert!(sha.len() == 40 && version == VERSION, "{sha} {version}");
    sha.to_owned()
}

#[test]
fn the_parts_list_has_all_that_is_linked_and_nothing_else() {
    let tree = Tree::new();
    let out = tree.assembled();
    // Every other binary's packages are among the umbrella's; on Windows there is none.
    let judging = ["windlass-gate-check", "windlass-health-verify", "windlass-security-scan"];
    for (target, packages) in [(TARGETS[0], &["windlass"][..]), (WINDOWS, &judging)] {
        let list = out.join(format!("windlass-{VERSION}-{target}.cdx.json"));
        let list: Value = serde_json::from_slice(&fs::read(list).unwrap()).unwrap();
        let components = list.get("components").and_then(Value::as_array).unwrap();
        let mut listed: Vec<String> = components
            .iter()
            .map(|part| format!("{} v{}", part["name"].as_str().unwrap(), part["version"].as_str().unwrap()))
            .collect();
        let mut linked: Vec<String> =
            packages.iter().flat_map(|package| linked_into(package, target)).collect();
        for names in [&mut listed, &mut linked] {
            names.sort();
            names.dedup();
        }
        assert_eq!(listed, linked, "{target}");
        let of_crates_io = components.iter().filter(|part| part.get("hashes").is_some()).count();
        assert!(of_crates_io > 100, "{target}: {of_crates_io} have a checksum");
        let moves = listed.iter().any(|name| name.starts_with("windlass-target "));
        assert_eq!(moves, target != WINDOWS, "what moves an environment is for Unix");
    }
}

/// Cargo's own tree of a package: names and versions of all that is linked into it.
fn linked_into(package: &str, target: &str) -> Vec<String> {
    let words = ["tree", "--package", package, "--edges", "normal", "--prefix", "none", "--format", "{p}"];
    let cargo = Command::new(env!("CARGO"))
        .args(words)
        .args(["--locked", "--offline", "--target", target])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(cargo.status.success(), "{cargo:?}");
    let text = String::from_utf8(cargo.stdout).unwrap();
    let name = |line: &str| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    text.lines().map(name).filter(|line| !line.is_empty()).collect()
}

#[test]
fn crates_come_after_what_they_depend_on() {
    let tree = Tree::new();
    let output = tree.script("crates.sh", &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    let order: Vec<&str> = text.lines().collect();
    let place = |name: &str| order.iter().position(|one| *one == name).unwrap_or_else(|| panic!("no {name}"));
    assert_eq!((order[0], order[order.len() - 1]), ("windlass-domain", "windlass"));
    for (first, then) in
        [("evidence", "ci"), ("ci", "gate-check"), ("target", "moving"), ("moving", "deploy")]
    {
        assert!(place(&format!("windlass-{first}")) < place(&format!("windlass-{then}")), "{order:?}");
    }
}
