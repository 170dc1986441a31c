//! The socket between `deploy` and the agent: passes whole requests on, one connection each, counts those that change
//! something, and kills the run at the one it was told.

use std::fs;
use std::io::{self, Read as _, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use windlass_target::host::control::{Apply, Claim};

/// How long the lease of a killed run still lasts, in milliseconds.
const LAPSE: u64 = 60;

/// When a run is killed, seen from the effect of one of its mutations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    /// The agent never hears of it.
    Before,
    /// The agent has the request, and whoever asked is gone.
    During,
    /// It is in effect, and the run never hears so.
    After,
}

/// A kill that happened.
#[derive(Clone, Debug)]
pub(crate) struct Killed {
    /// The mutation: `apply shift`, `journal done`.
    pub(crate) what: String,
    pub(crate) side: Side,
}

/// The run that is watched.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// Its process.
    pub(crate) victim: Option<Pid>,
    /// Where it shall be killed.
    pub(crate) kill: Option<(usize, Side)>,
    /// How many mutations it has sent.
    pub(crate) sent: usize,
    /// Where it was killed.
    pub(crate) killed: Option<Killed>,
    /// Its last claim.
    pub(crate) claim: Option<Claim>,
}

/// Listens on `socket` and passes on to the agent's, until the test ends.
pub(crate) fn start(socket: &Path, agent: PathBuf, watch: Arc<Mutex<Watch>>) {
    let listener = UnixListener::bind(socket).unwrap();
    fs::set_permissions(socket, fs::Permissions::from_mode(0o600)).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (agent, watch) = (agent.clone(), Arc::clone(&watch));
            // A caller that goes away, as a killed one does, is no error.
            thread::spawn(move || pass_on(stream?, &agent, &watch));
        }
    });
}

fn pass_on(mut caller: UnixStream, agent: &Path, watch: &Mutex<Watch>) -> io::Result<()> {
    let request = message(&mut caller)?;
    let side = due(&request, watch);
    if side == Some(Side::Before) {
        return kill(&mut caller, agent, watch);
    }
    let mut stream = UnixStream::connect(agent)?;
    stream.write_all(&request)?;
    if side == Some(Side::During) {
        return kill(&mut caller, agent, watch);
    }
    let answer = message(&mut stream)?;
    if side == Some(Side::After) {
        return kill(&mut caller, agent, watch);
    }
    caller.write_all(&answer)
}

/// Counts a request; says on which side of it the run dies, if it does.
fn due(request: &[u8], watch: &Mutex<Watch>) -> Option<Side> {
    let end = head_end(request)?;
    let line = String::from_utf8_lossy(&request[..end]).lines().next()?.to_owned();
    let body = &request[end..];
    let mut watch = watch.lock().unwrap();
    let what = match line.strip_suffix(" HTTP/1.1")? {
        "POST /v1/claim" => {
            watch.claim = serde_json::from_slice(body).ok();
            return None;
        }
        "POST /v1/configure" => "configure".to_owned(),
        "POST /v1/apply" => {
            let apply: Apply = serde_json::from_slice(body).unwrap();
            format!("apply {}", apply.step.word())
        }
        "POST /v1/journal" => {
            let append: Value = serde_json::from_slice(body).unwrap();
            format!("journal {}", append["events"][0]["event"].as_str().unwrap())
        }
        _ => return None,
    };
    let index = watch.sent;
    watch.sent += 1;
    let (_, side) = watch.kill.filter(|(at, _)| *at == index)?;
    watch.killed = Some(Killed { what, side });
    Some(side)
}

/// Kills the run, and lets its lease run out.
///
/// The agent voids the lease of a process that is gone, but the process that it sees is this test. So the run's last
/// renewal, which may come at any moment, comes now and asks for little: then the lease really expires.
fn kill(caller: &mut UnixStream, agent: &Path, watch: &Mutex<Watch>) -> io::Result<()> {
    let (victim, claim) = {
        let watch = watch.lock().unwrap();
        (watch.victim.unwrap(), watch.claim.clone().unwrap())
    };
    kill_process(victim, Signal::KILL)?;
    // Its side of the connection closes when it is gone; until then nothing may tell it anything.
    let _ = caller.read_to_end(&mut Vec::new());
    let renewal = serde_json::to_vec(&Claim { ttl_ms: LAPSE, ..claim }).unwrap();
    ask(agent, "POST", "/v1/claim", &renewal).map(drop)
}

/// Asks the agent itself; the body of a successful answer.
pub(crate) fn ask(agent: &Path, method: &str, path: &str, body: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(agent)?;
    write!(stream, "{method} {path} HTTP/1.1\r\nhost: agent\r\ncontent-length: {}\r\n\r\n", body.len())?;
    stream.write_all(body)?;
    let mut answer = message(&mut stream)?;
    let end = head_end(&answer).unwrap();
    let body = answer.split_off(end);
    if answer.starts_with(b"HTTP/1.1 2") {
        return Ok(body);
    }
    let told = [answer, body].concat();
    Err(io::Error::other(format!("{method} {path}: {}", String::from_utf8_lossy(&told))))
}

/// A whole request or answer, as it came.
fn message(stream: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        if let Some(end) = head_end(&bytes)
            && bytes.len() >= end + body_length(&bytes[..end])
        {
            return Ok(bytes);
        }
        match stream.read(&mut chunk)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => bytes.extend_from_slice(&chunk[..read]),
        }
    }
}

fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
}

fn body_length(head: &[u8]) -> usize {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    assert!(!head.contains("transfer-encoding"), "the client and the agent say their lengths: {head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    length.map_or(0, |length| length.trim().parse().unwrap())
}
