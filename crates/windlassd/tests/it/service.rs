//! The agent under a service manager, which these tests play: it listens for the agent, keeps what the agent listens
//! on, and hears of readiness, life and end.

use std::collections::BTreeMap;
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use windlass_domain::digest::Digest;

use super::http::{Connection, get};
use super::support::{Agent, PATIENCE, Stop, await_that, command};

/// Starts the agent with one or two listeners, as a service manager does: from descriptor 3 on, for its own number.
fn activated(agent: &Agent, given: &[&TcpListener], notify: Option<&UnixDatagram>) -> std::process::Child {
    let plain = command(&agent.root());
    let count = given.len();
    let take = if count == 1 { "exec 3<&0" } else { "exec 3<&0 4<&1" };
    let mut shell = Command::new("/bin/sh");
    shell
        .arg("-c")
        .arg(format!("{take} 0</dev/null 1>/dev/null; LISTEN_PID=$$ LISTEN_FDS={count} exec \"$@\""));
    shell.arg("sh").arg(plain.get_program()).args(plain.get_args());
    shell.stdin(Stdio::from(OwnedFd::from(given[0].try_clone().unwrap())));
    if let Some(second) = given.get(1) {
        shell.stdout(Stdio::from(OwnedFd::from(second.try_clone().unwrap())));
    }
    if notify.is_some() {
        shell.env("NOTIFY_SOCKET", agent.folder().join("notify")).env("WATCHDOG_USEC", "300000");
    }
    shell.spawn().unwrap()
}

/// An agent that serves at an address that this test listens on.
fn served() -> (Agent, TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut agent = Agent::unstarted();
    let process = activated(&agent, &[&listener], None);
    agent.adopt(process);
    let epoch = agent.claim("live").unwrap().epoch;
    agent.configure_at(epoch, &address.to_string()).unwrap();
    let package = agent.package("v1", &[]);
    agent.apply_with(epoch, super::support::stage(1, 2), Some(package)).unwrap();
    agent.apply(epoch, super::support::ready(1, 2)).unwrap();
    agent.apply(epoch, super::support::all(1)).unwrap();
    assert_eq!(get(address, "/").text(), "v1");
    (agent, listener, address)
}

/// What clients saw.
#[derive(Default)]
struct Seen {
    answered: AtomicU64,
    broken: AtomicU64,
    stop: AtomicBool,
}

/// Loads the address while `work` goes on: half of the clients keep their connections, half have one for each request.
fn under_load(address: SocketAddr, seen: &Seen, work: impl FnOnce()) {
    std::thread::scope(|scope| {
        let stopping = Stop(&seen.stop);
        for index in 0..6 {
            scope.spawn(move || {
                let body = vec![b'x'; 900 * index];
                let expected = Digest::of(&body).to_string();
                let mut client = Connection::try_to(address).expect("no connection is refused");
                while !seen.stop.load(Ordering::Relaxed) {
                    let has_ended = match client.post("/hash", &body) {
                        Ok(reply) => {
                            assert_eq!(
                                (reply.status, reply.text()),
                                (200, expected.as_str()),
                                "no wrong answer"
                            );
                            seen.answered.fetch_add(1, Ordering::Relaxed);
                            reply.header("connection") == Some("close")
                        }
                        Err(_) => {
                            seen.broken.fetch_add(1, Ordering::Relaxed);
                            true
                        }
                    };
                    if has_ended || index % 2 == 0 {
                        client = Connection::try_to(address).expect("no connection is refused");
                    }
                }
            });
        }
        await_that("there is load", || seen.answered.load(Ordering::Relaxed) > 50);
        work();
        let then = seen.answered.load(Ordering::Relaxed);
        await_that("requests go on", || seen.answered.load(Ordering::Relaxed) > then + 50);
        drop(stopping);
    });
}

#[test]
fn a_restart_behind_an_activated_socket_fails_no_request() {
    let (mut agent, listener, address) = served();
    let before = agent.pids();
    let seen = Seen::default();
    under_load(address, &seen, || {
        assert!(agent.terminate().success());
        let process = activated(&agent, &[&listener], None);
        agent.adopt(process);
    });
    assert_eq!(seen.broken.load(Ordering::Relaxed), 0);
    assert_eq!(agent.pids(), before, "the same processes");
    assert_eq!(agent.state().listening.unwrap(), address.to_string());
}

#[test]
fn a_kill_behind_an_activated_socket_costs_only_what_was_under_way() {
    let (mut agent, listener, address) = served();
    let before = agent.pids();
    let seen = Seen::default();
    under_load(address, &seen, || {
        agent.kill();
        // Whoever comes now waits.
        std::thread::sleep(Duration::from_millis(100));
        let process = activated(&agent, &[&listener], None);
        agent.adopt(process);
    });
    let broken = seen.broken.load(Ordering::Relaxed);
    assert!(broken <= 6, "{broken} requests broke, and only 6 were under way");
    assert_eq!(agent.pids(), before, "all were adopted, and none was started twice");
    let state = agent.state();
    assert!(state.revisions[0].instances.iter().all(|instance| instance.restarts == 0));
    assert_eq!(state.revisions[0].counts.failed, 0);
}

#[test]
fn a_handover_under_load_keeps_what_the_service_manager_listens_on() {
    let (mut agent, _listener, address) = served();
    let seen = Seen::default();
    under_load(address, &seen, || {
        for _ in 0..3 {
            agent.take_over();
        }
    });
    assert_eq!(seen.broken.load(Ordering::Relaxed), 0);
}

/// What the service manager was told, and the listeners that it keeps, by name.
struct Manager {
    socket: UnixDatagram,
    said: Vec<String>,
    kept: BTreeMap<String, Vec<OwnedFd>>,
}

impl Manager {
    fn of(agent: &Agent) -> Self {
        let socket = UnixDatagram::bind(agent.folder().join("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, said: Vec::new(), kept: BTreeMap::new() }
    }

    /// Listens until it hears this.
    fn hear(&mut self, word: &str) {
        loop {
            let said = self.next();
            if said.contains(word) {
                return;
            }
        }
    }

    fn next(&mut self) -> String {
        let mut text = [0; 1000];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let heard =
            recvmsg(&self.socket, &mut [IoSliceMut::new(&mut text)], &mut control, RecvFlags::CMSG_CLOEXEC)
                .unwrap_or_else(|error| panic!("{error} after {:?}", self.said));
        let said = String::from_utf8(text[..heard.bytes].to_vec()).unwrap();
        let name = said.lines().find_map(|line| line.strip_prefix("FDNAME=")).unwrap_or_default().to_owned();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(fds) = message {
                self.kept.entry(name.clone()).or_default().extend(fds);
            }
        }
        if said.contains("FDSTOREREMOVE=1") {
            self.kept.remove(&name);
        }
        self.said.push(said.clone());
        said
    }
}

#[test]
fn the_service_manager_hears_of_life_and_end_and_keeps_the_listeners() {
    let mut agent = Agent::unstarted();
    let mut manager = Manager::of(&agent);
    let unused = TcpListener::bind("127.0.0.1:0").unwrap();
    let process = activated(&agent, &[&unused], Some(&manager.socket));
    agent.adopt(process);
    manager.hear("READY=1");
    manager.hear("WATCHDOG=1");
    assert!(agent.state().managed);
    let (_, address) = agent.live(1);
    manager.hear("FDSTORE=1\nFDNAME=router");
    assert_eq!(manager.kept["router"].len(), 2, "one for each thread");
    manager.hear("FDSTORE=1\nFDNAME=metrics");
    // A crash: who comes meanwhile is answered by the next agent, at listeners that were never closed.
    agent.kill();
    let waits = std::thread::spawn(move || get(address, "/").text().to_owned());
    let kept: Vec<TcpListener> =
        manager.kept.remove("router").unwrap().into_iter().map(TcpListener::from).collect();
    let process = activated(&agent, &[&kept[0], &kept[1]], Some(&manager.socket));
    agent.adopt(process);
    assert_eq!(waits.join().unwrap(), "v1");
    // The next agent is the service's main process from the moment on at which everything is its own.
    agent.take_over();
    let heir = agent.state().pid;
    manager.hear(&format!("MAINPID={heir}"));
    assert!(agent.await_end().success());
    rustix::process::kill_process(super::support::pid(heir), rustix::process::Signal::TERM).unwrap();
    manager.hear("STOPPING=1");
    await_that("it has ended", || !super::support::is_alive(heir));
    drop((kept, manager));
    agent.spawn();
    assert_eq!(get(address, "/").text(), "v1");
}

#[test]
fn listeners_that_were_not_given_to_this_very_process_are_left_alone() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut agent = Agent::unstarted();
    let plain = command(&agent.root());
    let mut shell = Command::new("/bin/sh");
    // As a process would be that inherits the variables of the one that they were meant for.
    shell.arg("-c").arg("exec 3<&0 0</dev/null; LISTEN_FDS=1 exec \"$@\"");
    shell.arg("sh").arg(plain.get_program()).args(plain.get_args());
    agent.adopt(shell.stdin(Stdio::from(OwnedFd::from(listener.try_clone().unwrap()))).spawn().unwrap());
    let epoch = agent.claim("live").unwrap().epoch;
    let refused = agent.configure_at(epoch, &listener.local_addr().unwrap().to_string()).unwrap_err();
    let why = std::error::Error::source(&refused).unwrap().to_string();
    assert!(why.contains("cannot listen"), "{why}");
}
