//! A scrubbed place to run in, a server, and an agent that says what a test wants said.

use std::io::{Read, Write as _};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

/// A folder of its own, and an environment with nothing in it.
pub(crate) struct Place(tempfile::TempDir);

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(".git")).unwrap();
        std::fs::create_dir(folder.path().join("root")).unwrap();
        Self(folder)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A policy with one environment, `dev`, and this in it.
    pub(crate) fn policy(&self, rest: &str) {
        let text = format!(
            "version: 1\napp: shop\nrelease: dist/\nenvironments:\n  dev:\n    gates: none\n    evidence: unsigned\n    \
             target: {{ kind: host, root: root, listen: \"127.0.0.1:0\", run: [bin/shop] }}\n    strategy: rolling\n    {rest}\n"
        );
        std::fs::write(self.path("windlass.yml"), text).unwrap();
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_health-verify"));
        command
            .args(arguments)
            .current_dir(self.0.path())
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.0.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn finish(&self, mut command: Command) -> Ran {
        let output = command.output().unwrap();
        Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.finish(self.command(arguments))
    }
}

/// A service that always answers so.
pub(crate) fn serve(status: &'static str, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let _ = head(&mut stream);
            let _ = stream.write_all(response(status, body).as_bytes());
        }
    });
    format!("http://{address}")
}

fn response(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

fn head(stream: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    let mut one = [0];
    while !bytes.ends_with(b"\r\n\r\n") && stream.read(&mut one).unwrap_or(0) == 1 {
        bytes.push(one[0]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// An agent with two live revisions, whose counters grow at every reading.
pub(crate) struct Agent {
    pub(crate) artifact: String,
    readings: Arc<AtomicU64>,
}

impl Agent {
    /// Each reading shows so many more requests to r7, and so many more bad ones among them; r6 is clean.
    pub(crate) fn start(place: &Place, requests: u64, bad: u64) -> Self {
        let artifact = format!("sha256:{}", "7".repeat(64));
        let readings = Arc::new(AtomicU64::new(0));
        listen(&place.path("root/control.sock"), artifact.clone(), readings.clone(), requests, bad);
        Self { artifact, readings }
    }

    pub(crate) fn readings(&self) -> u64 {
        self.readings.load(Ordering::SeqCst)
    }
}

fn listen(path: &Path, artifact: String, readings: Arc<AtomicU64>, requests: u64, bad: u64) {
    let listener = UnixListener::bind(path).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let head = head(&mut stream);
            let body = if head.starts_with("GET /metrics ") {
                let tick = readings.fetch_add(1, Ordering::SeqCst);
                metrics(tick * requests, tick * bad)
            } else if head.starts_with("GET /v1/state ") {
                state(&artifact)
            } else {
                String::new()
            };
            let status = if body.is_empty() { "404 Not Found" } else { "200 OK" };
            let _ = stream.write_all(response(status, &body).as_bytes());
        }
    });
}

fn metrics(requests: u64, bad: u64) -> String {
    let mut text =
        String::from("# HELP windlass_requests_total Requests.\n# TYPE windlass_requests_total counter\n");
    for (revision, requests, bad) in [("r6", requests, 0), ("r7", requests, bad)] {
        text.push_str(&format!(
            "windlass_requests_total{{revision=\"{revision}\",code=\"2xx\"}} {}\n\
             windlass_requests_total{{revision=\"{revision}\",code=\"5xx\"}} {bad}\n\
             windlass_requests_bad_total{{revision=\"{revision}\"}} {bad}\n\
             windlass_requests_failed_total{{revision=\"{revision}\"}} 0\n\
             windlass_weight{{revision=\"{revision}\"}} 0.5\n\
             windlass_instance_ready{{revision=\"{revision}\",index=\"0\"}} 1\n\
             windlass_instance_restarts_total{{revision=\"{revision}\",index=\"0\"}} 0\n",
            requests - bad
        ));
    }
    text
}

fn state(artifact: &str) -> String {
    serde_json::json!({
        "listening": "127.0.0.1:9",
        "revisions": [{ "revision": 6, "artifact": format!("sha256:{}", "6".repeat(64)) }, { "revision": 7, "artifact": artifact }],
    })
    .to_string()
}

/// The statement of the first envelope, read without our own code.
pub(crate) fn statement(evidence: &str) -> Value {
    let envelope: Value = serde_json::from_str(evidence.lines().next().unwrap()).unwrap();
    let payload = envelope["payload"].as_str().unwrap();
    let mut bits = 0_u32;
    let mut count = 0;
    let mut bytes = Vec::new();
    for character in payload.bytes().filter(|byte| *byte != b'=') {
        let value = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'+' => 62,
            _ => 63,
        };
        bits = (bits << 6) | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from((bits >> count) & 0xff).unwrap());
        }
    }
    serde_json::from_slice(&bytes).unwrap()
}
