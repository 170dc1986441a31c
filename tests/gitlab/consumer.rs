//! Somebody's repository that includes the components by version, and `gitlab-ci-local`, which runs its pipelines.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::written::root;

/// The version that the repository asks for.
const VERSION: &str = "1.0.0";

/// Where the runner asks for the components; git is told where they really are.
const FROM: [&str; 2] = ["https://gitlab.com/windlass-dev/", "https://gitlab.com:443/windlass-dev/"];

/// A repository, the components that a GitLab server would have, and what lives in its environments.
pub(crate) struct Consumer {
    pub(crate) folder: TempDir,
}

/// How a run of `gitlab-ci-local` ended.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) told: String,
}

/// Whether the runner is here; with `WINDLASS_REQUIRE_TOOLS=1` it is a failure when it is not.
#[expect(clippy::disallowed_methods, reason = "a test has no context; these are the variables that it reads")]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
pub(crate) fn tools_are_here() -> bool {
    let is_required = std::env::var("WINDLASS_REQUIRE_TOOLS").is_ok_and(|value| value == "1");
    let path = std::env::var_os("PATH").unwrap();
    let missing: Vec<&str> = ["gitlab-ci-local", "rsync", "git"]
        .into_iter()
        .filter(|name| !std::env::split_paths(&path).any(|folder| folder.join(name).is_file()))
        .collect();
    assert!(!is_required || missing.is_empty(), "not here: {}", missing.join(", "));
    if !missing.is_empty() {
        eprintln!("skipped, not here: {} (gitlab-ci-local 4.75 is on npm, see .ci/run)", missing.join(", "));
    }
    missing.is_empty()
}

impl Consumer {
    /// A repository with this policy, in which `ROOT` is where the environments live, and this pipeline.
    pub(crate) fn new(policy: &str, pipeline: &str) -> Self {
        let consumer = Self { folder: tempfile::Builder::new().prefix("wl-").tempdir().unwrap() };
        consumer.released();
        consumer.tools();
        fs::create_dir_all(consumer.path("home")).unwrap();
        let text = policy.replace("ROOT", consumer.path("state").to_str().unwrap());
        consumer.write("shop/windlass.yml", &text);
        let text = pipeline
            .replace("COMPONENT/", "$CI_SERVER_FQDN/windlass-dev/windlass/")
            .replace("@VERSION", &format!("@{VERSION}"))
            .replace("BIN", consumer.path("bin").to_str().unwrap());
        consumer.write("shop/.gitlab-ci.yml", &text);
        consumer.write("shop/.gitignore", ".gitlab-ci-local/\n.windlass/\ndist/\nreports/\n");
        let shop = consumer.path("shop");
        git(&shop, &["init", "-q"]);
        git(&shop, &["remote", "add", "origin", "https://gitlab.com/acme/shop.git"]);
        git(&shop, &["config", "user.name", "Ana"]);
        git(&shop, &["config", "user.email", "ana@example.org"]);
        consumer
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Commits a version of the service, which its build makes with these flags.
    pub(crate) fn version(&self, label: &str, flags: &str) {
        let program = env!("CARGO_BIN_EXE_windlass");
        let service = format!(
            "#!/bin/sh\nexec '{program}' demo-service --port \"$2\" --version-label {label} {flags}\n"
        );
        self.write("shop/src/shop", &service);
        self.commit(label);
    }

    pub(crate) fn commit(&self, message: &str) {
        git(&self.path("shop"), &["add", "-A"]);
        git(&self.path("shop"), &["commit", "-q", "-m", message]);
        // A new pipeline begins without what the one before left.
        let _ = fs::remove_dir_all(self.path("shop/.gitlab-ci-local"));
    }

    /// The templates of this tree as a server has them: a bare repository with a tag.
    fn released(&self) {
        let work = self.path("release");
        for one in fs::read_dir(root().join("templates")).unwrap().map(|one| one.unwrap().path()) {
            let template = one.join("template.yml");
            if template.is_file() {
                let to = work.join("templates").join(one.file_name().unwrap());
                fs::create_dir_all(&to).unwrap();
                fs::copy(template, to.join("template.yml")).unwrap();
            }
        }
        git(&work, &["init", "-q"]);
        git(&work, &["add", "-A"]);
        git(&work, &["-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-q", "-m", "Release"]);
        git(&work, &["tag", VERSION]);
        let bare = self.path("server/windlass-dev/windlass.git");
        fs::create_dir_all(bare.parent().unwrap()).unwrap();
        git(&work, &["clone", "-q", "--bare", ".", bare.to_str().unwrap()]);
    }

    /// The tools as a folder of programs: each is the umbrella, which this test has been built with.
    fn tools(&self) {
        for tool in ["gate-check", "security-scan", "deploy", "health-verify", "rollback", "windlass"] {
            self.tool_says(tool, &format!("{tool} {}", env!("CARGO_PKG_VERSION")));
        }
    }

    /// Puts a tool into that folder, which names itself so.
    pub(crate) fn tool_says(&self, tool: &str, version: &str) {
        let word = if tool == "windlass" { "" } else { tool };
        let program = env!("CARGO_BIN_EXE_windlass");
        let text = format!(
            "#!/bin/sh\nif [ \"$*\" = --version ]; then echo '{version}'; exit; fi\nexec '{program}' {word} \"$@\"\n"
        );
        self.write(&format!("bin/{tool}"), &text);
        let path = self.path("bin").join(tool);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs jobs, or the whole pipeline.
    pub(crate) fn run(&self, words: &[&str]) -> Ended {
        let server = format!("file://{}/", self.path("server/windlass-dev").display());
        let mut command = Command::new("gitlab-ci-local");
        command.args(["--shell-isolation", "--force-shell-executor", "--no-color", "--no-timestamps"]);
        command.args(words).current_dir(self.path("shop")).env_clear();
        // A runner that has the tools on its PATH.
        #[expect(clippy::disallowed_methods, reason = "a test has no context; programs are where they are")]
        let path = std::env::var_os("PATH").unwrap();
        let path = std::iter::once(self.path("bin")).chain(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(path).unwrap());
        command.env("HOME", self.path("home")).env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_COUNT", "2");
        for (index, from) in FROM.iter().enumerate() {
            command.env(format!("GIT_CONFIG_KEY_{index}"), format!("url.{server}.insteadOf"));
            command.env(format!("GIT_CONFIG_VALUE_{index}"), from);
        }
        let output = command.stdin(Stdio::null()).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ended {
            code: output.status.code().unwrap_or(255),
            told: text(&output.stdout) + &text(&output.stderr),
        }
    }

    /// What a tool said in its document, which its job handed on.
    pub(crate) fn document(&self, job: &str, path: &str) -> Value {
        let file = self.path("shop/.gitlab-ci-local/artifacts").join(job).join(path);
        serde_json::from_slice(&fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display())))
            .unwrap()
    }

    /// Runs the umbrella beside the pipeline, as a person at a terminal does.
    pub(crate) fn windlass(&self, words: &[&str]) -> Ended {
        let output = Command::new(env!("CARGO_BIN_EXE_windlass"))
            .args(words)
            .current_dir(self.path("shop"))
            .env_clear()
            .env("HOME", self.path("home"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ended {
            code: output.status.code().unwrap_or(255),
            told: text(&output.stdout) + &text(&output.stderr),
        }
    }

    /// The service's answer to `GET /` through the router of an environment.
    pub(crate) fn answer(&self, environment: &str) -> String {
        let status = self.windlass(&["status", "-e", environment, "--format", "json"]).told;
        let status: Value = serde_json::from_str(&status).unwrap_or_default();
        let address = status.pointer("/environments/0/address").and_then(Value::as_str).map(str::to_owned);
        address.map_or_else(|| "nobody listens".to_owned(), |address| get(&address))
    }
}

impl Ended {
    #[track_caller]
    pub(crate) fn is(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}", self.told);
        self
    }

    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.told.contains(text), "{text:?} is not in: {}", self.told);
        self
    }

    /// That these jobs ran, and no others: a job that is skipped is skipped without a word.
    #[track_caller]
    pub(crate) fn ran(self, jobs: &[&str]) -> Self {
        let mut seen: Vec<&str> = self
            .told
            .lines()
            .filter_map(|line| line.split_once(" starting ").map(|(job, _)| job.trim()))
            .collect();
        seen.sort_unstable();
        seen.dedup();
        let mut wanted = jobs.to_vec();
        wanted.sort_unstable();
        assert_eq!(seen, wanted, "{}", self.told);
        self
    }

    /// That this job failed with this code.
    #[track_caller]
    pub(crate) fn failed(self, job: &str, code: i32) -> Self {
        let failed = self.told.lines().any(|line| {
            line.trim_start().starts_with(&format!("{job} ")) && line.contains(&format!(" FAIL {code} "))
        });
        assert!(failed, "{job} did not fail with {code}: {}", self.told);
        self
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        let Ok(environments) = fs::read_dir(self.path("state")) else { return };
        for environment in environments {
            let name = environment.unwrap().file_name();
            drop(self.windlass(&["stop", "-e", name.to_str().unwrap(), "--instances"]));
        }
    }
}

fn git(folder: &Path, words: &[&str]) {
    let output = Command::new("git")
        .args(["-c", "init.defaultBranch=main", "-c", "safe.directory=*"])
        .args(words)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// One `GET /`, whole.
fn get(address: &str) -> String {
    use std::io::{Read as _, Write as _};
    let Ok(mut stream) = std::net::TcpStream::connect(address) else { return "nobody listens".to_owned() };
    stream.write_all(b"GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}
