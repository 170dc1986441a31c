//! `actions/_lib/run.sh`: every way in which it finds a tool, and every way in which a download can be wrong.
#![expect(clippy::unwrap_used, reason = "a test may stop where its set-up does")]
#![expect(clippy::disallowed_methods, reason = "a test may read the environment that it scrubs")]

mod flags;
mod hold;
mod mirror;
mod refusals;
mod release;
mod windows;
mod written;

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use mirror::{Mirror, Says};
use tempfile::TempDir;
use windlass_domain::digest::Digest;

const VERSION: &str = "9.9.9";

/// A copy of the script with a manifest of its own, a release of three small tools, and a machine to run on.
struct Place {
    folder: TempDir,
    archive: Vec<u8>,
}

impl Place {
    fn new() -> Self {
        Self::called("wl act")
    }

    /// A blank in the name, since runners have them too.
    fn called(prefix: &str) -> Self {
        let folder = tempfile::Builder::new().prefix(prefix).tempdir().unwrap();
        let place = Self { folder, archive: Vec::new() };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../actions/_lib/run.sh");
        fs::create_dir_all(place.path("tree/actions/_lib")).unwrap();
        fs::copy(script, place.path("tree/actions/_lib/run.sh")).unwrap();
        fs::create_dir_all(place.path("release")).unwrap();
        fs::create_dir_all(place.path("temp")).unwrap();
        place.released()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn released(mut self) -> Self {
        let mut manifest = format!("version {VERSION}\nrepository windlass-dev/windlass\n");
        for tool in ["deploy", "windlass", "windlassd"] {
            let path = self.path("release").join(tool);
            tool_at(&path, "released", VERSION);
            manifest.push_str(&promise(tool, &fs::read(path).unwrap()));
        }
        let archive = self.path(&archive_name());
        let tar = Command::new("tar")
            .args(["-czf"])
            .arg(&archive)
            .arg("-C")
            .arg(self.path("release"))
            .args(["deploy", "windlass", "windlassd"])
            .status()
            .unwrap();
        assert!(tar.success());
        self.archive = fs::read(archive).unwrap();
        manifest.push_str(&promise(&archive_name(), &self.archive));
        fs::write(self.path("tree/actions/_lib/manifest"), manifest).unwrap();
        self
    }

    /// The script as a step runs it, with nothing of this test's own environment but where programs are.
    fn script(&self, shell: &str, words: &[&str]) -> Command {
        let mut command = Command::new(shell);
        command.arg(self.path("tree/actions/_lib/run.sh")).args(words).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", self.folder.path());
        command.env("RUNNER_TEMP", self.path("temp")).env("RUNNER_TOOL_CACHE", self.path("cache"));
        command.env("WINDLASS_RETRY_PAUSE", "0").env("WINDLASS_CONNECT_TIMEOUT", "2");
        // Nobody listens there: what is not meant to be asked is not.
        command.env("WINDLASS_RELEASES", "http://127.0.0.1:9");
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    fn from(&self, mirror: &Mirror) -> Command {
        let mut command = self.script("bash", &["deploy", "-e", "two words"]);
        command.env("WINDLASS_MIRROR", mirror.url());
        command
    }

    fn cached(&self) -> PathBuf {
        self.path("cache").join("windlass").join(VERSION).join(target())
    }
}

/// A tool that says who it is and what it was asked.
fn tool_at(path: &Path, name: &str, version: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let program = path.file_name().unwrap().to_str().unwrap();
    let text = format!(
        "#!/bin/sh\nif [ \"$1\" = --version ]; then echo '{program} {version}'; exit 0; fi\n\
         echo \"{name} {program} $#: $*\"\nexit 4\n"
    );
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn target() -> String {
    format!("{}-unknown-linux-musl", std::env::consts::ARCH)
}

fn archive_name() -> String {
    format!("windlass-{VERSION}-{}.tar.gz", target())
}

fn promise(file: &str, bytes: &[u8]) -> String {
    let digest = Digest::of(bytes).to_string();
    format!("sha256 {} {}/{file}\n", digest.strip_prefix("sha256:").unwrap(), target())
}

#[track_caller]
fn ran(output: &Output, who: &str) {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(out, format!("{who} deploy 2: -e two words\n"), "{err}");
    assert_eq!(output.status.code(), Some(4), "the tool's own exit code: {err}");
}

#[track_caller]
fn refused(output: &Output, code: i32, says: &str) {
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(err.contains(says), "{says:?} is not in: {err}");
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(code), &b""[..]), "{err}");
}

#[test]
fn a_folder_that_is_named_is_used_before_anything_else() {
    let place = Place::new();
    tool_at(&place.path("own tools/deploy"), "named", "0.0.1");
    let mut command = place.script("bash", &["deploy", "-e", "two words"]);
    ran(&command.env("WINDLASS_BIN", place.path("own tools")).output().unwrap(), "named");
    refused(&command.env("WINDLASS_BIN", place.path("nowhere")).output().unwrap(), 2, "bin holds no deploy");
}

#[test]
fn a_tool_on_path_is_used_only_in_exactly_this_version() {
    let place = Place::new();
    let mirror = Mirror::start(Says::whole(&place.archive));
    let path = std::env::join_paths(
        [place.path("bin")].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    )
    .unwrap();
    tool_at(&place.path("bin/deploy"), "on path", VERSION);
    ran(&place.from(&mirror).env("PATH", &path).output().unwrap(), "on path");
    assert_eq!(mirror.asked(), 0);
    tool_at(&place.path("bin/deploy"), "on path", "9.9.8");
    ran(&place.from(&mirror).env("PATH", &path).output().unwrap(), "released");
}

#[test]
fn a_download_is_kept_and_not_repeated() {
    let place = Place::new();
    let mirror = Mirror::start(Says::whole(&place.archive));
    ran(&place.from(&mirror).output().unwrap(), "released");
    ran(&place.from(&mirror).output().unwrap(), "released");
    assert_eq!(mirror.asked(), 1);
    let folder = place.script("bash", &["--path"]).output().unwrap();
    assert_eq!(String::from_utf8(folder.stdout).unwrap().trim(), place.cached().to_str().unwrap());
    assert!(fs::read_dir(place.path("temp")).unwrap().next().is_none(), "nothing of the download stays");
}

#[test]
fn a_cache_that_was_altered_or_is_half_made_is_fetched_again() {
    let place = Place::new();
    let mirror = Mirror::start(Says::whole(&place.archive));
    ran(&place.from(&mirror).output().unwrap(), "released");
    tool_at(&place.cached().join("deploy"), "altered", VERSION);
    ran(&place.from(&mirror).output().unwrap(), "released");
    fs::remove_file(place.cached().join(".complete")).unwrap();
    ran(&place.from(&mirror).output().unwrap(), "released");
    assert_eq!(mirror.asked(), 3);
    // The agent, which a deploy may start.
    tool_at(&place.cached().join("windlassd"), "altered", VERSION);
    ran(&place.from(&mirror).output().unwrap(), "released");
    assert_eq!(mirror.asked(), 4);
}

#[test]
fn a_folder_for_path_is_handed_out_only_when_every_tool_in_it_is_the_released_one() {
    let place = Place::new();
    let mirror = Mirror::start(Says::whole(&place.archive));
    ran(&place.from(&mirror).output().unwrap(), "released");
    tool_at(&place.cached().join("windlass"), "altered", VERSION);
    // A step does not run the umbrella.
    ran(&place.from(&mirror).output().unwrap(), "released");
    assert_eq!(mirror.asked(), 1);
    let mut setup = place.script("bash", &["--path"]);
    let folder = setup.env("WINDLASS_MIRROR", mirror.url()).output().unwrap();
    assert_eq!(String::from_utf8(folder.stdout).unwrap().trim(), place.cached().to_str().unwrap());
    assert_eq!(mirror.asked(), 2);
    assert!(!fs::read_to_string(place.cached().join("windlass")).unwrap().contains("altered"));
}

#[test]
fn what_is_not_the_released_archive_is_never_run() {
    let place = Place::new();
    let mut other = place.archive.clone();
    *other.last_mut().unwrap() ^= 1;
    let cases = [
        (Says::whole(&other), "is not the released archive"),
        (Says::whole(&place.archive[..place.archive.len() / 2]), "is not the released archive"),
        (Says::cut(&place.archive), "attempt 3 of 3"),
        (Says::whole(b"<!DOCTYPE html><html>Please sign in</html>"), "a web page, not with the archive"),
        (Says::status(404), "answers 404"),
        (Says::status(503), "attempt 3 of 3"),
        (Says::nothing(), "attempt 3 of 3"),
    ];
    for (says, told) in cases {
        let mirror = Mirror::start(says);
        let mut command = place.from(&mirror);
        refused(&command.env("WINDLASS_DOWNLOAD_TIMEOUT", "2").output().unwrap(), 3, told);
        assert!(!place.cached().exists(), "{told}: nothing is kept");
    }
}

#[test]
fn a_redirect_is_followed() {
    let place = Place::new();
    let real = Mirror::start(Says::whole(&place.archive));
    let mirror = Mirror::start(Says::redirect(format!("{}/{}", real.url(), archive_name())));
    ran(&place.from(&mirror).output().unwrap(), "released");
}

#[test]
fn the_release_is_asked_where_the_mirror_has_it_not() {
    let place = Place::new();
    let (mirror, release) = (Mirror::start(Says::status(404)), Mirror::start(Says::whole(&place.archive)));
    ran(&place.from(&mirror).env("WINDLASS_RELEASES", release.url()).output().unwrap(), "released");
}

#[test]
fn no_network_is_said_with_what_to_do() {
    let place = Place::new();
    refused(&place.script("bash", &["deploy"]).output().unwrap(), 3, "set mirror to a copy of the release");
}

#[test]
fn a_cache_that_cannot_be_made_costs_the_download_and_nothing_else() {
    let place = Place::new();
    let mirror = Mirror::start(Says::whole(&place.archive));
    // A file where the folder should be: root may write into any folder, but not into that.
    fs::write(place.path("cache"), "").unwrap();
    ran(&place.from(&mirror).output().unwrap(), "released");
    assert!(place.path("temp/windlass-tools").is_dir());
}

#[test]
fn steps_that_race_for_one_cache_all_run_and_leave_one() {
    let place = Place::new();
    let mirror = Mirror::start(Says::whole(&place.archive));
    let started: Vec<_> = (0..8)
        .map(|_| place.from(&mirror).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
        .collect();
    for child in started {
        ran(&child.wait_with_output().unwrap(), "released");
    }
    let left: Vec<_> =
        fs::read_dir(place.cached().parent().unwrap()).unwrap().map(|one| one.unwrap().file_name()).collect();
    assert_eq!(left, [target().as_str()], "no half folders beside it");
    let inside = fs::read_dir(place.cached()).unwrap().count();
    assert_eq!(inside, 4, "three tools and the mark");
}

/// A folder of what the script needs, with wget and without curl; nothing where wget is not here.
fn without_curl(place: &Place) -> Option<PathBuf> {
    let programs = place.path("programs");
    fs::create_dir(&programs).unwrap();
    let mut needed =
        vec!["bash", "sh", "uname", "sed", "awk", "mktemp", "rm", "mkdir", "tar", "gzip", "sha256sum", "cut"];
    needed.extend(["mv", "basename", "dirname", "wc", "tr", "head", "tail", "grep", "sleep", "wget"]);
    for name in needed {
        let found = std::env::split_paths(&std::env::var_os("PATH").unwrap())
            .map(|folder| folder.join(name))
            .find(|path| path.is_file());
        match found {
            Some(path) => std::os::unix::fs::symlink(path, programs.join(name)).unwrap(),
            None if name == "wget" => return None,
            None => panic!("{name} is not here"),
        }
    }
    Some(programs)
}

#[test]
fn without_curl_wget_downloads_and_without_both_it_is_said() {
    let place = Place::new();
    let mirror = Mirror::start(Says::whole(&place.archive));
    let Some(programs) = without_curl(&place) else { return };
    ran(&place.from(&mirror).env("PATH", &programs).output().unwrap(), "released");
    fs::remove_dir_all(place.path("cache")).unwrap();
    fs::remove_file(programs.join("wget")).unwrap();
    refused(&place.from(&mirror).env("PATH", &programs).output().unwrap(), 3, "neither curl nor wget");
}

/// PATH with a `gh` before all else that does this.
fn gh(place: &Place, script: &str) -> OsString {
    let path = place.path("gh bin/gh");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let old = std::env::var_os("PATH").unwrap();
    std::env::join_paths([place.path("gh bin")].into_iter().chain(std::env::split_paths(&old))).unwrap()
}

#[test]
fn an_attestation_that_is_required_is_verified_or_the_step_stops() {
    let place = Place::new();
    let mirror = Mirror::start(Says::whole(&place.archive));
    let with = |text: &str| gh(&place, text);
    let bad = with("echo 'no attestation found'; exit 1");
    let mut command = place.from(&mirror);
    command.env("WINDLASS_ATTESTATION", "require").env("PATH", bad);
    refused(&command.output().unwrap(), 3, "does not verify");
    assert!(!place.cached().exists());
    let asked = place.path("asked");
    let good = with(&format!("echo \"$*\" > '{}'", asked.display()));
    command.env("PATH", good);
    ran(&command.output().unwrap(), "released");
    let asked = fs::read_to_string(asked).unwrap();
    assert!(asked.starts_with("attestation verify ") && asked.ends_with("--repo windlass-dev/windlass\n"));
}

#[test]
fn inputs_that_mean_nothing_stop_before_anything_runs() {
    let place = Place::new();
    for (words, name, value, told) in [
        (vec!["deploy"], "WINDLASS_ATTESTATION", "maybe", "attestation is not one of: auto require off"),
        (vec!["deploy"], "WINDLASS_BUILD", "yes", "build is not one of: true false"),
        (vec!["sh"], "X", "", "knows no such tool"),
        (vec![], "X", "", "knows no such tool"),
    ] {
        refused(&place.script("bash", &words).env(name, value).output().unwrap(), 2, told);
    }
}

#[test]
fn a_tree_that_was_never_released_says_so() {
    let place = Place::new();
    let manifest = format!("version {VERSION}\nrepository windlass-dev/windlass\n");
    fs::write(place.path("tree/actions/_lib/manifest"), manifest).unwrap();
    refused(&place.script("bash", &["deploy"]).output().unwrap(), 3, "has no release for");
}

#[test]
fn the_manifest_is_of_this_version() {
    let manifest = include_str!("../../actions/_lib/manifest");
    assert_eq!(manifest.lines().next(), Some(concat!("version ", env!("CARGO_PKG_VERSION"))));
    assert_eq!(manifest.lines().nth(1), Some("repository windlass-dev/windlass"));
}
