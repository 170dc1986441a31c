//! A server that nobody here wrote, nginx from Debian, released and put back under the load of wrk: two versions that are
//! two configurations, and a third that nginx itself refuses.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "helpers of tests fail as tests do, and tell what they saw"
)]

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use windlass_domain::policy::Span;
use windlass_target::host::Host;
use windlass_target::host::control::{AgentState, Place};

/// Where Debian and others put programs; all that the tools and nginx see of the machine's `PATH`.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const POLICY: &str = r#"
version: 1
app: page
release:
  artifact: dist/
environments:
  ENVIRONMENT:
    gates: none
    evidence: unsigned
    target:
      kind: host
      root: "STATE"
      listen: 127.0.0.1:0
      run: [./run.sh, "{port}", "{dir}", "SCRATCH"]
      instances: 2
      ready: { http: /, within: 5s }
      drain: 5s
    strategy: STRATEGY
"#;

const BLUE_GREEN: &str = "{ kind: blue-green, bake: 1s }";

const CANARY: &str = "{ kind: canary, steps: [25%, 50%], bake: 1s }
    verify:
      probes: [{ http: /, expect: { status: 200 }, every: 250ms }]
      within: 20s";

/// Staged artifacts cannot be written, so what nginx writes goes to a folder of the test's, one an instance.
const RUN: &str = r#"#!/bin/sh
set -eu
work="$3/$1"
mkdir -p "$work"
sed -e "s|@PORT@|$1|" -e "s|@DIR@|$2|" nginx.conf > "$work/nginx.conf"
exec nginx -p "$work" -c "$work/nginx.conf" -e stderr -g "daemon off; user $(id -un) $(id -gn);"
"#;

/// Version `@VERSION@`; nginx's own limit of 1,000 requests a connection holds, so that it closes many under load.
const CONFIGURATION: &str = r#"worker_processes 1;
pid nginx.pid;
error_log stderr warn;
events { worker_connections 256; }
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {
        listen 127.0.0.1:@PORT@;
        root @DIR@/www;
        add_header x-configuration @VERSION@;
    }
}
"#;

static TURN: Mutex<()> = Mutex::new(());

#[test]
fn blue_green_replaces_nginx_and_goes_back_without_losing_a_request() {
    check("bluegreen", BLUE_GREEN);
}

#[test]
fn canary_replaces_nginx_and_goes_back_without_losing_a_request() {
    check("canary", CANARY);
}

/// A release's life in one environment: in, replaced, a bad one put back, rolled back; each under load.
fn check(environment: &'static str, strategy: &str) {
    if !tools_are_here() {
        return;
    }
    // Two loads at once would measure each other.
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let site = Site::new(environment, strategy);
    site.build(1, CONFIGURATION);
    let first = site.windlass(&["deploy"]);
    assert_eq!(first.code, 0, "{first:?}");
    assert_eq!(site.answer(), ["1", "version 1"]);

    site.build(2, CONFIGURATION);
    let (second, load) = site.under_load(&["deploy"]);
    assert_eq!(second.code, 0, "{second:?}");
    load.lost_nothing(&second);
    assert!(second.shares().iter().all(|(_, sent)| *sent > 0), "both served: {second:?}");
    assert_eq!(site.answer(), ["2", "version 2"]);

    // The same file with one word that nginx does not know.
    site.build(3, &CONFIGURATION.replace("listen ", "listne "));
    let (third, load) = site.under_load(&["deploy"]);
    assert_eq!(third.code, 1, "{third:?}");
    load.lost_nothing(&third);
    assert!(third.reasons().contains(r#"unknown directive "listne""#), "nginx's own words: {third:?}");
    assert_eq!(site.answer(), ["2", "version 2"], "the old one serves on");

    let (back, load) = site.under_load(&["rollback", "--reason", "version 2 is regretted"]);
    assert_eq!(back.code, 0, "{back:?}");
    load.lost_nothing(&back);
    assert_eq!(site.answer(), ["1", "version 1"]);
}

/// Whether nginx, wrk and git are here; with `WINDLASS_REQUIRE_TOOLS=1` it is a failure when one is not.
fn tools_are_here() -> bool {
    #[expect(clippy::disallowed_methods, reason = "a test has no context")]
    let is_required = std::env::var("WINDLASS_REQUIRE_TOOLS").is_ok_and(|value| value == "1");
    let is_missing = |tool: &&str| !PATH.split(':').any(|folder| Path::new(folder).join(tool).is_file());
    let missing: Vec<&str> = ["nginx", "wrk", "git"].into_iter().filter(|tool| is_missing(tool)).collect();
    assert!(missing.is_empty() || !is_required, "missing: {}", missing.join(", "));
    if !missing.is_empty() {
        eprintln!("skipped: install {} (apt-get install {})", missing.join(", "), missing.join(" "));
    }
    missing.is_empty()
}

/// A repository that releases nginx, and the target that it releases it to. Dropped, it leaves no process and no file.
struct Site {
    folder: tempfile::TempDir,
    environment: &'static str,
    runtime: tokio::runtime::Runtime,
}

impl Site {
    fn new(environment: &'static str, strategy: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("windlass-nginx-").tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let site = Self { folder, environment, runtime };
        fs::create_dir_all(site.path("repository/dist/www")).unwrap();
        fs::create_dir(site.path("scratch")).unwrap();
        let policy = POLICY
            .replace("ENVIRONMENT", environment)
            .replace("STRATEGY", strategy)
            .replace("STATE", &site.path("state").display().to_string())
            .replace("SCRATCH", &site.path("scratch").display().to_string());
        site.write("windlass.yml", &policy);
        site.write(".gitignore", ".windlass/\n");
        site.write("dist/run.sh", RUN);
        fs::set_permissions(site.path("repository/dist/run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
        site.git(&["init", "--quiet"]);
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path("repository").join(name), text).unwrap();
    }

    fn build(&self, version: u8, configuration: &str) {
        self.write("dist/nginx.conf", &configuration.replace("@VERSION@", &version.to_string()));
        self.write("dist/www/index.html", &format!("version {version}"));
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", &format!("Version {version}")]);
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.path("repository")).env_clear().env("PATH", PATH);
        command.env("HOME", self.folder.path()).stdin(Stdio::null());
        command
    }

    fn git(&self, words: &[&str]) {
        let mut command = self.command("git");
        command.args(["-c", "user.name=Ana", "-c", "user.email=ana@example.org"]).args(words);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Runs a tool on the environment, to its end.
    fn windlass(&self, words: &[&str]) -> Ended {
        let mut command = self.command(env!("CARGO_BIN_EXE_windlass"));
        let output = command.args(words).args(["-e", self.environment, "--format", "json"]).output().unwrap();
        Ended {
            code: output.status.code().unwrap_or(255),
            document: serde_json::from_slice(&output.stdout).unwrap_or_default(),
            told: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs a tool while wrk asks for the page.
    fn under_load(&self, words: &[&str]) -> (Ended, Summary) {
        let load = Wrk::start(&mut self.command("wrk"), self.address());
        let before = self.served();
        while self.served() == before {
            std::thread::sleep(Duration::from_millis(20));
        }
        let ended = self.windlass(words);
        let summary = load.end();
        let (code, shares, drains) = (ended.code, ended.shares(), ended.drains());
        eprintln!("{} {}: exit {code}, {shares:?}, {drains:?}, {summary:?}", self.environment, words[0]);
        (ended, summary)
    }

    fn host(&self) -> Host {
        let place = Place::plain("page", self.environment, "127.0.0.1:0");
        Host::new(&self.path("state"), place, Span::seconds(30))
    }

    fn state(&self) -> AgentState {
        self.runtime.block_on(self.host().state()).unwrap()
    }

    fn address(&self) -> SocketAddr {
        self.state().listening.expect("it listens").to_string().parse().unwrap()
    }

    /// Requests that the router has seen.
    fn served(&self) -> u64 {
        self.state().revisions.iter().map(|revision| revision.counts.requests).sum()
    }

    /// The configuration and the page that answer now.
    fn answer(&self) -> [String; 2] {
        let address = self.address();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        write!(stream, "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
        let configuration = head.lines().find_map(|line| line.strip_prefix("x-configuration: "));
        [configuration.unwrap_or_default().to_owned(), body.to_owned()]
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // Where it cannot be reached, there is nothing to end: no deploy came so far.
        let _ = self.runtime.block_on(self.host().shutdown(true));
    }
}

/// How a tool ended.
#[derive(Debug)]
struct Ended {
    code: i32,
    document: Value,
    #[expect(dead_code, reason = "shown when an assertion fails")]
    told: String,
}

impl Ended {
    /// Why it ended as it did: everything that its reasons say.
    fn reasons(&self) -> String {
        let reasons = self.document["reasons"].as_array().into_iter().flatten();
        let parts = reasons.flat_map(|reason| reason.as_object().into_iter().flatten());
        parts.filter_map(|(_, part)| part.as_str()).collect::<Vec<_>>().join("\n")
    }

    /// What the steps say that waited until the old had answered what it was asked.
    fn drains(&self) -> Vec<&str> {
        let steps = self.document["steps"].as_array().into_iter().flatten();
        steps.filter(|step| step["step"] == "settle").filter_map(|step| step["result"].as_str()).collect()
    }

    /// Requests by revision while it ran.
    fn shares(&self) -> Vec<(String, u64)> {
        let revisions = self.document.pointer("/receipt/by_revision").and_then(Value::as_object);
        let sent = |counts: &Value| counts["sent"].as_u64().unwrap_or_default();
        let revisions = revisions.into_iter().flatten();
        revisions.map(|(revision, counts)| (revision.clone(), sent(counts))).collect()
    }
}

/// A running wrk; killed when a test fails before its end.
struct Wrk(Child);

impl Wrk {
    /// Starts 16 clients that ask until they are told to end, a minute at most.
    fn start(command: &mut Command, address: SocketAddr) -> Self {
        let words = ["-t1", "-c16", "-d60s", "--timeout", "10s", "--latency"];
        command.args(words).arg(format!("http://{address}/")).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(command.spawn().expect("wrk starts"))
    }

    /// Interrupts it, on which it tells what it saw.
    fn end(mut self) -> Summary {
        kill_process(Pid::from_child(&self.0), Signal::INT).expect("wrk runs until it is told to end");
        let mut text = String::new();
        self.0.stdout.take().expect("it is piped").read_to_string(&mut text).unwrap();
        assert!(self.0.wait().unwrap().success(), "{text}");
        Summary::parse(&text).unwrap_or_else(|error| panic!("{error}:\n{text}"))
    }
}

impl Drop for Wrk {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What wrk tells at its end.
#[derive(Debug, PartialEq, Eq)]
struct Summary {
    requests: u64,
    lasted: String,
    /// The latency that 99 of 100 answers keep below.
    p99: String,
    /// The line of answers other than 2xx and 3xx, which it prints only where there are any.
    bad: Option<String>,
    /// The line of connections that failed, broke or timed out, which it prints only where there are any.
    broken: Option<String>,
}

impl Summary {
    /// Reads it. A text without its totals is an error: it proves nothing.
    fn parse(text: &str) -> io::Result<Self> {
        let lines = || text.lines().map(str::trim);
        let absent = |what: &str| io::Error::other(format!("wrk tells no {what}"));
        let (requests, rest) =
            lines().find_map(|line| line.split_once(" requests in ")).ok_or_else(|| absent("total"))?;
        let p99 = lines().find_map(|line| line.strip_prefix("99%")).ok_or_else(|| absent("latency"))?;
        let line = |start: &str| lines().find(|line| line.starts_with(start)).map(str::to_owned);
        Ok(Self {
            requests: requests.parse().map_err(io::Error::other)?,
            lasted: rest.split(',').next().unwrap_or_default().to_owned(),
            p99: p99.trim().to_owned(),
            bad: line("Non-2xx or 3xx responses"),
            broken: line("Socket errors"),
        })
    }

    /// Holds wrk's count and the tool's own against each other, and both against loss.
    fn lost_nothing(&self, ended: &Ended) {
        assert_eq!((&self.bad, &self.broken), (&None, &None), "{self:?} {ended:?}");
        let count = |name: &str| ended.document.pointer(&format!("/receipt/{name}")).and_then(Value::as_u64);
        assert_eq!(count("failed"), Some(0), "{ended:?}");
        assert!(self.requests > 100 && count("sent").is_some_and(|sent| sent > 0), "{self:?} {ended:?}");
    }
}

#[test]
fn a_load_that_lost_requests_or_told_nothing_is_seen() {
    let good = "  Latency Distribution\n     99%    4.86ms\n  52 requests in 2.00s, 7.5MB read\nRequests/sec:  26.00\n";
    let bad = format!(
        "{good}  Socket errors: connect 0, read 3, write 0, timeout 0\n  Non-2xx or 3xx responses: 12\n"
    );
    let expected =
        Summary { requests: 52, lasted: "2.00s".into(), p99: "4.86ms".into(), bad: None, broken: None };
    assert_eq!(Summary::parse(good).unwrap(), expected);
    let seen = Summary::parse(&bad).unwrap();
    assert_eq!(seen.bad.as_deref(), Some("Non-2xx or 3xx responses: 12"));
    assert_eq!(seen.broken.as_deref(), Some("Socket errors: connect 0, read 3, write 0, timeout 0"));
    assert!(Summary::parse("unable to connect to 127.0.0.1:1\n").is_err());
}
