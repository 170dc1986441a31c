//! The socket between a tool and the agent: passes whole requests on, one connection each, counts those that change
//! something, and kills the tool or the agent at the one it was told.

use std::fs;
use std::io::{self, Read as _, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::{self, sleep};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use windlass_target::host::control::{Apply, Claim};

use crate::faults::Fault;
use crate::processes::{self, Instance};

/// How long the lease of a killed run still lasts, in milliseconds.
const LAPSE: u64 = 60;

/// Who is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Victim {
    /// `deploy` or `rollback`.
    Tool,
    /// `windlassd`. The tool lives, and is told nothing more.
    Agent,
}

/// When it is killed, seen from the effect of one of the mutations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    /// The agent never hears of it.
    Before,
    /// The agent has had the request for so many milliseconds.
    During(u8),
    /// It is in effect, and the tool never hears so.
    After,
}

/// A kill that shall happen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kill {
    /// The number of the mutation, from 0; a run may have fewer.
    pub(crate) at: usize,
    pub(crate) side: Side,
    pub(crate) victim: Victim,
}

/// A kill that happened.
#[derive(Clone, Debug)]
pub(crate) struct Killed {
    /// The mutation: `apply shift`, `journal done`.
    pub(crate) what: String,
    pub(crate) side: Side,
    pub(crate) victim: Victim,
    /// What ran then.
    pub(crate) instances: Vec<Instance>,
}

/// The run that is watched.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// The processes of the tool and of the agent.
    pub(crate) tool: Option<Pid>,
    pub(crate) agent: Option<Pid>,
    /// Where one of them shall be killed.
    pub(crate) kill: Option<Kill>,
    /// What fails at which mutation, before its effect.
    pub(crate) fault: Option<(usize, Fault)>,
    /// The mutations that it has sent.
    pub(crate) sent: Vec<String>,
    /// Where one was killed.
    pub(crate) killed: Option<Killed>,
    /// Its last claim.
    pub(crate) claim: Option<Claim>,
}

/// One environment's sockets.
#[derive(Clone, Debug)]
pub(crate) struct Proxy {
    /// Where tools look: a link to `own` while a run is watched, else the agent's own.
    pub(crate) control: PathBuf,
    /// The agent's, put aside while a run is watched.
    pub(crate) agent: PathBuf,
    /// The proxy's.
    pub(crate) own: PathBuf,
    /// The folder of everything that instances run in.
    pub(crate) revisions: PathBuf,
}

impl Proxy {
    /// Listens, until the test ends.
    pub(crate) fn start(self, watch: Arc<Mutex<Watch>>) {
        let listener = UnixListener::bind(&self.own).unwrap();
        fs::set_permissions(&self.own, fs::Permissions::from_mode(0o600)).unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (proxy, watch) = (self.clone(), Arc::clone(&watch));
                // A caller that goes away, as a killed one does, is no error.
                thread::spawn(move || proxy.pass_on(stream?, &watch));
            }
        });
    }

    /// Stands between tools and the agent. An agent that starts afterwards takes its place again.
    pub(crate) fn stand_between(&self) {
        if !fs::symlink_metadata(&self.control).unwrap().is_symlink() {
            fs::rename(&self.control, &self.agent).unwrap();
            std::os::unix::fs::symlink(&self.own, &self.control).unwrap();
        }
    }

    /// The socket of the agent, wherever it is now.
    pub(crate) fn to_agent(&self) -> &Path {
        let aside = fs::symlink_metadata(&self.control).is_ok_and(|control| control.is_symlink());
        if aside { &self.agent } else { &self.control }
    }

    fn pass_on(&self, mut caller: UnixStream, watch: &Mutex<Watch>) -> io::Result<()> {
        let request = message(&mut caller)?;
        let due = due(&request, watch);
        if let Some(fault) = due.fault {
            fault.begin(self.control.parent().unwrap());
        }
        let Some((kill, what)) = due.kill else {
            let mut stream = UnixStream::connect(&self.agent)?;
            stream.write_all(&request)?;
            return caller.write_all(&message(&mut stream)?);
        };
        let mut stream = UnixStream::connect(&self.agent)?;
        match kill.side {
            Side::Before => {}
            Side::During(milliseconds) => {
                stream.write_all(&request)?;
                // Not a wait for anything: this is how far the agent may come.
                sleep(Duration::from_millis(milliseconds.into()));
            }
            Side::After => {
                stream.write_all(&request)?;
                message(&mut stream)?;
            }
        }
        let instances = processes::instances(&self.revisions);
        let (tool, agent, claim) = {
            let mut watch = watch.lock().unwrap();
            watch.killed = Some(Killed { what, side: kill.side, victim: kill.victim, instances });
            (watch.tool.unwrap(), watch.agent.unwrap(), watch.claim.clone().unwrap())
        };
        match kill.victim {
            Victim::Tool => {
                kill_process(tool, Signal::KILL)?;
                // Its side of the connection closes when it is gone; until then nothing may tell it anything.
                let _ = caller.read_to_end(&mut Vec::new());
                self.lapse(claim)
            }
            Victim::Agent => {
                let lapsed = self.lapse(claim);
                kill_process(agent, Signal::KILL)?;
                processes::await_end(agent);
                fs::remove_file(&self.control)?;
                // Only now the tool hears, by the end of this connection, that there is nobody any more.
                lapsed
            }
        }
    }

    /// Lets the lease of a run end.
    ///
    /// The agent voids the lease of a process that is gone, but the process that it sees is this test. So the run's last
    /// renewal, which may come at any moment, comes now and asks for little: then the lease really expires.
    pub(crate) fn lapse(&self, claim: Claim) -> io::Result<()> {
        let renewal = serde_json::to_vec(&Claim { ttl_ms: LAPSE, ..claim }).unwrap();
        ask(&self.agent, "POST", "/v1/claim", &renewal).map(drop)
    }
}

/// What befalls at a request.
#[derive(Debug, Default)]
struct Due {
    fault: Option<Fault>,
    /// Who dies, and what was asked for.
    kill: Option<(Kill, String)>,
}

/// Notes a request; says what befalls at it.
fn due(request: &[u8], watch: &Mutex<Watch>) -> Due {
    let mut watch = watch.lock().unwrap();
    let Some(what) = mutation(request, &mut watch) else { return Due::default() };
    let index = watch.sent.len();
    watch.sent.push(what.clone());
    let fault = watch.fault.filter(|(at, _)| *at == index).map(|(_, fault)| fault);
    Due { fault, kill: watch.kill.filter(|kill| kill.at == index).map(|kill| (kill, what)) }
}

/// What a request changes, if anything; notes a claim.
fn mutation(request: &[u8], watch: &mut Watch) -> Option<String> {
    let end = head_end(request)?;
    let line = String::from_utf8_lossy(&request[..end]).lines().next()?.to_owned();
    let body = &request[end..];
    match line.strip_suffix(" HTTP/1.1")? {
        "POST /v1/claim" => {
            watch.claim = serde_json::from_slice(body).ok();
            None
        }
        "POST /v1/configure" => Some("configure".to_owned()),
        "POST /v1/apply" => {
            let apply: Apply = serde_json::from_slice(body).unwrap();
            Some(format!("apply {}", apply.step.word()))
        }
        "POST /v1/journal" => {
            let append: Value = serde_json::from_slice(body).unwrap();
            Some(format!("journal {}", append["events"][0]["event"].as_str().unwrap()))
        }
        _ => None,
    }
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
