//! Where requests begin and end in what a client sends: the one judge of it, so that whatever parses a head later
//! sees only what was found to be unambiguous.

use super::head::{Body, Head, Refusal};

/// The most of a chunk's extensions, in bytes.
const EXTENSION: u32 = 256;

/// The most of a body's trailers, in bytes.
const TRAILERS: u32 = 16 * 1024;

/// The place in what a client sends.
#[derive(Debug)]
pub(super) struct Framing {
    at: At,
    /// What comes after the body.
    upgrade: bool,
    /// Heads that were complete and clear.
    heads: u64,
}

#[derive(Debug)]
enum At {
    Head(Head),
    Fixed(u64),
    Chunk(Chunk),
    /// After a request for another protocol: what follows is a request only where that was declined.
    Upgrade,
}

/// How far bytes were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    /// So many of them are whole heads and parts of bodies.
    pub(super) clear: usize,
    /// What is with the rest.
    pub(super) rest: Rest,
}

/// What follows the clear bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// Nothing.
    Nothing,
    /// The beginning of a head, to be shown again with what arrives next; or nothing.
    Head,
    /// Perhaps another protocol.
    Upgrade,
    /// A head that is refused.
    Refused(Refusal),
    /// A body that breaks its own rules.
    Broken,
}

impl Framing {
    pub(super) fn new() -> Self {
        Self { at: At::Head(Head::default()), upgrade: false, heads: 0 }
    }

    /// How many heads were clear so far.
    pub(super) const fn heads(&self) -> u64 {
        self.heads
    }

    /// Whether the next byte begins a request.
    pub(super) const fn is_between(&self) -> bool {
        matches!(self.at, At::Head(_))
    }

    /// Whether another protocol may follow.
    pub(super) const fn is_undecided(&self) -> bool {
        matches!(self.at, At::Upgrade)
    }

    /// The request for another protocol was declined: a request may follow.
    pub(super) fn decline(&mut self) {
        if matches!(self.at, At::Upgrade) {
            self.at = At::Head(Head::default());
        }
    }

    /// Reads on.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Taken {
        let mut clear = 0;
        loop {
            let rest = &bytes[clear..];
            match &mut self.at {
                At::Upgrade => return Taken { clear, rest: Rest::Upgrade },
                At::Head(head) => match head.read(rest) {
                    Err(refusal) => return Taken { clear, rest: Rest::Refused(refusal) },
                    Ok(None) => return Taken { clear, rest: Rest::Head },
                    Ok(Some(shape)) => {
                        clear += shape.end;
                        self.heads += 1;
                        self.upgrade = shape.upgrade;
                        self.at = match shape.body {
                            Body::Fixed(length) => At::Fixed(length),
                            Body::Chunked => At::Chunk(Chunk::default()),
                        };
                    }
                },
                At::Fixed(left) => {
                    let here = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    clear += here;
                    *left -= here as u64;
                    if *left > 0 {
                        return Taken { clear, rest: Rest::Nothing };
                    }
                    self.body_is_over();
                }
                At::Chunk(chunk) => match chunk.take(rest) {
                    None => return Taken { clear, rest: Rest::Broken },
                    Some(Chunks::All) => return Taken { clear: bytes.len(), rest: Rest::Nothing },
                    Some(Chunks::Ended(here)) => {
                        clear += here;
                        self.body_is_over();
                    }
                },
            }
        }
    }

    fn body_is_over(&mut self) {
        self.at = if self.upgrade { At::Upgrade } else { At::Head(Head::default()) };
    }
}

/// The place in a chunked body (RFC 9112, section 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chunk {
    Size { size: u64, digits: u8 },
    Extension { size: u64, length: u32 },
    SizeEnd { size: u64 },
    Data(u64),
    DataReturn,
    DataEnd,
    TrailerBegin { length: u32 },
    Trailer { length: u32 },
    TrailerEnd { length: u32 },
    LastEnd,
}

enum Chunks {
    All,
    Ended(usize),
}

impl Default for Chunk {
    fn default() -> Self {
        Self::Size { size: 0, digits: 0 }
    }
}

impl Chunk {
    /// `None` where the bytes are no chunked body.
    fn take(&mut self, bytes: &[u8]) -> Option<Chunks> {
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            if let Self::Data(left) = self {
                let here = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len() - at);
                at += here;
                *left -= here as u64;
                if *left == 0 {
                    *self = Self::DataReturn;
                }
                continue;
            }
            at += 1;
            if *self == Self::LastEnd && *byte == b'\n' {
                return Some(Chunks::Ended(at));
            }
            *self = self.next(*byte)?;
        }
        Some(Chunks::All)
    }

    fn next(self, byte: u8) -> Option<Self> {
        Some(match (self, byte) {
            (Self::Size { size, digits: 1.. }, b'\r') => Self::SizeEnd { size },
            (Self::Size { size, digits: 1.. }, b';') => Self::Extension { size, length: 0 },
            (Self::Size { size, digits: digits @ ..15 }, digit) => {
                let digit = char::from(digit).to_digit(16)?;
                Self::Size { size: size * 16 + u64::from(digit), digits: digits + 1 }
            }
            (Self::Extension { size, .. }, b'\r') => Self::SizeEnd { size },
            (Self::Extension { size, length: length @ ..EXTENSION }, b'\t' | b' '..=b'~' | 0x80..) => {
                Self::Extension { size, length: length + 1 }
            }
            (Self::SizeEnd { size: 0 }, b'\n') => Self::TrailerBegin { length: 0 },
            (Self::SizeEnd { size }, b'\n') => Self::Data(size),
            (Self::DataReturn, b'\r') => Self::DataEnd,
            (Self::DataEnd, b'\n') => Self::default(),
            (Self::TrailerBegin { .. }, b'\r') => Self::LastEnd,
            (Self::TrailerBegin { length: length @ ..TRAILERS }, b'!'..=b'~') => {
                Self::Trailer { length: length + 1 }
            }
            (Self::Trailer { length }, b'\r') => Self::TrailerEnd { length: length + 1 },
            (Self::Trailer { length: length @ ..TRAILERS }, b'\t' | b' '..=b'~' | 0x80..) => {
                Self::Trailer { length: length + 1 }
            }
            (Self::TrailerEnd { length }, b'\n') => Self::TrailerBegin { length: length + 1 },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POST: &str = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";

    fn whole(text: &str) -> (Taken, Framing) {
        let mut framing = Framing::new();
        (framing.take(text.as_bytes()), framing)
    }

    #[test]
    fn requests_follow_each_other() {
        let get = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
        let chunks = "3;a=\"b\"\r\nabc\r\n0\r\nx-end: 1\r\n\r\n";
        let fixed = "PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nGET";
        let text = [get, POST, chunks, fixed, get].concat();
        let (taken, framing) = whole(&text);
        assert_eq!(taken, Taken { clear: text.len(), rest: Rest::Head });
        assert_eq!(framing.heads(), 4);
        assert!(framing.is_between());
    }

    #[test]
    fn pieces_make_no_difference() {
        let text =
            [POST, "A\r\n0123456789\r\n000\r\na: b\r\n\r\n", "GET / HTTP/1.1\r\nhost: a\r\n\r\n"].concat();
        for size in 1..text.len() {
            let (mut framing, mut held, mut clear) = (Framing::new(), Vec::new(), 0);
            for piece in text.as_bytes().chunks(size) {
                held.extend_from_slice(piece);
                let taken = framing.take(&held);
                assert!(matches!(taken.rest, Rest::Nothing | Rest::Head), "{size}: {taken:?}");
                clear += taken.clear;
                held.drain(..taken.clear);
            }
            assert_eq!((clear, framing.heads()), (text.len(), 2), "in pieces of {size}");
        }
    }

    #[test]
    fn a_body_that_two_readers_could_end_differently_is_broken() {
        for body in [
            "\r\n",
            "g\r\n",
            "-1\r\n",
            "+1\r\n",
            "0x1\r\n",
            "1 \r\n",
            " 1\r\n",
            "1\n",
            "1;\n",
            "1;a\nb",
            "1\r\r\n",
            "1\r\nab\r\n",
            "1\r\na\n",
            "1\r\na\rb",
            "0\r\n\n",
            "0\r\na: b\n",
            "0\r\n a: b\r\n",
            "ffffffffffffffffff\r\n",
        ] {
            let (taken, _) = whole(&[POST, body].concat());
            assert_eq!(taken.rest, Rest::Broken, "{body:?}");
        }
    }

    #[test]
    fn after_an_upgrade_only_a_refusal_makes_it_http_again() {
        let ask = "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
        let get = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
        let (taken, mut framing) = whole(&[ask, get].concat());
        assert_eq!(taken, Taken { clear: ask.len(), rest: Rest::Upgrade });
        assert_eq!(framing.take(get.as_bytes()).clear, 0);
        framing.decline();
        assert_eq!(framing.take(get.as_bytes()).clear, get.len());
    }

    #[test]
    fn a_refused_head_is_told_from_what_was_clear_before_it() {
        let get = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
        let (taken, _) = whole(&[get, "GET / HTTP/1.1\r\n\r\n"].concat());
        assert_eq!(taken.clear, get.len());
        assert!(matches!(taken.rest, Rest::Refused(_)));
    }
}
