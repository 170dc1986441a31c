//! The example drivers of `examples/drivers`: they keep every promise, and a release goes out and back through them.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "helpers of tests fail as tests do, and tell what they saw"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// Where Debian and others put programs.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const POLICY: &str = r#"version: 1
app: page
release:
  artifact: dist/
environments:
  live:
    gates: none
    evidence: unsigned
    target:
      kind: exec
      command: [DRIVER, --root, SITE]
    strategy: { kind: blue-green, bake: 0s }
"#;

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/drivers").join(name).canonicalize().unwrap()
}

/// Whether these tools are here; with `WINDLASS_REQUIRE_TOOLS=1` it is a failure when one is not.
fn have(tools: &[&str]) -> bool {
    #[expect(clippy::disallowed_methods, reason = "a test has no context")]
    let is_required = std::env::var("WINDLASS_REQUIRE_TOOLS").is_ok_and(|value| value == "1");
    let is_missing = |tool: &&&str| !PATH.split(':').any(|folder| Path::new(folder).join(tool).is_file());
    let missing: Vec<&str> = tools.iter().filter(is_missing).copied().collect();
    assert!(missing.is_empty() || !is_required, "missing: {}", missing.join(", "));
    if !missing.is_empty() {
        eprintln!("skipped: install {}", missing.join(", "));
    }
    missing.is_empty()
}

/// How a command ended.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    document: Value,
    told: String,
}

impl Ended {
    #[track_caller]
    fn is(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    #[track_caller]
    fn says(self, text: &str) -> Self {
        assert!(format!("{}{}", self.told, self.document).contains(text), "{text:?} is not in {self:#?}");
        self
    }
}

fn windlass(folder: &Path, words: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_windlass"));
    command.args(words).current_dir(folder).env_clear().env("PATH", PATH).env("HOME", folder);
    // What must not reach the driver's command.
    command.env("WINDLASS_SIGNING_KEY", "").env("WINDLASS_FORMAT", "json").stdin(Stdio::null());
    let output = command.output().unwrap();
    Ended {
        code: output.status.code(),
        document: serde_json::from_slice(&output.stdout).unwrap_or(Value::Null),
        told: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The suite against one example; says how each check came out.
fn conforms(driver: &str, kills: &str) -> Vec<(String, String)> {
    let folder = tempfile::Builder::new().prefix("wl-").tempdir().unwrap();
    let (root, driver) = (folder.path().join("site"), example(driver));
    let words = [
        "conformance",
        "--driver",
        "exec",
        "--kills",
        kills,
        "--",
        driver.to_str().unwrap(),
        "--root",
        root.to_str().unwrap(),
    ];
    let ended = windlass(folder.path(), &words).is(0);
    let checks = ended.document["checks"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    checks.iter().map(|check| (text(&check["name"]), text(&check["result"]))).collect()
}

#[test]
fn the_shell_driver_keeps_every_promise_but_shares_and_migrations() {
    if !have(&["flock"]) {
        return;
    }
    let checks = conforms("shell/driver.sh", "8");
    assert!(checks.len() >= 28, "{checks:?}");
    for (name, result) in checks {
        // It can only flip, and has no data.
        let expected = if matches!(&name[..], "shift-weights" | "migrate-once") { "skipped" } else { "kept" };
        assert_eq!(result, expected, "{name}");
    }
}

#[test]
fn the_python_driver_keeps_every_promise_with_real_shares() {
    if !have(&["python3", "nginx"]) {
        return;
    }
    for (name, result) in conforms("python/driver.py", "4") {
        assert_eq!(result, "kept", "{name}");
    }
}

#[test]
fn a_driver_that_breaks_a_promise_fails_and_a_command_that_is_none_proves_nothing() {
    if !have(&["flock"]) {
        return;
    }
    let folder = tempfile::Builder::new().prefix("wl-").tempdir().unwrap();
    let script = fs::read_to_string(example("shell/driver.sh")).unwrap();
    // The example without its comparison of epochs.
    let careless = script.replace(r#"[ "$lease_epoch" != "$WINDLASS_EPOCH" ]"#, "false");
    assert_ne!(careless, script);
    let path = folder.path().join("careless.sh");
    fs::write(&path, careless).unwrap();
    let root = folder.path().join("site");
    let words = |program: &'static str, script: &str| {
        let rest = ["--", program, script, "--root", root.to_str().unwrap()].map(str::to_owned);
        ["conformance", "--driver", "exec", "--only", "fence-stale"]
            .map(str::to_owned)
            .into_iter()
            .chain(rest)
    };
    let run = |program, script: &str| {
        let words: Vec<String> = words(program, script).collect();
        windlass(folder.path(), &words.iter().map(String::as_str).collect::<Vec<_>>())
    };
    run("sh", path.to_str().unwrap()).is(1).says("fence-stale").says("was not refused");
    run("sh", "/nowhere/driver.sh").is(3).says("/nowhere/driver.sh");
    windlass(folder.path(), &["conformance", "--driver", "exec", "--only", "nothing", "--", "true"])
        .is(2)
        .says("fence-stale");
}

/// A repository that releases a page through the shell driver.
struct Page {
    folder: TempDir,
}

impl Page {
    fn new() -> Self {
        let page = Self { folder: tempfile::Builder::new().prefix("wl-").tempdir().unwrap() };
        let policy = POLICY
            .replace("DRIVER", example("shell/driver.sh").to_str().unwrap())
            .replace("SITE", page.path("site").to_str().unwrap());
        page.write("windlass.yml", &policy);
        page.write(".gitignore", "site/\n.windlass/\n");
        page.git(&["init", "-q"]);
        page
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn git(&self, words: &[&str]) {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]);
        let output = git.args(words).current_dir(self.folder.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn build(&self, text: &str) {
        self.write("dist/index.html", text);
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", text]);
    }

    fn run(&self, words: &[&str]) -> Ended {
        windlass(self.folder.path(), words)
    }

    /// What a web server would serve.
    fn served(&self) -> String {
        fs::read_to_string(self.path("site/page/live/current/index.html")).unwrap_or_default()
    }
}

#[test]
fn a_release_goes_out_and_back_through_a_command() {
    if !have(&["flock", "git"]) {
        return;
    }
    let page = Page::new();
    page.build("one");
    let planned = page.run(&["deploy", "--plan"]).is(0);
    assert_eq!(planned.document["revision"], 1, "{planned:#?}");
    assert_eq!(page.served(), "", "a plan changes nothing");
    page.run(&["deploy"]).is(0);
    assert_eq!(page.served(), "one");

    page.build("two");
    let second = page.run(&["deploy"]).is(0);
    assert_eq!(page.served(), "two");
    assert_eq!(second.document["receipt"], Value::Null, "a command counts nothing, and nothing is made up");

    page.run(&["rollback", "--reason", "two is regretted"]).is(0);
    assert_eq!(page.served(), "one");
    page.run(&["deploy"]).is(4).says("two is regretted");
    page.run(&["unhold"]).is(0);

    let status = page.run(&["status"]).is(0);
    let live = &status.document["environments"][0];
    assert_eq!((&live["live"], &live["weights"]), (&Value::from(1), &Value::from("r1 100%")), "{status:#?}");
    let history = page.run(&["history"]).is(0);
    assert_eq!(history.document["rollouts"].as_array().unwrap().len(), 3, "{history:#?}");
}

#[test]
fn rule_15_a_share_is_refused_before_a_command_that_flips_is_asked_for_one() {
    if !have(&["flock", "git"]) {
        return;
    }
    let page = Page::new();
    page.build("one");
    page.run(&["deploy"]).is(0);
    page.build("two");
    let policy = fs::read_to_string(page.path("windlass.yml")).unwrap();
    let claims = policy.replace(
        "    strategy: { kind: blue-green, bake: 0s }",
        "    strategy: { kind: canary, steps: [10%], bake: 0s }",
    );
    assert_ne!(claims, policy);
    page.write("windlass.yml", &claims);
    page.run(&["deploy"]).is(2).says("weights");
    // Where windlass.yml says more than the command can do, the command is believed.
    page.write("windlass.yml", &claims.replace("kind: exec\n", "kind: exec\n      weights: true\n"));
    page.run(&["deploy"]).is(3).says("it can only flip");
    assert_eq!(page.served(), "one");
}

#[test]
fn rule_3_a_lease_or_a_journal_that_cannot_be_read_is_no_free_one() {
    if !have(&["flock", "git"]) {
        return;
    }
    let page = Page::new();
    page.build("one");
    page.run(&["deploy"]).is(0);
    page.build("two");
    let state = page.path("site/page/live/.windlass");
    fs::write(state.join("lease"), "half a le").unwrap();
    page.run(&["deploy"]).is(3).says("unreadable");
    fs::remove_file(state.join("lease")).unwrap();

    let journal = state.join("ledger/journal");
    let sound = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, sound.replace("blue-green", "blue-grean")).unwrap();
    page.run(&["deploy"]).is(3).says("of the ledger is corrupted");
    fs::write(&journal, &sound[..sound.len() - 20]).unwrap();
    page.run(&["deploy"]).is(3).says("cut off");
    assert_eq!(page.served(), "one");
    fs::write(&journal, sound).unwrap();
    page.run(&["deploy"]).is(0);
    assert_eq!(page.served(), "two");
}

#[test]
fn a_command_finds_its_credentials_and_none_of_our_keys() {
    let page = Page::new();
    let script = "#!/bin/sh\nenv >\"$PWD/seen\"\necho secret-line >&2\nexit 1\n";
    page.write("driver.sh", script);
    let policy = fs::read_to_string(page.path("windlass.yml")).unwrap();
    let line = policy.lines().find(|line| line.contains("command:")).unwrap();
    page.write("windlass.yml", &policy.replace(line, "      command: [sh, driver.sh]"));
    page.build("one");
    let mut command = Command::new(env!("CARGO_BIN_EXE_windlass"));
    command
        .args(["status", "--format", "json"])
        .current_dir(page.folder.path())
        .env_clear()
        .env("PATH", PATH);
    command.env("WINDLASS_SIGNING_KEY", "our key").env("CLOUD_TOKEN", "a token").stdin(Stdio::null());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(3), "a shell that stops at an error has judged nothing");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("secret-line"), "the command's log is in the error: {told}");
    let all = format!("{told}{}", String::from_utf8_lossy(&output.stdout));
    assert!(!all.contains("a token") && !all.contains("our key"), "{all}");
    let seen = fs::read_to_string(page.path("seen")).unwrap();
    assert!(seen.contains("CLOUD_TOKEN=a token") && seen.contains("WINDLASS_VERB=capabilities"), "{seen}");
    assert!(!seen.contains("our key"), "{seen}");
}
