//! Two hosts on this machine, each an `sshd` of its own with its own home, and a repository that is released to them.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use windlass_domain::policy::Span;
use windlass_evidence::envelope::Envelope;
use windlass_target::host::Host;
use windlass_target::host::control::{AgentState, Place};

/// Where Debian and others put programs.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const POLICY: &str = r#"version: 1
app: shop
release:
  artifact: dist/
  config: [shop.conf]
environments:
  live:
    gates: none
    evidence: unsigned
    target:
      kind: host
      hosts: [a, b]
      listen: 127.0.0.1:0
      run: [bin/shop, --port, "{port}"]
      instances: 1
      ready: { http: /healthz, within: 20s }
      drain: 5s
      stop: 2s
    strategy: { kind: rolling, batch: 1, bake: 500ms }
    verify:
      probes: [{ http: /healthz, every: 250ms }]
      within: 30s
"#;

/// The names of the hosts, and their addresses.
const HOSTS: [(&str, &str); 2] = [("a", "127.0.0.2"), ("b", "127.0.0.3")];

/// The hosts and the repository.
pub(crate) struct Fleet {
    folder: TempDir,
    sshds: Vec<Option<Child>>,
    ports: Vec<u16>,
}

/// How a tool ended.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) document: Value,
    pub(crate) told: String,
}

/// Whether `sshd` is here. Where it is not, the tests are skipped with a line, unless they must not be.
#[expect(clippy::disallowed_methods, reason = "a test may read the environment that it scrubs")]
pub(crate) fn sshd_is_here() -> bool {
    let here = ["sshd", "ssh", "ssh-keygen", "tar"].iter().all(|name| program(name).is_some());
    if !here {
        let must = std::env::var_os("WINDLASS_REQUIRE_TOOLS").is_some_and(|value| value == "1");
        assert!(
            !must,
            "sshd is missing: install openssh-server (Debian: RUNLEVEL=1 apt-get install openssh-server)"
        );
        eprintln!("skipped: sshd is missing (Debian: RUNLEVEL=1 apt-get install openssh-server)");
    }
    here
}

fn program(name: &str) -> Option<PathBuf> {
    PATH.split(':').map(|folder| Path::new(folder).join(name)).find(|path| path.is_file())
}

impl Fleet {
    /// Both hosts up, nothing on them, and version `label` built.
    pub(crate) fn new(label: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("wl-").tempdir().unwrap();
        let mut fleet = Self { folder, sshds: vec![None, None], ports: Vec::new() };
        for name in ["host-key", "user-key"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(fleet.path(name))
                .status()
                .unwrap();
            assert!(made.success(), "ssh-keygen");
        }
        // As root, sshd wants its folder for unprivileged work.
        if rustix::process::geteuid().is_root() {
            fs::create_dir_all("/run/sshd").unwrap();
        }
        let mut config = String::new();
        for (at, (name, address)) in HOSTS.iter().enumerate() {
            let port = TcpListener::bind((*address, 0)).unwrap().local_addr().unwrap().port();
            fleet.ports.push(port);
            fs::create_dir_all(fleet.home(name)).unwrap();
            fleet.write(&format!("sshd-{name}"), &fleet.sshd_config(name, address, port));
            config.push_str(&format!("Host {name}\n  HostName {address}\n  Port {port}\n"));
            fleet.up(at);
        }
        let path = |name: &str| fleet.path(name).display().to_string();
        config.push_str(&format!(
            "Host *\n  IdentityFile {}\n  IdentitiesOnly yes\n  UserKnownHostsFile {}\n  GlobalKnownHostsFile none\n  \
             StrictHostKeyChecking yes\n",
            path("user-key"),
            path("known")
        ));
        fleet.write("ssh-config", &config);
        fleet.know_the_hosts();
        fleet.write("windlass.yml", POLICY);
        fleet.write("shop.conf", "colour: blue\n");
        fleet.write(".gitignore", "*\n!dist\n!dist/**\n!windlass.yml\n!shop.conf\n");
        fleet.git(&["init", "-q"]);
        fleet.build(label, "");
        fleet
    }

    fn sshd_config(&self, name: &str, address: &str, port: u16) -> String {
        let path = |name: &str| self.path(name).display().to_string();
        format!(
            "ListenAddress {address}\nPort {port}\nHostKey {}\nPidFile none\nAuthorizedKeysFile {}\nStrictModes no\n\
             UsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nSetEnv HOME={}\n",
            path("host-key"),
            path("user-key.pub"),
            self.home(name).display()
        )
    }

    /// Writes the hosts' keys where `ssh` looks for them.
    pub(crate) fn know_the_hosts(&self) {
        let key = fs::read_to_string(self.path("host-key.pub")).unwrap();
        let lines =
            HOSTS.iter().zip(&self.ports).map(|((_, address), port)| format!("[{address}]:{port} {key}"));
        self.write("known", &lines.collect::<String>());
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A host's home.
    pub(crate) fn home(&self, host: &str) -> PathBuf {
        self.path(&format!("home-{host}"))
    }

    /// The root of a host's agent.
    pub(crate) fn root(&self, host: &str) -> PathBuf {
        self.home(host).join(".local/state/windlass/shop/live")
    }

    /// Starts a host's `sshd`, and waits until it listens.
    pub(crate) fn up(&mut self, at: usize) {
        let (name, address) = HOSTS[at];
        let log = fs::File::create(self.path(&format!("sshd-{name}.log"))).unwrap();
        let sshd = Command::new(program("sshd").unwrap())
            .args(["-D", "-e", "-f"])
            .arg(self.path(&format!("sshd-{name}")))
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.sshds[at] = Some(sshd);
        let port = self.ports[at];
        until("sshd listens", || TcpStream::connect((address, port)).is_ok());
    }

    /// A host goes down: its `sshd`, and every connection that it has.
    pub(crate) fn down(&mut self, at: usize) {
        self.cut(at);
        if let Some(mut sshd) = self.sshds[at].take() {
            let _ = sshd.kill();
            let _ = sshd.wait();
        }
    }

    /// Kills every session of a host's `sshd`; returns how many there were. It goes on listening.
    pub(crate) fn cut(&self, at: usize) -> usize {
        let Some(sshd) = &self.sshds[at] else { return 0 };
        let sessions = descendants(sshd.id());
        let sessions: Vec<u32> =
            sessions.into_iter().filter(|pid| name_of(*pid).starts_with("sshd")).collect();
        for pid in &sessions {
            kill(*pid, "-KILL");
        }
        sessions.len()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Changes the policy's text.
    pub(crate) fn policy(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.path("windlass.yml")).unwrap();
        assert!(text.contains(from), "the policy has no {from:?}");
        self.write("windlass.yml", &text.replace(from, to));
    }

    /// Builds a version with these flags of the service, and commits it.
    pub(crate) fn build(&self, label: &str, flags: &str) {
        let program = env!("CARGO_BIN_EXE_windlass");
        let script = format!(
            "#!/bin/sh\nexec '{program}' demo-service --port \"$2\" --version-label {label} {flags}\n"
        );
        self.write("dist/bin/shop", &script);
        fs::set_permissions(self.path("dist/bin/shop"), fs::Permissions::from_mode(0o755)).unwrap();
        let link = self.path("dist/current");
        let _ = fs::remove_file(&link);
        std::os::unix::fs::symlink("bin/shop", link).unwrap();
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", label]);
    }

    fn git(&self, words: &[&str]) {
        let output = Command::new("git")
            .args(["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"])
            .args(words)
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_windlass"));
        command.args(words).args(["--format", "json"]).current_dir(self.folder.path()).env_clear();
        command.env("PATH", PATH).env("HOME", self.folder.path());
        command.env("WINDLASS_SSH", format!("ssh -F {}", self.path("ssh-config").display()));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn start(&self, words: &[&str]) -> Child {
        self.command(words).spawn().unwrap()
    }

    pub(crate) fn run(&self, words: &[&str]) -> Ended {
        Ended::of(&self.command(words).output().unwrap())
    }

    /// The same, with these variables too.
    pub(crate) fn run_with(&self, words: &[&str], vars: &[(&str, &str)]) -> Ended {
        Ended::of(&self.command(words).envs(vars.iter().copied()).output().unwrap())
    }

    pub(crate) fn deploy(&self) -> Ended {
        self.run(&["deploy"])
    }

    /// What a host's agent says; `None` where none answers.
    pub(crate) fn state(&self, host: &str) -> Option<AgentState> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(self.agent(host).state()).ok()
    }

    fn agent(&self, host: &str) -> Host {
        let place = Place::plain("shop", "live", "127.0.0.1:0");
        Host::new(&self.root(host), place, Span::seconds(5))
    }

    /// The weights of each host, in words.
    pub(crate) fn weights(&self) -> [String; 2] {
        HOSTS.map(|(name, _)| {
            self.state(name).map_or_else(|| "no agent".to_owned(), |state| state.weights.to_string())
        })
    }

    /// What each host answers to `GET /`.
    pub(crate) fn answers(&self) -> [String; 2] {
        HOSTS.map(|(name, _)| {
            let address = self.state(name).and_then(|state| state.listening).unwrap();
            get(address.parse().unwrap()).unwrap_or_else(|error| error)
        })
    }

    #[track_caller]
    pub(crate) fn both_answer(&self, label: &str) {
        for answer in self.answers() {
            assert!(answer.contains(label), "{label} is not in {answer}");
        }
    }

    /// Requests to both hosts, as many as there is time for, until it is ended.
    pub(crate) fn load(&self) -> Load {
        self.load_on(&["a", "b"])
    }

    /// The same, to these hosts.
    pub(crate) fn load_on(&self, hosts: &[&str]) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let begin = |host: &&str| {
            let address: SocketAddr = self.state(host).unwrap().listening.unwrap().parse().unwrap();
            let (stop, sent) = (Arc::clone(&stop), Arc::new(AtomicU64::new(0)));
            let counts = Arc::clone(&sent);
            let thread = std::thread::spawn(move || {
                let mut failed = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    counts.fetch_add(1, Ordering::Relaxed);
                    if let Err(why) = get(address) {
                        failed.push(why);
                    }
                    std::thread::sleep(Duration::from_millis(5));
                }
                failed
            });
            (sent, thread)
        };
        let load = hosts.iter().map(begin).collect();
        Load { stop, load }
    }

    /// The folder of a revision on a host.
    pub(crate) fn revision(&self, host: &str, revision: u64) -> PathBuf {
        self.root(host).join("revisions").join(revision.to_string())
    }

    /// A host loses its disk: its agent ends with all that it runs, and its files are gone.
    pub(crate) fn lose(&self, host: &str) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // Where none runs there is none to end.
        let _ = runtime.block_on(self.agent(host).shutdown(true));
        let root = self.root(host);
        let freed = Command::new("chmod").args(["-R", "u+w"]).arg(&root).status().unwrap();
        assert!(freed.success(), "chmod");
        fs::remove_dir_all(&root).unwrap();
    }

    /// Somebody changes a staged file of a host.
    pub(crate) fn spoil(&self, host: &str, revision: u64) {
        let file = self.revision(host, revision).join("artifact/bin/shop");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        let mut text = fs::read_to_string(&file).unwrap();
        text.push_str("# changed\n");
        fs::write(&file, text).unwrap();
    }

    /// The statements that were signed, or not, so far.
    pub(crate) fn evidence(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.path(".windlass/evidence.intoto.jsonl")).unwrap_or_default();
        let statement = |line: &str| {
            let envelope: Envelope = serde_json::from_str(line).unwrap();
            serde_json::from_slice(&envelope.payload_bytes().unwrap()).unwrap()
        };
        text.lines().map(statement).collect()
    }

    /// The events of a host's ledger.
    pub(crate) fn events(&self, host: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.root(host).join("ledger.jsonl")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["event"].clone()).collect()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for (at, (name, _)) in HOSTS.iter().enumerate() {
            let _ = runtime.block_on(self.agent(name).shutdown(true));
            self.down(at);
        }
    }
}

/// Requests under way.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    load: Vec<(Arc<AtomicU64>, JoinHandle<Vec<String>>)>,
}

impl Load {
    /// Ends it, whatever came of it.
    pub(crate) fn end(self) -> Vec<(u64, Vec<String>)> {
        self.stop.store(true, Ordering::Relaxed);
        let end = |(sent, thread): (Arc<AtomicU64>, JoinHandle<Vec<String>>)| {
            (sent.load(Ordering::Relaxed), thread.join().unwrap())
        };
        self.load.into_iter().map(end).collect()
    }

    /// Ends it: each host was asked, and none of the requests failed.
    #[track_caller]
    pub(crate) fn lost_nothing(self) {
        for (sent, failed) in self.end() {
            assert!(sent > 20, "only {sent} requests");
            assert!(failed.is_empty(), "{} of {sent} failed: {:?}", failed.len(), failed.first());
        }
    }
}

/// One `GET /`, whole; an error unless it is answered with 200.
fn get(address: SocketAddr) -> Result<String, String> {
    let answer = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    };
    let text = answer().map_err(|error| error.to_string())?;
    if text.starts_with("HTTP/1.1 200") { Ok(text) } else { Err(text) }
}

/// Waits until something holds, for at most a minute.
#[track_caller]
pub(crate) fn until(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn kill(pid: u32, signal: &str) {
    let _ = Command::new("kill").args([signal, &pid.to_string()]).stderr(Stdio::null()).status();
}

fn name_of(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default()
}

/// The processes that came of one.
fn descendants(pid: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let children: Vec<u32> = children.split_whitespace().filter_map(|pid| pid.parse().ok()).collect();
    children.iter().flat_map(|child| [vec![*child], descendants(*child)].concat()).collect()
}

impl Ended {
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(255),
            document: serde_json::from_slice(&output.stdout).unwrap_or(Value::Null),
            told: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    #[track_caller]
    pub(crate) fn is(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}\n{}", self.told, self.document);
        self
    }

    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        let all = format!("{}\n{}", self.told, self.document);
        assert!(all.contains(text), "{text:?} is not in: {all}");
        self
    }
}
