//! The channel between two agents of one root: messages, each with its descriptors, over a Unix socket that keeps
//! their bounds and tells when the other end is gone.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixDatagram as StdDatagram;

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::Interest;
use tokio::net::UnixDatagram;

/// So many descriptors fit into one message (`SCM_MAX_FD`).
pub(super) const MOST: usize = 253;

/// The longest message, in bytes.
const LONGEST: usize = 128 * 1024;

/// One end. To tokio it is a socket for datagrams, which it only awaits: unlike one, it tells of the other's end.
#[derive(Debug)]
pub(crate) struct Channel(UnixDatagram);

impl Channel {
    /// A channel, and its other end for the process that is started with it.
    pub(crate) fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        Ok((Self::of(ours)?, theirs))
    }

    /// The end that this descriptor is.
    pub(crate) fn of(end: OwnedFd) -> io::Result<Self> {
        let end = StdDatagram::from(end);
        end.set_nonblocking(true)?;
        Ok(Self(UnixDatagram::from_std(end)?))
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Sends a message whole, with at most [`MOST`] descriptors.
    pub(crate) async fn send(&self, message: &impl Serialize, with: &[BorrowedFd<'_>]) -> io::Result<()> {
        let bytes = serde_json::to_vec(message)?;
        self.0
            .async_io(Interest::WRITABLE, || {
                let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
                let mut control = SendAncillaryBuffer::new(&mut space);
                if !with.is_empty() && !control.push(SendAncillaryMessage::ScmRights(with)) {
                    let why = format!("{} descriptors are more than one message takes", with.len());
                    return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
                }
                sendmsg(&self.0, &[IoSlice::new(&bytes)], &mut control, SendFlags::NOSIGNAL)?;
                Ok(())
            })
            .await
    }

    /// Takes the next message; `None` when the other end is gone and nothing is left.
    pub(crate) async fn receive<T: DeserializeOwned>(&self) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
        let mut bytes = vec![0; LONGEST];
        let (count, with) = self.0.async_io(Interest::READABLE, || take(self.fd(), &mut bytes)).await?;
        if count == 0 {
            return Ok(None);
        }
        Ok(Some((serde_json::from_slice(&bytes[..count])?, with)))
    }
}

fn take(socket: BorrowedFd<'_>, bytes: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let taken = match recvmsg(socket, &mut [IoSliceMut::new(bytes)], &mut control, RecvFlags::CMSG_CLOEXEC) {
        // The other end is gone and left something of ours unread.
        Err(Errno::CONNRESET) => return Ok((0, Vec::new())),
        taken => taken?,
    };
    let mut with = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(fds) = message {
            with.extend(fds);
        }
    }
    if taken.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a message was cut off"));
    }
    Ok((taken.bytes, with))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    #[tokio::test]
    async fn messages_keep_their_bounds_and_their_descriptors() {
        let (ours, theirs) = Channel::pair().unwrap();
        let theirs = Channel::of(theirs).unwrap();
        let (mut read, write) = std::io::pipe().unwrap();
        ours.send(&"first", &[write.as_fd()]).await.unwrap();
        ours.send(&"second", &[]).await.unwrap();
        drop((ours, write));
        let (first, with) = theirs.receive::<String>().await.unwrap().unwrap();
        assert_eq!((first.as_str(), with.len()), ("first", 1));
        for fd in with {
            std::fs::File::from(fd).write_all(b"through").unwrap();
        }
        let mut text = String::new();
        read.read_to_string(&mut text).unwrap();
        assert_eq!(text, "through");
        assert_eq!(theirs.receive::<String>().await.unwrap().unwrap().0, "second");
        assert!(theirs.receive::<String>().await.unwrap().is_none(), "the other end is gone");
        assert!(theirs.send(&"nobody hears", &[]).await.is_err());
    }

    #[tokio::test]
    async fn a_message_with_more_descriptors_than_fit_is_refused_whole() {
        let (ours, theirs) = Channel::pair().unwrap();
        let many = vec![theirs.as_fd(); MOST + 1];
        assert_eq!(ours.send(&0, &many).await.unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
