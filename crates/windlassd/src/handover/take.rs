//! Taking over, as the agent that begins does it.

use std::fs::File;
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixListener;
use std::time::Duration;

use super::{Channel, FORMAT, FromNew, FromOld, Held};
use crate::root::Lock;

/// How long the old agent may take to say the next thing. It does nothing else meanwhile.
const NEXT: Duration = Duration::from_secs(30);

/// What an agent that runs offers.
#[derive(Debug)]
pub(crate) struct Inheritance {
    pub(crate) channel: Channel,
    /// The old agent's process.
    pub(crate) from: u32,
    pub(crate) lock: Lock,
    pub(crate) control: UnixListener,
    pub(crate) metrics: Option<TcpListener>,
    pub(crate) router: Vec<TcpListener>,
    pub(crate) given: Vec<TcpListener>,
    pub(crate) formers: Vec<(u32, OwnedFd)>,
    pub(crate) upstreams: u64,
}

/// Whose everything is.
#[derive(Debug)]
pub(crate) enum Taken {
    /// Handed over; the channel to the old agent, which ends.
    From(u32, Channel),
    /// The old agent is gone without a word.
    Fallen,
}

impl Inheritance {
    /// Takes the offer from standard input; `None` where the old agent is gone before it made one.
    pub(crate) async fn receive() -> io::Result<Option<Self>> {
        let end = io::stdin().as_fd().try_clone_to_owned()?;
        // Nothing that is started later may keep the channel open.
        rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
        let from = std::os::unix::process::parent_id();
        let channel = Channel::of(end)?;
        let Some((said, descriptors)) = next(&channel).await? else { return Ok(None) };
        let FromOld::Offer { format, version, held, upstreams } = said else {
            return Err(invalid(format!("the agent that runs said {said:?} instead of what it offers")));
        };
        if format != FORMAT || held.len() != descriptors.len() {
            return Err(invalid(format!(
                "version {version} of the agent hands over in a way unknown to this one"
            )));
        }
        let (mut lock, mut control, mut metrics) = (None, None, None);
        let (mut router, mut given, mut formers) = (Vec::new(), Vec::new(), Vec::new());
        for (what, fd) in held.into_iter().zip(descriptors) {
            match what {
                Held::Lock => lock = Some(Lock::handed_over(fd)),
                Held::Control => control = Some(UnixListener::from(fd)),
                Held::Metrics => metrics = Some(TcpListener::from(fd)),
                Held::Router => router.push(TcpListener::from(fd)),
                Held::Given => given.push(TcpListener::from(fd)),
                Held::Former(pid) => formers.push((pid, fd)),
            }
        }
        let missing = || invalid("the agent that runs kept its lock or its socket".to_owned());
        let lock = lock.ok_or_else(missing)?;
        let control = control.ok_or_else(missing)?;
        Ok(Some(Self { channel, from, lock, control, metrics, router, given, formers, upstreams }))
    }
}

/// Says that this agent could begin, and waits until it may.
pub(crate) async fn take(channel: Channel, from: u32) -> io::Result<Taken> {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    if channel.send(&FromNew::Ready { version }, &[]).await.is_err() {
        return Ok(Taken::Fallen);
    }
    match next(&channel).await? {
        Some((FromOld::Yours, _)) => {}
        Some((other, _)) => return Err(invalid(format!("the agent that runs said {other:?}"))),
        None => return Ok(Taken::Fallen),
    }
    // Before anything else: until this is said, the old one may still go on.
    if channel.send(&FromNew::Mine, &[]).await.is_err() {
        return Ok(Taken::Fallen);
    }
    Ok(Taken::From(from, channel))
}

async fn next(channel: &Channel) -> io::Result<Option<(FromOld, Vec<OwnedFd>)>> {
    tokio::time::timeout(NEXT, channel.receive()).await.unwrap_or_else(|_| {
        let why = format!("the agent that runs said nothing for {} s", NEXT.as_secs());
        Err(io::Error::new(io::ErrorKind::TimedOut, why))
    })
}

fn invalid(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
