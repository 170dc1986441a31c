//! `actions/_lib/run.sh` under the bash of Git for Windows, as far as a machine that is none can tell: `uname` and `cygpath` are
//! stand-ins, the tools are scripts with the names that they have there.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::mirror::{Mirror, Says};
use super::{Place, VERSION, refused, tool_at};
use windlass_domain::digest::Digest;

const TARGET: &str = "x86_64-pc-windows-gnu";
const TOOLS: [&str; 3] = ["gate-check.exe", "health-verify.exe", "security-scan.exe"];

/// A machine that says it is a Windows one, and a release for it.
struct Windows {
    place: Place,
    archive: Vec<u8>,
}

impl Windows {
    fn new(machine: &str) -> Self {
        let place = Place::called("wl win");
        let mut manifest = format!("version {VERSION}\nrepository windlass-dev/windlass\n");
        let archive_name = format!("windlass-{VERSION}-{TARGET}.tar.gz");
        let mut promise = |name: &str, path: PathBuf| {
            let digest = Digest::of(&fs::read(path).unwrap()).to_string();
            manifest.push_str(&format!("sha256 {} {TARGET}/{name}\n", &digest["sha256:".len()..]));
        };
        for tool in TOOLS {
            let path = place.path("windows release").join(tool);
            tool_at(&path, "released", VERSION);
            // A tool says its own name, not that of its file.
            let text = fs::read_to_string(&path).unwrap().replace(tool, tool.strip_suffix(".exe").unwrap());
            fs::write(&path, text).unwrap();
            promise(tool, path);
        }
        let archive = place.path(&archive_name);
        let mut tar = Command::new("tar");
        tar.arg("-czf").arg(&archive).arg("-C").arg(place.path("windows release")).args(TOOLS);
        assert!(tar.status().unwrap().success());
        promise(&archive_name, archive.clone());
        fs::write(place.path("tree/actions/_lib/manifest"), &manifest).unwrap();
        let windows = Self { archive: fs::read(archive).unwrap(), place };
        windows.program("uname", &format!("echo '{machine}'"));
        // C:\ is the root of this machine's files.
        windows.program(
            "cygpath",
            r#"case $1 in
  -u) printf '%s\n' "$2" | sed -e 's|\\|/|g' -e 's|^C:||' ;;
  -w) printf 'C:%s\n' "$2" | sed 's|/|\\|g' ;;
esac"#,
        );
        windows
    }

    fn program(&self, name: &str, text: &str) {
        let path = self.place.path("windows bin").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("#!/bin/bash\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The script, with a runner's folders as they are written there.
    fn script(&self, words: &[&str]) -> Command {
        let mut command = self.place.script("bash", words);
        let old = std::env::var_os("PATH").unwrap();
        let path = [self.place.path("windows bin")].into_iter().chain(std::env::split_paths(&old));
        command.env("PATH", std::env::join_paths(path).unwrap()).stdin(Stdio::null());
        command.env("RUNNER_TEMP", there(&self.place.path("temp")));
        command.env("RUNNER_TOOL_CACHE", there(&self.place.path("cache")));
        command
    }
}

/// A path as Windows writes it.
fn there(path: &std::path::Path) -> String {
    format!("C:{}", path.to_str().unwrap().replace('/', "\\"))
}

#[test]
fn the_judging_tools_are_found_with_their_ending_in_folders_with_backslashes() {
    for machine in ["MINGW64_NT-10.0-20348 x86_64", "MSYS_NT-10.0-26100 aarch64"] {
        let windows = Windows::new(machine);
        let mirror = Mirror::start(Says::whole(&windows.archive));
        for tool in ["gate-check", "security-scan", "health-verify"] {
            let mut command = windows.script(&[tool, "-e", "two words"]);
            let output = command.env("WINDLASS_MIRROR", mirror.url()).output().unwrap();
            let err = String::from_utf8_lossy(&output.stderr);
            let out = String::from_utf8_lossy(&output.stdout);
            assert_eq!(out, format!("released {tool} 2: -e two words\n"), "{err}");
            assert_eq!(output.status.code(), Some(4), "the tool's own exit code: {err}");
        }
        assert_eq!(mirror.asked(), 1, "kept by its right name: {machine}");
        let cached = windows.place.path("cache").join("windlass").join(VERSION).join(TARGET);
        assert_eq!(fs::read_dir(cached).unwrap().count(), TOOLS.len() + 1, "the tools and the mark");
    }
}

#[test]
fn what_is_not_for_windows_is_said_with_where_it_runs() {
    let windows = Windows::new("MINGW64_NT-10.0-20348 x86_64");
    let mirror = Mirror::start(Says::whole(&windows.archive));
    for tool in ["deploy", "rollback", "windlass"] {
        let output = windows.script(&[tool]).env("WINDLASS_MIRROR", mirror.url()).output().unwrap();
        refused(&output, 2, &format!("{tool} is not for Windows"));
        assert!(String::from_utf8_lossy(&output.stderr).contains("run on Linux or macOS, or in WSL"));
    }
    assert_eq!(mirror.asked(), 0, "nothing was downloaded for it");
}

#[test]
fn the_folder_for_path_is_written_as_windows_does_and_holds_only_released_tools() {
    let windows = Windows::new("MINGW64_NT-10.0-20348 x86_64");
    let mirror = Mirror::start(Says::whole(&windows.archive));
    let cached = windows.place.path("cache").join("windlass").join(VERSION).join(TARGET);
    let ask = || windows.script(&["--path"]).env("WINDLASS_MIRROR", mirror.url()).output().unwrap();
    let output = ask();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), there(&cached), "{output:?}");
    tool_at(&cached.join("security-scan.exe"), "altered", VERSION);
    assert!(ask().status.success());
    assert_eq!(mirror.asked(), 2, "every tool is hashed, not only the one that was looked for");
    assert!(!fs::read_to_string(cached.join("security-scan.exe")).unwrap().contains("altered"));
}

#[test]
fn a_folder_that_is_named_may_be_written_as_windows_does() {
    let windows = Windows::new("MINGW64_NT-10.0-20348 x86_64");
    tool_at(&windows.place.path("own tools/gate-check.exe"), "named", VERSION);
    let mut command = windows.script(&["gate-check", "read", "a.xml"]);
    command.env("WINDLASS_BIN", there(&windows.place.path("own tools")));
    let output = command.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "named gate-check.exe 2: read a.xml\n", "{output:?}");
}

#[test]
fn nothing_that_only_looks_like_a_path_is_rewritten_on_its_way() {
    let windows = Windows::new("MINGW64_NT-10.0-20348 x86_64");
    let tool = windows.place.path("own tools/health-verify.exe");
    tool_at(&tool, "named", VERSION);
    fs::write(&tool, "#!/bin/sh\necho \"$MSYS_NO_PATHCONV $MSYS2_ARG_CONV_EXCL $MSYS2_ENV_CONV_EXCL\"\n")
        .unwrap();
    let mut command = windows.script(&["health-verify"]);
    command.env("WINDLASS_BIN", windows.place.path("own tools"));
    assert_eq!(String::from_utf8_lossy(&command.output().unwrap().stdout), "1 * WINDLASS_\n");
}
