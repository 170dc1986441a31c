//! An agent with a root of its own, and what asks it. Whatever it started ends with it.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tempfile::TempDir;
use windlass_domain::fence::{Epoch, Lease, Owner};
use windlass_domain::journal::{Event, Head};
use windlass_domain::policy::{Logs, Ready, Span};
use windlass_domain::release::Sequence;
use windlass_domain::rollout::{Step, Weights};
use windlass_evidence::artifact;
use windlass_target::driver::DriverError;
use windlass_target::host::Client;
use windlass_target::host::control::{
    AgentState, Append, Appended, Applied, Apply, Claim, Configure, HandedOver, Handover, Launch, Package,
    Place, Shutdown,
};

/// How long anything may take before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Agent {
    folder: TempDir,
    process: Option<Child>,
    /// The agents that took over from the one that was started here, by their numbers.
    heirs: Vec<u32>,
    runtime: tokio::runtime::Runtime,
    /// What it is configured with.
    pub(crate) place: Place,
}

pub(crate) type Answer<T> = Result<T, DriverError>;

impl Agent {
    /// An agent on a fresh root, which answers.
    pub(crate) fn start() -> Self {
        Self::on(tempfile::Builder::new().prefix("wl").tempdir().unwrap())
    }

    pub(crate) fn on(folder: TempDir) -> Self {
        let mut agent = Self::unstarted_on(folder);
        agent.spawn();
        agent
    }

    /// A fresh root, and no agent yet.
    pub(crate) fn unstarted() -> Self {
        Self::unstarted_on(tempfile::Builder::new().prefix("wl").tempdir().unwrap())
    }

    fn unstarted_on(folder: TempDir) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut place = Place::plain("shop", "test", "127.0.0.1:0");
        place.metrics = Some("127.0.0.1:0".into());
        Self { folder, process: None, heirs: Vec::new(), runtime, place }
    }

    /// Takes in an agent that was just started elsewhere, and waits until it answers.
    pub(crate) fn adopt(&mut self, process: Child) {
        self.process = Some(process);
        self.await_answer();
    }

    /// Starts the agent again on the same root.
    pub(crate) fn spawn(&mut self) {
        let output = fs::File::create(self.folder.path().join("out")).unwrap();
        let process =
            command(&self.root()).stdout(output.try_clone().unwrap()).stderr(output).spawn().unwrap();
        self.process = Some(process);
        self.await_answer();
    }

    fn await_answer(&mut self) {
        await_that("the agent answers", || {
            let ended = self.process.as_mut().unwrap().try_wait().unwrap();
            let output = || fs::read_to_string(self.folder.path().join("out")).unwrap_or_default();
            assert!(ended.is_none(), "the agent ended: {}", output());
            self.get::<AgentState>("/v1/state").is_ok()
        });
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.as_ref().unwrap().id()
    }

    /// SIGKILL, as a crash would.
    pub(crate) fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// SIGTERM, and waits for its end.
    pub(crate) fn terminate(&mut self) -> std::process::ExitStatus {
        let mut process = self.process.take().unwrap();
        kill_process(pid(process.id()), Signal::TERM).unwrap();
        process.wait().unwrap()
    }

    /// Hands over to another process of the same program.
    pub(crate) fn take_over(&mut self) {
        let said = command(&self.root()).arg("--take-over").output().unwrap();
        assert!(said.status.success(), "{said:?}\n{}", self.log());
        self.heirs.push(self.state().pid);
    }

    /// Asks the agent to hand over to a program.
    pub(crate) fn hand_over_to(&self, program: &[&str]) -> Answer<HandedOver> {
        let program = program.iter().map(|word| (*word).to_owned()).collect();
        self.post("/v1/handover", &Handover { program, downgrade: false })
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.root().join("agent.log")).unwrap()
    }

    /// Takes a process in that was started elsewhere, so that it ends with this.
    pub(crate) fn own(&mut self, process: Child) {
        self.process = Some(process);
    }

    /// Waits until the agent that was started here has ended.
    pub(crate) fn await_end(&mut self) -> std::process::ExitStatus {
        let mut process = self.process.take().unwrap();
        let mut status = None;
        await_that("the agent that handed over ends", || {
            status = process.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(&self.root())
    }

    pub(crate) fn get<T: DeserializeOwned>(&self, path: &str) -> Answer<T> {
        self.runtime.block_on(self.client().get(path))
    }

    pub(crate) fn text(&self, path: &str) -> String {
        String::from_utf8(self.runtime.block_on(self.client().get_bytes(path)).unwrap().to_vec()).unwrap()
    }

    pub(crate) fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Answer<T> {
        self.runtime.block_on(self.client().post(path, body, PATIENCE))
    }

    /// Runs what a test's own clients do.
    pub(crate) fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    pub(crate) fn state(&self) -> AgentState {
        self.get("/v1/state").unwrap()
    }

    pub(crate) fn claim(&self, run: &str) -> Answer<Lease> {
        self.claim_for(run, 60_000)
    }

    pub(crate) fn claim_for(&self, run: &str, ttl_ms: u64) -> Answer<Lease> {
        self.post("/v1/claim", &Claim { owner: owner(run), ttl_ms, renews: None })
    }

    pub(crate) fn configure(&self, epoch: Epoch) -> Answer<AgentState> {
        self.configure_at(epoch, &self.place.listen)
    }

    pub(crate) fn configure_at(&self, epoch: Epoch, listen: &str) -> Answer<AgentState> {
        let place = Place { listen: listen.to_owned(), ..self.place.clone() };
        self.post("/v1/configure", &Configure { epoch, place })
    }

    pub(crate) fn apply(&self, epoch: Epoch, step: Step) -> Answer<Applied> {
        self.apply_with(epoch, step, None)
    }

    pub(crate) fn apply_with(&self, epoch: Epoch, step: Step, package: Option<Package>) -> Answer<Applied> {
        self.post("/v1/apply", &Apply { epoch, step, package, after: None })
    }

    pub(crate) fn append(&self, epoch: Epoch, after: Head, events: Vec<Event>) -> Answer<Head> {
        let append = Append { epoch, after, by: "test".into(), events };
        self.post::<Appended>("/v1/journal", &append).map(|appended| appended.head)
    }

    /// An artifact with our service in it, and how it is started.
    pub(crate) fn package(&self, name: &str, flags: &[&str]) -> Package {
        let folder = self.folder.path().join(format!("artifact-{name}"));
        if !folder.exists() {
            fs::create_dir_all(folder.join("bin")).unwrap();
            fs::copy(service(), folder.join("bin/service")).unwrap();
            fs::write(folder.join("name"), name).unwrap();
        }
        let mut run = vec!["bin/service".to_owned(), "--port".into(), "{port}".into()];
        run.extend(flags.iter().map(|flag| (*flag).to_owned()));
        Package {
            artifact: artifact::digest(&folder).unwrap(),
            artifact_path: Some(folder),
            config: None,
            config_paths: Vec::new(),
            launch: Launch {
                run,
                instances: 1,
                ready: Ready {
                    http: Some("/healthz".into()),
                    within: Span::seconds(20),
                    every: Span::millis(20),
                },
                env: BTreeMap::from([("NAME".to_owned(), name.to_owned())]),
                secrets: BTreeMap::new(),
                memory: None,
                cpu: None,
                logs: Logs::default(),
                drain: Span::millis(400),
                stop: Span::seconds(5),
            },
        }
    }

    /// Stages a revision and waits until it is ready.
    pub(crate) fn raise(&self, epoch: Epoch, number: u64, instances: u16) {
        self.configure(epoch).unwrap();
        let package = self.package(&format!("v{number}"), &[]);
        self.apply_with(epoch, stage(number, instances), Some(package)).unwrap();
        self.apply(epoch, ready(number, instances)).unwrap();
    }

    /// The fence, and revision 1 serving everything with so many instances.
    pub(crate) fn live(&self, instances: u16) -> (Epoch, SocketAddr) {
        let epoch = self.claim("live").unwrap().epoch;
        self.raise(epoch, 1, instances);
        self.apply(epoch, all(1)).unwrap();
        (epoch, self.address())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.state().listening.unwrap().parse().unwrap()
    }

    /// The processes of every revision.
    pub(crate) fn pids(&self) -> Vec<u32> {
        let state = self.state();
        state
            .revisions
            .iter()
            .flat_map(|revision| &revision.instances)
            .filter_map(|instance| instance.pid)
            .collect()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if self.process.is_some() || !self.heirs.is_empty() {
            let _ = self.post::<()>("/v1/shutdown", &Shutdown { stop_instances: true });
        }
        if let Some(mut process) = self.process.take() {
            let since = Instant::now();
            while matches!(process.try_wait(), Ok(None)) && since.elapsed() < Duration::from_secs(10) {
                std::thread::sleep(Duration::from_millis(5));
            }
            let _ = process.kill();
            let _ = process.wait();
        }
        for heir in &self.heirs {
            let since = Instant::now();
            while is_alive(*heir) && since.elapsed() < Duration::from_secs(10) {
                std::thread::sleep(Duration::from_millis(5));
            }
            let _ = kill_process(pid(*heir), Signal::KILL);
        }
        // Where the agent could not do it any more.
        let kept = fs::read(self.root().join("instances.json")).unwrap_or_default();
        let kept: serde_json::Value = serde_json::from_slice(&kept).unwrap_or_default();
        for instance in kept["instances"].as_array().into_iter().flatten() {
            if let Some(raw) = instance["process"]["pid"].as_i64().and_then(|raw| i32::try_from(raw).ok()) {
                let _ = kill_process_group(Pid::from_raw(raw).unwrap(), Signal::KILL);
            }
        }
        let _ = Command::new("chmod").args(["-R", "u+w"]).arg(self.folder.path()).status();
    }
}

/// Tells threads to stop when it is dropped.
pub(crate) struct Stop<'a>(pub(crate) &'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

pub(crate) fn command(root: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_windlassd"));
    command.arg("--root").arg(root).args(["--threads", "2", "--no-pin"]).stdin(Stdio::null());
    command.env("WINDLASS_TEST_SECRET", "must not reach the release");
    command
}

pub(crate) fn service() -> PathBuf {
    helper("service")
}

/// One of the programs under `examples/`.
pub(crate) fn helper(name: &str) -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.join("examples").join(name)
}

pub(crate) fn owner(run: &str) -> Owner {
    Owner { run: run.into(), who: format!("test {run}") }
}

pub(crate) fn pid(raw: u32) -> Pid {
    Pid::from_raw(i32::try_from(raw).unwrap()).unwrap()
}

/// Whether a process runs; one that only waits to be reaped does not.
pub(crate) fn is_alive(raw: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{raw}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

pub(crate) fn stage(revision: u64, instances: u16) -> Step {
    Step::stage(Sequence(revision), instances)
}

pub(crate) fn ready(revision: u64, instances: u16) -> Step {
    Step::await_ready(Sequence(revision), instances)
}

pub(crate) fn all(revision: u64) -> Step {
    Step::shift(Weights::all(Sequence(revision)))
}

pub(crate) fn split(new: u64, share: u16, old: u64) -> Step {
    Step::shift(Weights::split(Sequence(new), share, Some(Sequence(old))))
}

/// Waits for a condition, for as long as a test may take.
pub(crate) fn await_that(what: &str, mut is_so: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
