//! A request's head as it came over the wire: judged before anybody parses it.
//!
//! Whoever reads a message's end differently from its neighbour lets a second request be smuggled past it. So nothing
//! is repaired here: what RFC 9112 does not allow, and what it lets a recipient choose about, is refused.

use hyper::StatusCode;
use memchr::memchr;

/// The most header fields of a request.
const MOST: u32 = 100;

/// The most empty lines that may come before a request (RFC 9112, section 2.2, asks for at least one).
const BLANK: u32 = 4;

/// Why a request is refused, and how that is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) why: &'static str,
}

impl Refusal {
    pub(super) const LARGE: Self =
        Self { status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, why: "the header is too large\n" };
    pub(super) const LATE: Self =
        Self { status: StatusCode::REQUEST_TIMEOUT, why: "the request took too long to arrive\n" };

    const fn bad(why: &'static str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, why }
    }
}

/// Where a request's body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// After so many bytes.
    Fixed(u64),
    /// With its last chunk.
    Chunked,
}

/// What a head says of what follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// The head's length with its empty line, in bytes.
    pub(super) end: usize,
    pub(super) body: Body,
    /// Whether another protocol may follow.
    pub(super) upgrade: bool,
}

/// A head that is being read, line by line as it arrives.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// Where the line begins that is not complete yet, and how far it was looked at.
    line: usize,
    seen: usize,
    blank: u32,
    fields: u32,
    version: Option<Version>,
    hosts: u32,
    length: Option<u64>,
    chunked: bool,
    upgrade: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    Http10,
    Http11,
}

impl Head {
    /// Reads on; `bytes` begins where the head does. `None` where its end has not arrived yet.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<Option<Shape>, Refusal> {
        while let Some(found) = memchr(b'\n', &bytes[self.seen..]) {
            let end = self.seen + found;
            let Some((b'\r', line)) = bytes[self.line..end].split_last() else {
                return Err(Refusal::bad("a line ends without a carriage return\n"));
            };
            self.line = end + 1;
            self.seen = end + 1;
            match (self.version, line.is_empty()) {
                (None, true) if self.blank < BLANK => self.blank += 1,
                (None, _) => self.version = Some(request_line(line)?),
                (Some(_), false) => self.field(line)?,
                (Some(version), true) => return self.shape(version).map(Some),
            }
        }
        self.seen = bytes.len();
        Ok(None)
    }

    fn field(&mut self, line: &[u8]) -> Result<(), Refusal> {
        self.fields += 1;
        if self.fields > MOST {
            return Err(Refusal { why: "there are too many header fields\n", ..Refusal::LARGE });
        }
        if matches!(line.first(), Some(b' ' | b'\t')) {
            return Err(Refusal::bad("a header field is folded over several lines\n"));
        }
        let Some(colon) = memchr(b':', line) else {
            return Err(Refusal::bad("a header field has no colon\n"));
        };
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        if !is_token(name) {
            return Err(Refusal::bad("a header field has a name that is none\n"));
        }
        if has_control(value) {
            return Err(Refusal::bad("a header field has a control character in its value\n"));
        }
        // By length first: most fields are none of these.
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => self.hosts += 1,
            7 if name.eq_ignore_ascii_case(b"upgrade") => self.upgrade = true,
            14 if name.eq_ignore_ascii_case(b"content-length") => self.length(value)?,
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => self.coding(value)?,
            _ => {}
        }
        Ok(())
    }

    fn length(&mut self, value: &[u8]) -> Result<(), Refusal> {
        const BAD: Refusal = Refusal::bad("Content-Length is not a length\n");
        let value = value.trim_ascii();
        if value.is_empty() || value.len() > 18 || !value.iter().all(u8::is_ascii_digit) {
            return Err(BAD);
        }
        let length = value.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
        match self.length.replace(length) {
            None => Ok(()),
            Some(_) => Err(Refusal::bad("there is more than one Content-Length\n")),
        }
    }

    fn coding(&mut self, value: &[u8]) -> Result<(), Refusal> {
        const CHUNKED: &[u8] = b"chunked";
        if std::mem::replace(&mut self.chunked, true) {
            return Err(Refusal::bad("there is more than one Transfer-Encoding\n"));
        }
        let is_chunked = |coding: &[u8]| coding.trim_ascii().eq_ignore_ascii_case(CHUNKED);
        let (last, before) = match value.iter().rposition(|byte| *byte == b',') {
            Some(comma) => (&value[comma + 1..], &value[..comma]),
            None => (value, &[][..]),
        };
        if !is_chunked(last) || before.split(|byte| *byte == b',').any(is_chunked) {
            return Err(Refusal::bad("the transfer coding chunked is not the last one, once\n"));
        }
        if !before.is_empty() {
            let status = StatusCode::NOT_IMPLEMENTED;
            return Err(Refusal { status, why: "only the transfer coding chunked is served here\n" });
        }
        Ok(())
    }

    fn shape(&self, version: Version) -> Result<Shape, Refusal> {
        if self.hosts > 1 || (self.hosts == 0 && version == Version::Http11) {
            return Err(Refusal::bad("a request has exactly one Host\n"));
        }
        let body = match (self.chunked, self.length, version) {
            (true, Some(_), _) => {
                return Err(Refusal::bad("both Content-Length and Transfer-Encoding\n"));
            }
            (true, None, Version::Http10) => {
                return Err(Refusal::bad("HTTP/1.0 has no Transfer-Encoding\n"));
            }
            (true, None, Version::Http11) => Body::Chunked,
            (false, length, _) => Body::Fixed(length.unwrap_or(0)),
        };
        Ok(Shape { end: self.line, body, upgrade: self.upgrade && version == Version::Http11 })
    }
}

fn request_line(line: &[u8]) -> Result<Version, Refusal> {
    const BAD: Refusal = Refusal::bad("the request line is not one\n");
    let mut words = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(BAD);
    };
    if !is_token(method) || target.is_empty() || target.iter().any(u8::is_ascii_control) {
        return Err(BAD);
    }
    // The parser behind us takes UTF-8, and nothing else that is not ASCII.
    if std::str::from_utf8(target).is_err() {
        return Err(BAD);
    }
    match version {
        b"HTTP/1.1" => Ok(Version::Http11),
        b"HTTP/1.0" => Ok(Version::Http10),
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            let status = StatusCode::HTTP_VERSION_NOT_SUPPORTED;
            Err(Refusal { status, why: "only HTTP/1.0, HTTP/1.1 and HTTP/2 are served here\n" })
        }
        _ => Err(BAD),
    }
}

/// RFC 9110, section 5.6.2.
fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty()
        && bytes.iter().all(|byte| {
            byte.is_ascii_alphanumeric()
                || matches!(
                    byte,
                    b'-' | b'_'
                        | b'.'
                        | b'!'
                        | b'#'
                        | b'$'
                        | b'%'
                        | b'&'
                        | b'\''
                        | b'*'
                        | b'+'
                        | b'^'
                        | b'`'
                        | b'|'
                        | b'~'
                )
        })
}

/// Without an early end, so that the compiler looks at many bytes at once.
fn has_control(value: &[u8]) -> bool {
    value.iter().fold(false, |bad, byte| bad | ((*byte < b' ') & (*byte != b'\t')) | (*byte == 0x7f))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Shape>, u16> {
        Head::default().read(text.as_bytes()).map_err(|refusal| refusal.status.as_u16())
    }

    fn shape(text: &str) -> Shape {
        read(text).expect("served").expect("complete")
    }

    #[test]
    fn a_head_tells_where_its_body_ends() {
        let get = "GET /a?b HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n";
        assert_eq!(shape(get), Shape { end: get.len(), body: Body::Fixed(0), upgrade: false });
        assert_eq!(shape(&format!("{get}GET")).end, get.len(), "what follows is not its own");
        let post = "POST / HTTP/1.1\r\nhost:a\r\ncontent-length:\t7 \r\n\r\n";
        assert_eq!(shape(post).body, Body::Fixed(7));
        let chunked = "POST / HTTP/1.1\r\nHOST: a\r\nTransfer-Encoding: Chunked\r\n\r\n";
        assert_eq!(shape(chunked).body, Body::Chunked);
        let upgrade = "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
        assert!(shape(upgrade).upgrade);
        assert_eq!(shape("GET / HTTP/1.0\r\n\r\n").body, Body::Fixed(0));
    }

    #[test]
    fn a_head_may_come_in_any_pieces() {
        let text = b"\r\nPOST / HTTP/1.1\r\nhost: a\r\ncontent-length: 7\r\n\r\n";
        let mut head = Head::default();
        for end in 0..text.len() {
            assert_eq!(head.read(&text[..end]), Ok(None), "after {end} bytes");
        }
        assert_eq!(
            head.read(text),
            Ok(Some(Shape { end: text.len(), body: Body::Fixed(7), upgrade: false }))
        );
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        let field = |field: &str| read(&format!("POST / HTTP/1.1\r\nhost: a\r\n{field}\r\n\r\n"));
        for (status, text) in [
            (400, "content-length: 4\r\ncontent-length: 40"),
            (400, "content-length: 4\r\ncontent-length: 4"),
            (400, "content-length: 4, 4"),
            (400, "content-length: +4"),
            (400, "content-length: 0x4"),
            (400, "content-length:"),
            (400, "content-length: 4 4"),
            (400, "content-length: 99999999999999999999"),
            (400, "content-length: 4\r\ntransfer-encoding: chunked"),
            (400, "transfer-encoding: chunked\r\ncontent-length: 4"),
            (400, "transfer-encoding: chunked\r\ntransfer-encoding: chunked"),
            (400, "transfer-encoding: chunked, identity"),
            (400, "transfer-encoding: chunked, chunked"),
            (400, "transfer-encoding: identity"),
            (400, "transfer-encoding: xchunked"),
            (400, "transfer-encoding: \"chunked\""),
            (400, "transfer-encoding: \u{b}chunked"),
            (501, "transfer-encoding: gzip, chunked"),
            (400, "transfer-encoding : chunked"),
            (400, "transfer-encoding\t: chunked"),
            (400, " transfer-encoding: chunked"),
            (400, "x: a\r\n b"),
            (400, "x: a\nb: c"),
            (400, "x: a\rb: c"),
            (400, "x: a\0"),
            (400, "x"),
            (400, ": a"),
            (400, "x y: a"),
            (400, "host: b"),
        ] {
            assert_eq!(field(text).unwrap_err(), status, "{text:?}");
        }
        for (status, text) in [
            (400, "GET / HTTP/1.1\nhost: a\n\n"),
            (400, "GET / HTTP/1.1\r\n\r\n"),
            (400, "GET  / HTTP/1.1\r\nhost: a\r\n\r\n"),
            (400, "GET / a HTTP/1.1\r\nhost: a\r\n\r\n"),
            (400, " GET / HTTP/1.1\r\nhost: a\r\n\r\n"),
            (400, "GET /\tHTTP/1.1\r\nhost: a\r\n\r\n"),
            (400, "GET /\u{1} HTTP/1.1\r\nhost: a\r\n\r\n"),
            (400, "GE(T / HTTP/1.1\r\nhost: a\r\n\r\n"),
            (400, "GET /\r\n\r\n"),
            (400, "GET / HTTP/1.1 \r\nhost: a\r\n\r\n"),
            (400, "GET / http/1.1\r\nhost: a\r\n\r\n"),
            (505, "PRI * HTTP/2.0\r\n\r\n"),
            (400, "POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n"),
            (400, "GET / HTTP/1.0\r\nhost: a\r\nhost: a\r\n\r\n"),
            (400, "\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n"),
        ] {
            assert_eq!(read(text).unwrap_err(), status, "{text:?}");
        }
        let many = "a: b\r\n".repeat(101);
        assert_eq!(field(many.trim_end()).unwrap_err(), 431);
    }
}
