//! A small repository with one host environment, released by the real binary.

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A repository whose service is the umbrella's own `demo-service`.
pub(crate) struct Project {
    pub(crate) folder: TempDir,
}

/// How a tool ended.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) document: Value,
    pub(crate) told: String,
}

pub(crate) const POLICY: &str = r#"version: 1
app: shop
release:
  artifact: dist/
environments:
  live:
    gates: none
    evidence: unsigned
    target:
      kind: host
      root: state
      listen: 127.0.0.1:0
      run: [bin/shop, --port, "{port}"]
      instances: 1
      ready: { http: /healthz, within: 4s }
      drain: 1s
      stop: 2s
    strategy: { kind: canary, steps: [50%], bake: 100ms }
"#;

impl Project {
    /// A repository with version `label` built and committed.
    pub(crate) fn new(label: &str) -> Self {
        let project = Self { folder: tempfile::Builder::new().prefix("wl-").tempdir().unwrap() };
        project.write("windlass.yml", POLICY);
        project.write(".gitignore", "state/\n.windlass/\n");
        project.git(&["init", "-q"]);
        project.build(label, "");
        project
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Changes the policy's text.
    pub(crate) fn policy(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.path("windlass.yml")).unwrap();
        assert!(text.contains(from), "the policy has no {from:?}");
        self.write("windlass.yml", &text.replace(from, to));
    }

    /// Builds a version with these flags of the service, and commits it.
    pub(crate) fn build(&self, label: &str, flags: &str) {
        let service = service(label, flags);
        self.commit(label, &format!("exec {service}"));
    }

    /// Builds a version that does not end when it is asked to: only SIGKILL ends it.
    pub(crate) fn build_stubborn(&self, label: &str, flags: &str) {
        let service = service(label, flags);
        self.commit(label, &format!("trap '' TERM\n{service} &\nwhile :; do sleep 1; done"));
    }

    fn commit(&self, label: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        self.write("dist/bin/shop", &format!("#!/bin/sh\n{script}\n"));
        std::fs::set_permissions(self.path("dist/bin/shop"), std::fs::Permissions::from_mode(0o755)).unwrap();
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", label]);
    }

    pub(crate) fn git(&self, words: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"])
            .args(words)
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = self.plain(words);
        command.args(["--format", "json"]);
        command
    }

    fn plain(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_windlass"));
        command.args(words).current_dir(self.folder.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn start(&self, words: &[&str]) -> Child {
        self.command(words).spawn().unwrap()
    }

    pub(crate) fn run(&self, words: &[&str]) -> Ended {
        Ended::of(&self.command(words).output().unwrap())
    }

    /// What a person sees of a run: its exit code, and both streams.
    pub(crate) fn show(&self, words: &[&str]) -> (i32, String) {
        let output = self.plain(words).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap_or(255), text(&output.stderr) + &text(&output.stdout))
    }

    pub(crate) fn deploy(&self) -> Ended {
        self.run(&["deploy"])
    }

    /// The service's answer to `GET /` through the router.
    pub(crate) fn answer(&self) -> String {
        self.address().map_or_else(|| "nobody listens".to_owned(), |address| get(&address))
    }

    /// The same, where the address is known and the ledger need not be read.
    pub(crate) fn answer_at(address: &str) -> String {
        get(address)
    }

    /// Where the router listens.
    pub(crate) fn address(&self) -> Option<String> {
        let status = self.run(&["status"]);
        status.document.pointer("/environments/0/address").and_then(Value::as_str).map(str::to_owned)
    }

    /// What the ledger's file says, without asking the agent.
    pub(crate) fn history(&self) -> Option<windlass_domain::journal::History> {
        windlass_target::host::asleep(&self.path("state")).ok().map(|(history, _)| history)
    }

    /// The host, by its agent's socket.
    pub(crate) fn host(&self) -> windlass_target::host::Host {
        self.host_at("state")
    }

    fn host_at(&self, root: &str) -> windlass_target::host::Host {
        let place = windlass_target::host::control::Place::plain("shop", "live", "127.0.0.1:0");
        let patience = windlass_domain::policy::Span::seconds(30);
        windlass_target::host::Host::new(&self.path(root), place, patience)
    }

    pub(crate) fn live(&self) -> Option<u64> {
        self.run(&["status"]).document.pointer("/environments/0/live").and_then(Value::as_u64)
    }

    /// The agent that answers now, by its process.
    pub(crate) fn live_agent(&self) -> Option<u32> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(self.host().state()).ok().map(|state| state.pid)
    }

    /// The agent's process, by its own word.
    pub(crate) fn agent(&self) -> Option<i32> {
        let text = std::fs::read_to_string(self.path("state/agent.log")).ok()?;
        let line = text.lines().rev().find(|line| line.contains("the agent is there"))?;
        let log: Value = serde_json::from_str(line).ok()?;
        log.get("pid")?.as_i64()?.try_into().ok()
    }
}

/// The words of a shell that start a version.
fn service(label: &str, flags: &str) -> String {
    let program = env!("CARGO_BIN_EXE_windlass");
    format!("'{program}' demo-service --port \"$2\" --version-label {label} {flags}")
}

/// One `GET /`, whole.
fn get(address: &str) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

impl Ended {
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(255),
            document: serde_json::from_slice(&output.stdout).unwrap_or(Value::Null),
            told: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Everything that it said.
    pub(crate) fn all(&self) -> String {
        format!("{}\n{}", self.told, self.document)
    }

    #[track_caller]
    pub(crate) fn is(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}", self.all());
        self
    }

    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.all().contains(text), "{text:?} is not in: {}", self.all());
        self
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let host = self.host();
        if self.path("state2").exists() {
            // Whether it ends or has never run, there is nothing more to do.
            let _ = runtime.block_on(self.host_at("state2").shutdown(true));
        }
        runtime.block_on(async {
            if host.shutdown(true).await.is_err() && self.path("state/instances.json").is_file() {
                // The agent is gone and its instances live on: a new one adopts and ends them.
                drop(self.run(&["unhold"]));
                drop(self.run(&["hold", "--reason", "the test ends"]));
                let _ = host.shutdown(true).await;
            }
        });
    }
}
