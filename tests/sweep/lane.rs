//! One environment with its own agent: releases, runs of `deploy` on it, and what must hold after them.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::Pid;
use tempfile::TempDir;
use windlass_domain::rollout::Weights;
use windlass_target::host::asleep;
use windlass_target::host::control::{AgentState, SOCKET};

use crate::proxy::{self, Killed, Side, Watch, ask};

/// How long anything may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether a release holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Good,
    /// It never becomes ready, and is put back.
    Bad,
}

#[derive(Clone, Debug)]
pub(crate) struct Release {
    pub(crate) label: String,
    kind: Kind,
}

/// One run of `deploy`.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) release: Release,
    /// At which of its mutations it is killed; it may have fewer.
    pub(crate) kill: Option<(usize, Side)>,
}

/// An environment with a live release. Whatever it started ends with it.
pub(crate) struct Lane {
    folder: TempDir,
    agent: Child,
    watch: Arc<Mutex<Watch>>,
    /// The label of what is live.
    live: String,
    releases: usize,
    /// How many runs there were.
    pub(crate) runs: usize,
}

impl Lane {
    pub(crate) fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("wlsw").tempdir().unwrap();
        for name in ["front", "shop/dist/bin"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        let root = folder.path().join("real");
        let output = File::create(folder.path().join("agent.out")).unwrap();
        let agent = umbrella(folder.path())
            .args(["windlassd", "--root"])
            .arg(&root)
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        let watch = Arc::new(Mutex::new(Watch::default()));
        proxy::start(&folder.path().join("front").join(SOCKET), root.join(SOCKET), Arc::clone(&watch));
        let mut lane = Self { folder, agent, watch, live: String::new(), releases: 0, runs: 0 };
        await_that("the agent answers", || ask(&lane.socket(), "GET", "/v1/state", b"").is_ok());
        let first = lane.release(Kind::Good);
        lane.converge(&[Run { release: first, kill: None }]);
        lane
    }

    /// A release that was never there before.
    pub(crate) fn release(&mut self, kind: Kind) -> Release {
        self.releases += 1;
        Release { label: format!("v{}", self.releases), kind }
    }

    /// Runs one after the other, each after the lease of a killed one has expired. Every run that is not killed must
    /// converge: it says how its release came out, and the environment is wholly what it says. Returns the kills, and
    /// the label of what is live.
    pub(crate) fn converge(&mut self, runs: &[Run]) -> (Vec<Killed>, String) {
        let before = self.live.clone();
        let mut kills = Vec::new();
        for run in runs {
            let (status, killed, told) = self.deploy(run);
            let case = format!("{run:?} of {runs:?} after {before}\n{told}");
            if let Some(killed) = killed {
                assert_eq!(status.signal(), Some(9), "killed at {killed:?}: {case}");
                kills.push(killed);
                await_that("the lease expires", || self.state().lease.is_none());
                continue;
            }
            let expected = if run.release.kind == Kind::Good { 0 } else { 1 };
            assert_eq!(status.code(), Some(expected), "{case}");
            self.whole(&case);
            // Old or new: a good one that went through is live; of a bad one nothing is left, and what was live
            // before it is, which may be a good one of this case that was killed after its commit.
            let committed =
                runs.iter().any(|run| run.release.kind == Kind::Good && run.release.label == self.live);
            match run.release.kind {
                Kind::Good => assert_eq!(self.live, run.release.label, "{case}"),
                Kind::Bad => assert!(self.live == before || committed, "{} is live: {case}", self.live),
            }
        }
        (kills, self.live.clone())
    }

    /// Runs `deploy` to its end, or to where it is killed.
    fn deploy(&mut self, run: &Run) -> (ExitStatus, Option<Killed>, String) {
        self.runs += 1;
        self.lay_out(&run.release);
        let output = self.folder.path().join("deploy.out");
        let file = File::create(&output).unwrap();
        let mut child = {
            // Nothing is counted before it is known whom to kill.
            let mut watch = self.watch.lock().unwrap();
            let child = umbrella(self.folder.path())
                .args(["deploy", "-e", "production"])
                .current_dir(self.folder.path().join("shop"))
                .stdout(file.try_clone().unwrap())
                .stderr(file)
                .spawn()
                .unwrap();
            *watch = Watch { victim: Some(Pid::from_child(&child)), kill: run.kill, ..Watch::default() };
            child
        };
        let started = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if started.elapsed() > PATIENCE {
                child.kill().unwrap();
                child.wait().unwrap();
                panic!("{run:?} does not end: {}", fs::read_to_string(&output).unwrap());
            }
            sleep(Duration::from_millis(5));
        };
        let killed = self.watch.lock().unwrap().killed.take();
        (status, killed, fs::read_to_string(&output).unwrap())
    }

    /// What must hold whatever happened: all weight on one revision, which is live by the ledger and answers; no other
    /// has a process; nothing is open, stuck or on hold.
    fn whole(&mut self, case: &str) {
        let state = self.state();
        let (history, _) = asleep(&self.root()).unwrap_or_else(|error| panic!("{error}: {case}"));
        assert!(
            history.open().is_none() && !history.is_stuck() && history.hold.is_none(),
            "{history:?}: {case}"
        );
        assert_eq!(history.head, state.head, "{case}");
        let live = history.live().unwrap_or_else(|| panic!("nothing is live: {case}")).revision;
        assert_eq!(state.weights, Weights::all(live), "{case}");
        assert!(state.lease.is_none(), "{:?}: {case}", state.lease);
        for revision in &state.revisions {
            let running = revision.instances.iter().filter(|instance| instance.ready).count();
            let expected = usize::from(revision.revision == live);
            assert_eq!((revision.instances.len(), running), (expected, expected), "{revision:?}: {case}");
            let artifact = history.releases.get(&revision.revision).map(|release| release.artifact);
            assert_eq!(artifact, Some(revision.artifact), "{revision:?}: {case}");
        }
        assert_eq!(state.revisions.iter().filter(|revision| revision.wanted > 0).count(), 1, "{case}");
        if let Some(processes) = self.processes() {
            assert_eq!(processes, 1, "one process runs, and none that the agent forgot: {case}");
        }
        self.live = answering(state.listening.as_deref().unwrap(), case);
    }

    /// How many processes run in the folder of any revision, where the system can say.
    fn processes(&self) -> Option<usize> {
        let revisions = self.root().canonicalize().unwrap().join("revisions");
        let folders = fs::read_dir("/proc")
            .ok()?
            .filter_map(|process| fs::read_link(process.ok()?.path().join("cwd")).ok());
        Some(folders.filter(|folder| folder.starts_with(&revisions)).count())
    }

    fn lay_out(&self, release: &Release) {
        let shop = self.folder.path().join("shop");
        let (flags, within) = match release.kind {
            Kind::Good => ("", "20s"),
            Kind::Bad => ("--never-ready", "150ms"),
        };
        let program = env!("CARGO_BIN_EXE_windlass").replace('\'', "'\\''");
        let label = &release.label;
        let script = format!(
            "#!/bin/sh\nexec '{program}' demo-service --port \"$1\" --version-label {label} {flags}\n"
        );
        fs::write(shop.join("dist/bin/shop"), script).unwrap();
        fs::set_permissions(shop.join("dist/bin/shop"), fs::Permissions::from_mode(0o755)).unwrap();
        let front = self.folder.path().join("front");
        let policy = POLICY.replace("{front}", front.to_str().unwrap()).replace("{within}", within);
        fs::write(shop.join("windlass.yml"), policy).unwrap();
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("real")
    }

    fn socket(&self) -> PathBuf {
        self.root().join(SOCKET)
    }

    fn state(&self) -> AgentState {
        serde_json::from_slice(&ask(&self.socket(), "GET", "/v1/state", b"").unwrap()).unwrap()
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        let _ = ask(&self.socket(), "POST", "/v1/shutdown", br#"{"stop_instances":true}"#);
        let asked = Instant::now();
        while matches!(self.agent.try_wait(), Ok(None)) && asked.elapsed() < Duration::from_secs(20) {
            sleep(Duration::from_millis(10));
        }
        let _ = self.agent.kill();
        let _ = self.agent.wait();
    }
}

/// The umbrella, with nothing of this process's environment but the path.
fn umbrella(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_windlass"));
    command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", home).stdin(Stdio::null());
    command
}

/// The label of the version that answers the environment's clients.
fn answering(address: &str, case: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let label = answer.split_once("\r\n\r\nshop ").map(|(_, label)| label.trim().to_owned());
    label.filter(|_| answer.starts_with("HTTP/1.1 200 ")).unwrap_or_else(|| panic!("{answer:?}: {case}"))
}

fn await_that(what: &str, condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < PATIENCE, "{what}: not within {} s", PATIENCE.as_secs());
        sleep(Duration::from_millis(10));
    }
}

const POLICY: &str = r#"version: 1
app: shop
release:
  artifact: dist/
environments:
  production:
    gates: none
    evidence: unsigned
    target:
      kind: host
      root: "{front}"
      listen: 127.0.0.1:0
      run: [bin/shop, "{port}"]
      instances: 1
      ready: { http: /healthz, within: {within} }
      drain: 1s
    strategy: { kind: canary, steps: [25%, 50%], bake: 0s }
"#;
