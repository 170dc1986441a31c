//! One environment with its own agent: releases, runs of a tool on it, and what must hold after them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::Pid;
use tempfile::TempDir;
use windlass_domain::release::Sequence;
use windlass_target::host::control::{AgentState, SOCKET};

use crate::faults::{Disk, Fault};
use crate::processes;
use crate::proxy::{Kill, Killed, Proxy, Victim, Watch, ask};
use crate::scenario::{Ends, PLAIN, Release, Scenario, Tool};

/// How long anything may take before the test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// One run of a scenario's tool.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) release: Release,
    /// Who is killed at which of its mutations.
    pub(crate) kill: Option<Kill>,
}

/// An environment with a live release. Whatever it started ends with it.
pub(crate) struct Lane {
    /// What its root lies on, where that is a file system of its own: gone before the folder is.
    disk: Option<Disk>,
    folder: TempDir,
    port: u16,
    proxy: Proxy,
    watch: Arc<Mutex<Watch>>,
    /// An agent that this started, where it was not a tool.
    agent: Option<Child>,
    /// The label of what is live.
    pub(crate) live: String,
    /// The labels of what was live.
    pub(crate) labels: BTreeMap<Sequence, String>,
    releases: usize,
    /// How many runs there were.
    pub(crate) runs: usize,
}

impl Lane {
    pub(crate) fn start() -> Self {
        Self::begin(new_folder(), None)
    }

    /// One whose root is a small file system; `None` where this process may not mount one.
    pub(crate) fn on_a_small_disk() -> Option<Self> {
        let folder = new_folder();
        let disk = Disk::on(&folder.path().join("root"))?;
        Some(Self::begin(folder, Some(disk)))
    }

    pub(crate) const fn has_disk(&self) -> bool {
        self.disk.is_some()
    }

    fn begin(folder: TempDir, disk: Option<Disk>) -> Self {
        let root = folder.path().join("root");
        let proxy = Proxy {
            control: root.join(SOCKET),
            agent: root.join("aside.sock"),
            own: folder.path().join("proxy.sock"),
            revisions: root.join("revisions"),
        };
        let watch = Arc::new(Mutex::new(Watch::default()));
        proxy.clone().start(Arc::clone(&watch));
        let port = free_port();
        let mut lane = Self {
            disk,
            folder,
            port,
            proxy,
            watch,
            agent: None,
            live: String::new(),
            labels: BTreeMap::new(),
            releases: 0,
            runs: 0,
        };
        let first = lane.release(PLAIN);
        lane.converge(&[Run { release: first, kill: None }]);
        lane
    }

    /// A release that was never there before.
    pub(crate) fn release(&mut self, scenario: Scenario) -> Release {
        self.releases += 1;
        Release { number: self.releases, scenario }
    }

    /// The mutations of a run of this scenario that nobody kills.
    pub(crate) fn mutations(&mut self, scenario: Scenario) -> Vec<String> {
        let release = self.prepared(scenario);
        self.ensure_agent();
        self.proxy.stand_between();
        self.converge(&[Run { release, kill: None }]);
        self.watch.lock().unwrap().sent.clone()
    }

    /// A release of this scenario. Where it is one to go back from, it is live already.
    pub(crate) fn prepared(&mut self, scenario: Scenario) -> Release {
        let release = self.release(scenario);
        if scenario.tool == Tool::Rollback {
            let before = self.live.clone();
            let plain = Release { scenario: PLAIN, ..release.clone() };
            self.converge(&[Run { release: plain, kill: None }]);
            assert_ne!(self.live, before);
        }
        release
    }

    /// Runs one after the other, each after the lease of a killed one has expired. Every run in which nobody is killed
    /// must converge: it says how its release came out, and the environment is wholly what it says. Returns the kills.
    pub(crate) fn converge(&mut self, runs: &[Run]) -> Vec<Killed> {
        let before = self.live.clone();
        let mut kills: Vec<Killed> = Vec::new();
        let back_to = self.history().before_live();
        for run in runs {
            let (status, killed, told) = self.run(run, back_to, None);
            let case = format!("{run:?} of {runs:?} after {before}; killed: {kills:?}\n{told}");
            if let Some(killed) = killed {
                self.check_killed(&killed, status, &case);
                kills.push(killed);
                continue;
            }
            let (tool, ends) = (run.release.scenario.tool, run.release.scenario.ends);
            assert_eq!(status.code(), Some(i32::from(ends != Ends::Live)), "{case}");
            self.check_whole(&kills, &case);
            // Old or new: a good one that went through is live; of a bad one nothing is left, and what was live before
            // it is, which may be a good one of this case that was killed after its commit.
            let mut good = runs.iter().filter(|run| run.release.scenario.ends == Ends::Live);
            match (tool, ends) {
                (Tool::Rollback, _) => assert_eq!(self.live, self.labels[&back_to.unwrap()], "{case}"),
                (Tool::Deploy, Ends::Live) => assert_eq!(self.live, run.release.label(), "{case}"),
                (Tool::Deploy, Ends::NotReady | Ends::Refused) => {
                    let committed = good.any(|run| run.release.label() == self.live);
                    assert!(self.live == before || committed, "{} is live: {case}", self.live);
                }
            }
            self.check_migrated(run, &case);
        }
        kills
    }

    /// A run in which somebody is killed, and no other after it.
    pub(crate) fn killed(&mut self, run: &Run) {
        let (status, killed, told) = self.run(run, None, None);
        let killed = killed.unwrap_or_else(|| panic!("nobody was killed in {run:?}: {told}"));
        self.check_killed(&killed, status, &told);
    }

    /// A run that meets a fault at one of its mutations.
    pub(crate) fn struck(&mut self, run: &Run, fault: Fault, at: usize) -> (ExitStatus, String) {
        self.ensure_agent();
        self.proxy.stand_between();
        let (status, _, told) = self.run(run, None, Some((at, fault)));
        (status, told)
    }

    /// Ends the lease that a run could not give back: the agent sees that the run's process is gone, but here the process
    /// that it knows is this test.
    pub(crate) fn end_lease(&self) {
        if let Some(claim) = self.watch.lock().unwrap().claim.clone() {
            // Where it is over already, that is refused.
            let _ = self.proxy.lapse(claim);
        }
        await_that("the lease expires", || self.state().lease.is_none());
    }

    /// A run that does not get anywhere.
    pub(crate) fn tried(&mut self, run: &Run) -> (ExitStatus, String) {
        let (status, _, told) = self.run(run, None, None);
        (status, told)
    }

    /// How a killed run ends, and that what it ran lives on.
    fn check_killed(&mut self, killed: &Killed, status: ExitStatus, case: &str) {
        match killed.victim {
            Victim::Tool => {
                assert_eq!(status.signal(), Some(9), "{killed:?}: {case}");
                await_that("the lease expires", || self.state().lease.is_none());
            }
            Victim::Agent => {
                assert_eq!(status.code(), Some(3), "{killed:?}: {case}");
                if let Some(mut agent) = self.agent.take() {
                    agent.wait().unwrap();
                }
                self.check_alive(killed, case);
                await_that("the lease expires", || self.kept_lease_is_over());
            }
        }
    }

    /// Runs the tool to its end, or to where somebody is killed. A rollback goes to the same release each time.
    fn run(
        &mut self,
        run: &Run,
        back_to: Option<Sequence>,
        fault: Option<(usize, Fault)>,
    ) -> (ExitStatus, Option<Killed>, String) {
        self.runs += 1;
        self.lay_out(&run.release);
        if run.kill.is_some() {
            self.ensure_agent();
            self.proxy.stand_between();
        }
        // Where the agent is dead, and nobody shall be killed, the tool starts it.
        let agent = self.try_state().map(|state| Pid::from_raw(state.pid.cast_signed()).unwrap());
        let output = self.folder.path().join("tool.out");
        let file = File::create(&output).unwrap();
        let mut words = match run.release.scenario.tool {
            Tool::Deploy => vec!["deploy".to_owned()],
            Tool::Rollback => ["rollback", "--no-hold", "--to"].map(str::to_owned).to_vec(),
        };
        words.extend(back_to.filter(|_| words.len() > 1).map(|to| to.to_string()));
        let mut child = {
            // Nothing is counted before it is known whom to kill.
            let mut watch = self.watch.lock().unwrap();
            let child = umbrella(self.folder.path())
                .args(words)
                .current_dir(self.folder.path().join("shop"))
                .stdout(file.try_clone().unwrap())
                .stderr(file)
                .spawn()
                .unwrap();
            let tool = Some(Pid::from_child(&child));
            *watch = Watch { tool, agent, kill: run.kill, fault, ..Watch::default() };
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

    fn lay_out(&self, release: &Release) {
        let shop = self.folder.path().join("shop");
        let program = env!("CARGO_BIN_EXE_windlass").replace('\'', "'\\''");
        for (name, script) in
            [("shop", release.script(&program)), ("migrate", Release::migration(&self.ups()))]
        {
            let path = shop.join("dist/bin").join(name);
            fs::write(&path, script).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::write(shop.join("windlass.yml"), release.policy(&self.root(), self.port)).unwrap();
    }

    /// The agent, started by this test where a kill has left none: a service manager would.
    pub(crate) fn ensure_agent(&mut self) {
        if self.try_state().is_some() {
            return;
        }
        let output = File::create(self.folder.path().join("agent.out")).unwrap();
        let agent = umbrella(self.folder.path())
            .args(["windlassd", "--root"])
            .arg(self.root())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        self.agent = Some(agent);
        await_that("the agent answers", || self.try_state().is_some());
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// Where migrations say that they ran.
    pub(crate) fn ups(&self) -> PathBuf {
        self.folder.path().join("ups")
    }

    pub(crate) fn try_state(&self) -> Option<AgentState> {
        serde_json::from_slice(&ask(self.proxy.to_agent(), "GET", "/v1/state", b"").ok()?).ok()
    }

    pub(crate) fn state(&self) -> AgentState {
        self.try_state().expect("the agent answers")
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        // A test that failed may leave an agent that answers nobody.
        if self.try_state().is_none() && !std::thread::panicking() {
            self.ensure_agent();
        }
        let Some(state) = self.try_state() else { return };
        let _ = ask(self.proxy.to_agent(), "POST", "/v1/shutdown", br#"{"stop_instances":true}"#);
        processes::await_end(Pid::from_raw(state.pid.cast_signed()).unwrap());
        if let Some(mut agent) = self.agent.take() {
            let _ = agent.wait();
        }
    }
}

fn new_folder() -> TempDir {
    let folder = tempfile::Builder::new().prefix("wlsw").tempdir().unwrap();
    for name in ["root", "shop/dist/bin"] {
        fs::create_dir_all(folder.path().join(name)).unwrap();
    }
    folder
}

/// The umbrella, with nothing of this process's environment but the path.
fn umbrella(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_windlass"));
    command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", home).stdin(Stdio::null());
    command
}

/// A port that no client's side of a connection takes while the agent is dead: it lies below those that systems give
/// out by themselves.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 10_000 + u16::try_from(std::process::id() % 20_000).unwrap();
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let mut ports = std::iter::repeat_with(|| first + NEXT.fetch_add(1, Ordering::Relaxed)).take(1000);
    ports.find(free).expect("a free port")
}

pub(crate) fn await_that(what: &str, condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < PATIENCE, "{what}: not within {} s", PATIENCE.as_secs());
        sleep(Duration::from_millis(5));
    }
}
