//! Handovers that break off, at each point, on either side.

use std::fs::{File, OpenOptions};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixListener;
use std::process::{Child, Stdio};

use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
    recv, sendmsg, socketpair,
};
use windlass_target::driver::DriverError;

use super::http::get;
use super::support::{Agent, await_that, command, helper, is_alive};

fn heir() -> String {
    helper("heir").to_str().unwrap().to_owned()
}

/// The heir ends at a point before everything is its own.
#[test]
fn where_the_heir_ends_the_agent_goes_on() {
    let agent = Agent::start();
    let (epoch, address) = agent.live(1);
    let before = agent.pids();
    let heir = heir();
    let nowhere = agent.folder().join("nothing-there");
    for (program, word) in [
        (vec![nowhere.to_str().unwrap()], "cannot start \""),
        (vec!["/bin/false"], "exit status: 1"),
        (vec![&heir, "at-once"], "the new agent"),
        (vec![&heir, "offered"], "the new agent"),
        (vec![&heir, "ready"], "the new agent"),
        (vec![&heir, "told"], "the new agent"),
        (vec![&heir, "nonsense"], "cannot be understood"),
        (vec![&heir, "older"], "older than"),
        (vec![&heir, "mine-first"], "instead of being ready"),
    ] {
        match agent.hand_over_to(&program) {
            Err(DriverError::Unreachable { source, .. }) => {
                let why = source.to_string();
                assert!(why.contains(word), "{program:?}: {why}");
            }
            other => panic!("{program:?}: {other:?}"),
        }
        assert_eq!(agent.state().pid, agent.pid(), "{program:?}");
        assert_eq!(agent.pids(), before, "{program:?}");
        assert_eq!(get(address, "/").text(), "v1", "{program:?}");
        agent.claim("live").unwrap();
    }
    // It can still change things, and start what ends.
    agent.raise(epoch, 2, 1);
    rustix::process::kill_process(super::support::pid(before[0]), rustix::process::Signal::KILL).unwrap();
    await_that("another is ready", || agent.state().revisions[0].instances.iter().all(|one| one.ready));
}

/// The heir ends right after everything became its own: as a crash, which the next agent makes good.
#[test]
fn where_the_heir_ends_too_late_the_next_agent_goes_on() {
    let mut agent = Agent::start();
    let (_, address) = agent.live(1);
    let before = agent.pids();
    agent.hand_over_to(&[&heir(), "mine"]).unwrap();
    agent.await_end();
    agent.spawn();
    assert_eq!(agent.pids(), before);
    assert_eq!(get(address, "/").text(), "v1");
}

/// What an agent that hands over holds, in the hands of this test.
struct Old {
    channel: OwnedFd,
    lock: File,
    control: UnixListener,
    router: TcpListener,
    process: Child,
}

impl Old {
    /// Starts an heir for the root of an agent that was killed.
    fn of(agent: &Agent, address: SocketAddr, managed: bool) -> Self {
        let lock = OpenOptions::new().write(true).open(agent.root().join("agent.lock")).unwrap();
        lock.lock().unwrap();
        let socket = agent.root().join("control.sock");
        let _ = std::fs::remove_file(&socket);
        let control = UnixListener::bind(socket).unwrap();
        let router = TcpListener::bind(address).unwrap();
        let (channel, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
        let mut heir = command(&agent.root());
        heir.arg("--inherit").stdin(Stdio::from(theirs)).stderr(Stdio::piped());
        if managed {
            heir.env("NOTIFY_SOCKET", agent.folder().join("notify"));
        }
        Self { channel, lock, control, router, process: heir.spawn().unwrap() }
    }

    fn offer(&self) {
        let text =
            br#"{"say":"offer","format":1,"version":"0","held":["lock","control","router"],"upstreams":7}"#;
        let with = [self.lock.as_fd(), self.control.as_fd(), self.router.as_fd()];
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        assert!(control.push(SendAncillaryMessage::ScmRights(&with)));
        let text = [std::io::IoSlice::new(text)];
        sendmsg(&self.channel, &text, &mut control, SendFlags::NOSIGNAL).unwrap();
    }

    fn hear(&self) -> String {
        let mut text = [0; 1000];
        let (count, _) = recv(&self.channel, &mut text, RecvFlags::empty()).unwrap();
        String::from_utf8(text[..count].to_vec()).unwrap()
    }

    /// Dies, as far as the heir can tell.
    fn die(self) -> Child {
        self.process
    }
}

#[test]
fn where_the_agent_ends_before_it_offered_the_heir_starts_by_itself() {
    let mut agent = Agent::start();
    let (_, address) = agent.live(1);
    let before = agent.pids();
    agent.kill();
    agent.own(Old::of(&agent, address, false).die());
    await_that("the heir answers", || agent.get::<serde_json::Value>("/v1/state").is_ok());
    assert_eq!((agent.state().pid, agent.pids()), (agent.pid(), before));
    assert_eq!(get(address, "/").text(), "v1");
}

#[test]
fn where_the_agent_ends_after_it_offered_the_heir_goes_on() {
    let mut agent = Agent::start();
    let (_, address) = agent.live(1);
    let before = agent.pids();
    agent.kill();
    let old = Old::of(&agent, address, false);
    old.offer();
    assert_eq!(old.hear(), format!(r#"{{"say":"ready","version":"{}"}}"#, env!("CARGO_PKG_VERSION")));
    // Until it is told, it accepts nothing and writes nothing.
    let waits = std::thread::spawn(move || get(address, "/").text().to_owned());
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert!(!waits.is_finished());
    agent.own(old.die());
    assert_eq!(waits.join().unwrap(), "v1", "what waited in the queue is answered");
    await_that("the heir answers", || agent.get::<serde_json::Value>("/v1/state").is_ok());
    assert_eq!((agent.state().pid, agent.pids()), (agent.pid(), before));
    let second = command(&agent.root()).output().unwrap();
    assert_eq!(second.status.code(), Some(6), "the lock was handed over too");
}

#[test]
fn where_a_service_manager_starts_the_next_agent_the_heir_makes_way_for_it() {
    let mut agent = Agent::start();
    let (_, address) = agent.live(1);
    let before = agent.pids();
    agent.kill();
    let old = Old::of(&agent, address, true);
    old.offer();
    old.hear();
    let mut heir = old.die();
    let mut status = None;
    await_that("the heir ends", || {
        status = heir.try_wait().unwrap();
        status.is_some()
    });
    assert_eq!(status.unwrap().code(), Some(3));
    agent.spawn();
    assert_eq!(agent.pids(), before);
    assert!(before.iter().all(|pid| is_alive(*pid)));
}
