//! A throw-away repository that uses the actions and the pipeline as anybody does, and the machine that its releases live on.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use windlass_domain::journal::History;
use windlass_domain::policy::Span;
use windlass_target::host::Host;
use windlass_target::host::control::Place;

use crate::act::{self, Ran, Runner, Running};
use crate::server::{Server, json};

/// The repository, as the emulator has it from the remote.
pub(crate) const REPOSITORY: &str = "shop/shop";

/// The token of a run's jobs.
pub(crate) const TOKEN: &str = "a-token-for-nobody-but-the-api";

/// Every environment of the consumer's policies.
const ENVIRONMENTS: [&str; 6] = ["dev", "staging", "production", "deployed", "watched", "returned"];

pub(crate) struct Consumer {
    /// GitHub's API.
    pub(crate) api: Server,
    folder: TempDir,
    mapping: Vec<String>,
    pub(crate) settings: Vec<String>,
}

impl Consumer {
    /// The repository with version v1, nothing released yet, and a GitHub that takes any record.
    pub(crate) fn new() -> Self {
        Self::beside(Server::start(|asked, _| match asked.method.as_str() {
            "GET" => json(200, "[]"),
            _ => json(201, r#"{ "id": 1 }"#),
        }))
    }

    /// The same, beside a GitHub of the test's own.
    pub(crate) fn beside(api: Server) -> Self {
        let folder = tempfile::Builder::new().prefix("wl-gh").tempdir().unwrap();
        for name in ["repo", "home", "store", "tools"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        let mapping = act::export(&folder.path().join("export"));
        let settings = vec!["--env".to_owned(), format!("GITHUB_API_URL={}", api.url())];
        let mut consumer = Self { api, folder, mapping, settings };
        consumer.put_tools();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/github/consumer");
        act::copy(&source, &consumer.path("repo"));
        for key in ["pipeline", "ana"] {
            let keygen = consumer.windlass(&["keygen", "--out", &format!("../keys/{key}")]);
            assert!(keygen.status.success(), "{keygen:?}");
            let public = fs::read_to_string(consumer.path(&format!("keys/{key}/windlass.pub"))).unwrap();
            consumer.write(&format!("keys/{key}.pub"), &public);
        }
        let key = fs::read_to_string(consumer.path("keys/pipeline/windlass.key")).unwrap();
        consumer.set("--secret", "WINDLASS_SIGNING_KEY", &key);
        // What `github.token` is; no step has it but by the workflow's own words.
        consumer.set("--secret", "GITHUB_TOKEN", TOKEN);
        consumer.set("--var", "WINDLASS_BIN", &consumer.path("tools").display().to_string());
        let store = consumer.path("store").display().to_string();
        for policy in ["windlass.yml", "outcomes.yml"] {
            consumer.edit(policy, "@store@", &store);
        }
        consumer.git(&["init", "-q"]);
        consumer.git(&["remote", "add", "origin", &format!("https://github.com/{REPOSITORY}.git")]);
        consumer.commit("v1");
        consumer
    }

    /// The five tools and the umbrella as single programs, each the umbrella that was just built.
    fn put_tools(&self) {
        for tool in ["gate-check", "security-scan", "deploy", "health-verify", "rollback", "windlass"] {
            let word = if tool == "windlass" { "" } else { tool };
            let path = self.path("tools").join(tool);
            let program = env!("CARGO_BIN_EXE_windlass");
            fs::write(&path, format!("#!/bin/sh\nexec '{program}' {word} \"$@\"\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file of the repository.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path("repo").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Changes a file of the repository.
    #[track_caller]
    pub(crate) fn edit(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path("repo").join(name)).unwrap();
        assert!(text.contains(from), "{name} has no {from:?}");
        self.write(name, &text.replace(from, to));
    }

    /// What a file in the folder of the stand-ins holds.
    #[track_caller]
    pub(crate) fn stored(&self, name: &str) -> String {
        let path = self.path("store").join(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// `--var` or `--secret` of every run from now on.
    pub(crate) fn set(&mut self, kind: &str, name: &str, value: &str) {
        self.settings.extend([kind.to_owned(), format!("{name}={value}")]);
    }

    /// Makes this the version, and commits everything.
    pub(crate) fn commit(&self, version: &str) {
        let text = fs::read_to_string(self.path("repo/shop.py")).unwrap();
        let lines = text.lines().map(|line| {
            if line.starts_with("VERSION = ") { format!("VERSION = \"{version}\"") } else { line.to_owned() }
        });
        self.write("shop.py", &(lines.collect::<Vec<_>>().join("\n") + "\n"));
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", version]);
    }

    pub(crate) fn git(&self, words: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=Bo", "-c", "user.email=bo@example.org", "-c", "init.defaultBranch=main"])
            .args(words)
            .current_dir(self.path("repo"))
            .output()
            .unwrap();
        assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub(crate) fn start(&self, event: &str, workflow: &str, more: &[&str]) -> Running {
        let runner = Runner {
            repository: self.path("repo"),
            home: self.path("home"),
            store: self.path("store"),
            mapping: self.mapping.clone(),
            settings: self.settings.clone(),
        };
        runner.start(event, workflow, more)
    }

    /// Pushes: the release workflow of the last commit, with nothing left of the run before.
    pub(crate) fn push(&self) -> Ran {
        for name in ["artifacts", "attested", "after"] {
            let path = self.path("store").join(name);
            let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        }
        self.run("push", "release.yml", &[])
    }

    pub(crate) fn run(&self, event: &str, workflow: &str, more: &[&str]) -> Ran {
        self.start(event, workflow, more).end()
    }

    /// The umbrella as a person runs it on that machine.
    pub(crate) fn windlass(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_windlass"));
        command.args(words).current_dir(self.path("repo")).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", self.path("home"));
        command.stdin(Stdio::null()).output().unwrap()
    }

    fn root(&self, environment: &str) -> PathBuf {
        self.path("home/.local/state/windlass/shop").join(environment)
    }

    /// What the environment's ledger says, without asking the agent.
    pub(crate) fn history(&self, environment: &str) -> Option<History> {
        windlass_target::host::asleep(&self.root(environment)).ok().map(|(history, _)| history)
    }

    /// What the service answers there through the router.
    #[track_caller]
    pub(crate) fn answer(&self, environment: &str) -> String {
        let status = self.windlass(&["status", "-e", environment, "--format", "json"]);
        let document: Value = serde_json::from_slice(&status.stdout).unwrap_or_default();
        let Some(address) = document.pointer("/environments/0/address").and_then(Value::as_str) else {
            return format!("nobody listens: {document} {}", String::from_utf8_lossy(&status.stderr));
        };
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text.lines().last().unwrap_or_default().to_owned()
    }

    /// Which version each of these environments serves.
    #[track_caller]
    pub(crate) fn serves(&self, wanted: &[(&str, &str)]) {
        for (environment, version) in wanted {
            let answer = self.answer(environment);
            assert!(answer.starts_with(version), "{environment}: {answer:?} and not {version:?}");
        }
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for environment in ENVIRONMENTS.into_iter().filter(|name| self.root(name).exists()) {
            let place = Place::plain("shop", environment, "127.0.0.1:0");
            let host = Host::new(&self.root(environment), place, Span::seconds(30));
            // Where none has ever run there is nothing to end.
            let _ = runtime.block_on(host.shutdown(true));
        }
    }
}
