//! What the agent listens on: taken from the agent before, from the service manager, or made.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::sync::{Mutex, MutexGuard};

use crate::locked::lock;
use crate::route::Router;
use crate::service::Manager;

/// The name under which the service manager keeps the router's listeners.
const ROUTER: &str = "router";

/// The name under which it keeps the metrics' listener.
const METRICS: &str = "metrics";

/// The listeners. What accepts from them has copies.
#[derive(Debug)]
pub(crate) struct Doors {
    manager: Manager,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    control: Option<UnixListener>,
    metrics: Option<TcpListener>,
    /// What the service manager gave and nobody asked for yet.
    given: Vec<TcpListener>,
}

impl Doors {
    /// None yet, but those that the service manager gave.
    pub(crate) fn new(manager: Manager, given: Vec<TcpListener>) -> Self {
        Self { manager, inner: Mutex::new(Inner { given, ..Inner::default() }) }
    }

    /// With those that the service manager gave to the agent before.
    pub(crate) fn with_given(self, given: Vec<TcpListener>) -> Self {
        self.inner().given.extend(given);
        self
    }

    pub(crate) const fn manager(&self) -> &Manager {
        &self.manager
    }

    /// Has the router listen on an address, instead of where it did before: by what the service manager gave for it,
    /// or by listeners of its own, which the service manager keeps from then on. Returns the real address.
    pub(crate) fn listen(&self, router: &Router, address: SocketAddr) -> io::Result<SocketAddr> {
        let given = self.take_given(address);
        if !given.is_empty() {
            router.listen_by(given)?;
            return Ok(address);
        }
        let address = router.listen(address)?;
        let listeners = router.listeners();
        let listeners: Vec<BorrowedFd<'_>> = listeners.iter().map(TcpListener::as_fd).collect();
        self.manager.keep(ROUTER, &listeners);
        Ok(address)
    }

    /// A listener for the metrics' address: the one that there is, one that was given, or a new one.
    pub(crate) fn listen_for_metrics(&self, address: SocketAddr) -> io::Result<TcpListener> {
        let given = self.take_given(address).pop();
        let mut inner = self.inner();
        let kept = inner.metrics.as_ref().filter(|kept| kept.local_addr().is_ok_and(|at| at == address));
        let listener = match (kept, given) {
            (Some(kept), _) => kept.try_clone()?,
            (None, Some(given)) => {
                inner.metrics = Some(given.try_clone()?);
                given
            }
            (None, None) => {
                let listener = TcpListener::bind(address)?;
                self.manager.keep(METRICS, &[listener.as_fd()]);
                inner.metrics = Some(listener.try_clone()?);
                listener
            }
        };
        listener.set_nonblocking(true)?;
        Ok(listener)
    }

    /// Takes the metrics' listener from another agent, or gives it up.
    pub(crate) fn set_metrics(&self, listener: Option<TcpListener>) {
        if listener.is_none() && self.inner().metrics.is_some() {
            self.manager.keep(METRICS, &[]);
        }
        self.inner().metrics = listener;
    }

    /// Keeps a copy of the control socket's listener, for the next agent.
    pub(crate) fn keep_control(&self, listener: UnixListener) {
        self.inner().control = Some(listener);
    }

    /// A copy of the control socket's listener.
    pub(crate) fn control(&self) -> io::Result<OwnedFd> {
        let listener = self.inner().control.as_ref().map(UnixListener::try_clone).transpose()?;
        listener.map(OwnedFd::from).ok_or_else(|| io::Error::other("the control socket is not there yet"))
    }

    /// A copy of the metrics' listener, where there is one.
    pub(crate) fn metrics(&self) -> io::Result<Option<OwnedFd>> {
        let listener = self.inner().metrics.as_ref().map(TcpListener::try_clone).transpose()?;
        Ok(listener.map(OwnedFd::from))
    }

    /// Copies of what was given and nobody asked for, with what it was given by.
    pub(crate) fn given(&self) -> io::Result<Vec<OwnedFd>> {
        self.inner().given.iter().map(|listener| Ok(listener.try_clone()?.into())).collect()
    }

    /// The addresses that the service manager listens on and nobody accepts from.
    pub(crate) fn unserved(&self) -> Vec<SocketAddr> {
        self.inner().given.iter().filter_map(|given| given.local_addr().ok()).collect()
    }

    fn take_given(&self, address: SocketAddr) -> Vec<TcpListener> {
        let mut inner = self.inner();
        let given = std::mem::take(&mut inner.given);
        let (taken, left) =
            given.into_iter().partition(|given| given.local_addr().is_ok_and(|given| covers(given, address)));
        inner.given = left;
        taken
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }
}

/// Whether a listener at one address takes what another asks for. `[::]` takes both families, as the service manager
/// makes it, so it is also every address of the older one.
fn covers(given: SocketAddr, asked: SocketAddr) -> bool {
    given == asked
        || given.port() == asked.port()
            && given.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED)
            && asked.ip().is_ipv4()
            && asked.ip().is_unspecified()
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn an_address_is_covered_by_itself_and_by_the_one_of_both_families() {
        for (given, asked, is_covered) in [
            ("127.0.0.1:80", "127.0.0.1:80", true),
            ("[::]:80", "0.0.0.0:80", true),
            ("[::]:80", "[::]:80", true),
            ("[::]:81", "0.0.0.0:80", false),
            ("[::]:80", "127.0.0.1:80", false),
            ("0.0.0.0:80", "127.0.0.1:80", false),
            ("0.0.0.0:80", "[::]:80", false),
        ] {
            assert_eq!(covers(given.parse().unwrap(), asked.parse().unwrap()), is_covered, "{given} {asked}");
        }
    }
}
