//! `release.yml`, run from a build to a consumer: every job in the emulator, with the workflow and its scripts as they ship.
//! Stand-ins are the actions of others, and on `PATH` `rustup`, `sudo`, `gh`, and what of `cargo` would build or publish.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;
use windlass_domain::digest::Digest;

use crate::act::{self, Ran, Runner};
use crate::mirror::{Mirror, Says};
use crate::register::{By, executed};

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The targets of the workflow's matrix.
const TARGETS: [&str; 5] = [
    "x86_64-unknown-linux-musl",
    "aarch64-unknown-linux-musl",
    "x86_64-apple-darwin",
    "aarch64-apple-darwin",
    "x86_64-pc-windows-gnu",
];

/// A clone of this tree with a remote, and a machine that builds nothing.
struct Forge {
    folder: TempDir,
    mapping: Vec<String>,
}

impl Forge {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("wl-release").tempdir().unwrap();
        let mut forge = Self { folder, mapping: Vec::new() };
        for name in ["repo", "home", "store", "programs", "temp"] {
            fs::create_dir_all(forge.path(name)).unwrap();
        }
        forge.mapping = act::export(&forge.path("export"));
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(&root).output().unwrap();
        for name in String::from_utf8(listed.stdout).unwrap().split('\0').filter(|name| !name.is_empty()) {
            let to = forge.path("repo").join(name);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(root.join(name), to).unwrap();
        }
        forge.git("", &["init", "-q", "--bare", "remote.git"]);
        forge.git("repo", &["init", "-q"]);
        forge.git("repo", &["add", "-A"]);
        forge.git("repo", &["commit", "-q", "-m", "What is released"]);
        let remote = forge.path("remote.git").display().to_string();
        forge.git("repo", &["remote", "add", "origin", &remote]);
        forge.git("repo", &["push", "-q", "origin", "main"]);
        forge.programs();
        forge
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn git(&self, folder: &str, words: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=Bo", "-c", "user.email=bo@example.org", "-c", "init.defaultBranch=main"])
            .args(words)
            .current_dir(self.path(folder))
            .output()
            .unwrap();
        assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn program(&self, name: &str, text: &str) {
        let path = self.path("programs").join(name);
        fs::write(&path, format!("#!/bin/bash\nset -eu\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn programs(&self) {
        let store = self.path("store").display().to_string();
        self.program("rustup", &format!("echo \"rustup $*\" >>'{store}/machine'"));
        self.program("sudo", &format!("echo \"sudo $*\" >>'{store}/machine'"));
        // What is built is the umbrella of this test's own build, by each tool's name; the other machines' are named after them.
        let (umbrella, cargo) = (env!("CARGO_BIN_EXE_windlass"), env!("CARGO"));
        let native = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
        self.program(
            "cargo",
            &format!(
                r#"case $1 in
  build)
    while [ $# -gt 0 ]; do
      case $1 in --target) target=$2 ;; --bin) tool=$2 ;; --package) package=$2 ;; esac
      shift
    done
    echo "$target $package" >>'{store}/built'
    case $target in *-windows-*) file=$tool.exe ;; *) file=$tool ;; esac
    mkdir -p "target/$target/release"
    word=$tool
    if [ "$tool" = windlass ]; then word=; fi
    if [ "$target" = {native} ]; then echo "exec '{umbrella}' $word \"\$@\""; else echo "echo $target"; fi |
      sed '1i #!/bin/sh' >"target/$target/release/$file"
    chmod +x "target/$target/release/$file"
    ;;
  publish) echo "$*" >>'{store}/crates' ;;
  *) PATH='{}':$PATH exec '{cargo}' "$@" ;;
esac"#,
                Path::new(cargo).parent().unwrap().display()
            ),
        );
        self.program(
            "gh",
            &format!(
                r#"echo "${{GH_TOKEN:+with a token }}$1 $2" >>'{store}/gh'
if [ "$1 $2" = 'release create' ]; then
  mkdir -p '{store}/assets'
  for word in "$@"; do if [ -f "$word" ]; then cp "$word" '{store}/assets/'; fi; done
fi"#
            ),
        );
    }

    /// The workflow, started by hand.
    fn release(&self, inputs: &[&str]) -> Ran {
        let path = std::env::join_paths(
            [self.path("programs")]
                .into_iter()
                .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
        );
        let cargo_home = std::env::var("CARGO_HOME")
            .unwrap_or_else(|_| format!("{}/.cargo", std::env::var("HOME").unwrap()));
        let mut settings = Vec::new();
        for (name, value) in [
            ("PATH", path.unwrap().into_string().unwrap()),
            ("CARGO_HOME", cargo_home),
            ("CARGO_NET_OFFLINE", "true".to_owned()),
        ] {
            settings.extend(["--env".to_owned(), format!("{name}={value}")]);
        }
        for label in ["ubuntu-24.04-arm", "macos-15-intel", "macos-15"] {
            settings.extend(["--platform".to_owned(), format!("{label}=-self-hosted")]);
        }
        settings.extend(["--secret".to_owned(), "RELEASE_TOKEN=one-that-may-push".to_owned()]);
        let runner = Runner {
            repository: self.path("repo"),
            home: self.path("home"),
            store: self.path("store"),
            mapping: self.mapping.clone(),
            settings,
        };
        let words: Vec<&str> = inputs.iter().flat_map(|input| ["--input", input]).collect();
        runner.start("workflow_dispatch", "release.yml", &words).end()
    }

    /// The script of a consumer's step, with nothing of this test's own environment but where programs are.
    fn step(&self, mirror: &Mirror, words: &[&str]) -> Output {
        let mut step = Command::new("bash");
        step.arg(self.path("consumer/actions/_lib/run.sh")).args(words).env_clear().stdin(Stdio::null());
        step.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", self.path("home"));
        step.env("RUNNER_TEMP", self.path("temp")).env("RUNNER_TOOL_CACHE", self.path("cache"));
        step.env("WINDLASS_MIRROR", mirror.url()).env("WINDLASS_RELEASES", "http://127.0.0.1:9");
        step.output().unwrap()
    }

    fn stored(&self, name: &str) -> String {
        fs::read_to_string(self.path("store").join(name)).unwrap_or_default()
    }
}

/// The jobs of the build, as the emulator names those of a matrix.
pub(crate) fn builds() -> impl Iterator<Item = String> {
    TARGETS.iter().enumerate().map(|(index, target)| format!("{target}-{}", index + 1))
}

/// The workflow's jobs as the emulator names them, and that each of these ended well.
fn jobs(names: &[&str]) -> Vec<(String, String)> {
    builds()
        .chain(names.iter().map(|name| (*name).to_owned()))
        .map(|name| (name, "success".to_owned()))
        .collect()
}

#[track_caller]
fn ran_well(ran: &Ran, names: &[&str]) {
    let wanted = jobs(names);
    let wanted: Vec<(&str, &str)> =
        wanted.iter().map(|(job, result)| (job.as_str(), result.as_str())).collect();
    ran.jobs_are(&wanted);
    assert_eq!(ran.code, Some(0), "{}", ran.log);
}

#[test]
fn a_release_is_built_packed_attested_tagged_and_found_by_who_refers_to_it() {
    if !act::is_here() {
        return;
    }
    let forge = Forge::new();
    let before = forge.git("repo", &["rev-parse", "HEAD"]);
    let ran = forge.release(&["publish=true", "crates=true"]);
    ran_well(&ran, &["pack", "attest", "publish", "crates"]);
    executed(By::Release, &[ran]);
    // Each target got what it has, each tool built by itself.
    let built = forge.stored("built");
    for target in TARGETS {
        let count = built.lines().filter(|line| line.starts_with(target)).count();
        assert_eq!(count, if target.contains("windows") { 3 } else { 7 }, "{target}: {built}");
    }
    // What is attested is what is published.
    let assets = forge.path("store/assets");
    let sums = fs::read_to_string(assets.join("SHA256SUMS")).unwrap();
    let mut check = Command::new("sha256sum");
    check.args(["--check", "--strict", "--quiet", "SHA256SUMS"]);
    let checked = check.current_dir(&assets).output().unwrap();
    assert!(checked.status.success(), "{checked:?}");
    assert_eq!(sums.lines().count(), 2 * TARGETS.len(), "an archive and a parts list each: {sums}");
    assert!(forge.stored("attested").contains("release/SHA256SUMS"), "{:?}", forge.stored("attested"));
    assert_eq!(forge.stored("gh"), "with a token auth setup-git\nwith a token release create\n");
    // The tag is on the remote, and three commits after what was built; main is where it was.
    let tag = format!("v{VERSION}");
    assert_eq!(forge.git("remote.git", &["rev-parse", "main"]), before);
    let between = forge.git("remote.git", &["rev-list", "--count", &format!("{before}..{tag}")]);
    assert_eq!(between, "3");
    // A consumer's step, in the tree of that tag, on a machine that has nothing yet.
    forge.git("", &["clone", "-q", "--branch", &tag, "remote.git", "consumer"]);
    let native = format!("windlass-{VERSION}-{}-unknown-linux-musl.tar.gz", std::env::consts::ARCH);
    let mirror = Mirror::start(Says::whole(&fs::read(assets.join(native)).unwrap()));
    let step = forge.step(&mirror, &["gate-check", "--version"]);
    assert_eq!(String::from_utf8_lossy(&step.stdout), format!("gate-check {VERSION}\n"), "{step:?}");
    assert_eq!(mirror.asked(), 1);
    // The crates go after all that they depend on.
    let crates = forge.stored("crates");
    let names: Vec<&str> = crates.lines().filter_map(|line| line.split("--package ").nth(1)).collect();
    assert_eq!((names.first(), names.last()), (Some(&"windlass-domain"), Some(&"windlass")), "{crates}");
}

#[test]
fn without_publish_everything_is_packed_and_nothing_leaves() {
    if !act::is_here() {
        return;
    }
    let forge = Forge::new();
    ran_well(&forge.release(&["publish=false"]), &["pack", "attest"]);
    let manifest = forge.stored("artifacts/release/manifest");
    for target in TARGETS {
        let archive = format!("windlass-{VERSION}-{target}.tar.gz");
        let bytes = fs::read(forge.path("store/artifacts/release").join(&archive)).unwrap();
        let digest = Digest::of(&bytes);
        assert!(manifest.contains(&format!("{} {target}/{archive}\n", digest.hex())), "{manifest}");
    }
    assert!(forge.git("remote.git", &["tag"]).is_empty());
    assert_eq!((forge.stored("gh"), forge.stored("crates")), (String::new(), String::new()));
}
