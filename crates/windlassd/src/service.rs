//! The service manager, where one started the agent: what it is told, and what it keeps (`sd_notify(3)`).

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use listenfd::ListenFd;
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags,
    SocketType, sendmsg_addr, socket_with,
};

/// What is meant for one process alone, and not for those that it starts.
pub(crate) const OWN_VARIABLES: [&str; 4] = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_PID"];

/// The listeners that the service manager gave to this process, by socket activation or out of its store. To be asked
/// before anything else is started.
pub(crate) fn given(vars: &BTreeMap<String, String>) -> Vec<TcpListener> {
    let is_ours = |pid: &String| *pid == std::process::id().to_string();
    if !vars.get("LISTEN_PID").is_some_and(is_ours) {
        return Vec::new();
    }
    let mut descriptors = ListenFd::from_env();
    (0..descriptors.len())
        .filter_map(|index| {
            descriptors.take_tcp_listener(index).unwrap_or_else(|error| {
                tracing::warn!(%error, "the service manager gave something that is no TCP listener");
                None
            })
        })
        .filter(|listener| rustix::net::sockopt::socket_acceptconn(listener).is_ok_and(|listens| listens))
        .collect()
}

/// The service manager; it may be that there is none.
#[derive(Debug)]
pub(crate) struct Manager {
    socket: Option<(OwnedFd, SocketAddrUnix)>,
    watchdog: Option<Duration>,
}

impl Manager {
    /// The one that these variables tell of.
    pub(crate) fn of(vars: &BTreeMap<String, String>) -> io::Result<Self> {
        let Some(name) = vars.get("NOTIFY_SOCKET") else { return Ok(Self { socket: None, watchdog: None }) };
        let address = match name.strip_prefix('@') {
            Some(name) => SocketAddrUnix::new_abstract_name(name.as_bytes())?,
            None => SocketAddrUnix::new(name.as_str())?,
        };
        let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
        let ours = |pid: &String| *pid == std::process::id().to_string();
        let watchdog = vars
            .get("WATCHDOG_USEC")
            .filter(|_| vars.get("WATCHDOG_PID").is_none_or(ours))
            .and_then(|micros| micros.parse().ok())
            .filter(|micros| *micros > 0)
            .map(Duration::from_micros);
        Ok(Self { socket: Some((socket, address)), watchdog })
    }

    /// Whether there is one.
    pub(crate) const fn is_there(&self) -> bool {
        self.socket.is_some()
    }

    /// How long it waits for a sign of life.
    pub(crate) const fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Tells it something: `READY=1`.
    pub(crate) fn tell(&self, state: &str) {
        self.send(state, &[]);
    }

    /// Has it keep descriptors under a name, instead of those that it kept under it before, so that they outlive
    /// this process. A manager without room for them says nothing, and keeps none.
    pub(crate) fn keep(&self, name: &str, descriptors: &[BorrowedFd<'_>]) {
        self.tell(&format!("FDSTOREREMOVE=1\nFDNAME={name}"));
        if !descriptors.is_empty() {
            self.send(&format!("FDSTORE=1\nFDNAME={name}"), descriptors);
        }
    }

    fn send(&self, state: &str, with: &[BorrowedFd<'_>]) {
        let Some((socket, address)) = &self.socket else { return };
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !with.is_empty() {
            control.push(SendAncillaryMessage::ScmRights(with));
        }
        let state = [IoSlice::new(state.as_bytes())];
        if let Err(error) = sendmsg_addr(socket, address, &state, &mut control, SendFlags::NOSIGNAL) {
            tracing::warn!(%error, "cannot tell the service manager anything");
        }
    }
}
