//! A service's answer as it came over the wire: its head, and where its body ends.
//!
//! After RFC 9112, section 6.3, and RFC 9110, sections 9.3.2, 15.2 and 15.3.5: what has no body, whatever its head says.

use std::mem::MaybeUninit;

use hyper::body::Bytes;
use hyper::ext::ReasonPhrase;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Response, StatusCode};
use memchr::memchr;

/// The most header or trailer fields.
const FIELDS: usize = 100;

/// The longest head, line of a chunk's size, or trailers, in bytes.
pub(super) const HEAD: usize = 256 * 1024;
const LINE: usize = 16 * 1024;
const TRAILERS: usize = 64 * 1024;

/// The service speaks no HTTP/1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoAnswer;

/// A head that is complete.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) response: Response<()>,
    pub(super) body: Body,
    /// Whether another request may follow on the connection.
    pub(super) keep: bool,
}

/// What of a body is still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// So many bytes.
    Fixed(u64),
    /// Chunks.
    Chunked(Chunk),
    /// Everything until the service closes the connection.
    UntilClose,
}

/// The place in a chunked body (RFC 9112, section 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    /// Before the line with a size.
    Size,
    /// So many bytes of a chunk are to come, and its line's end.
    Data(u64),
    /// Before trailers or the end.
    Last,
    /// After it.
    Over,
}

/// What bytes that arrived hold.
#[derive(Debug, PartialEq)]
pub(super) enum Part {
    /// A part of the body.
    Data(Bytes),
    /// What comes after it.
    Trailers(HeaderMap),
    /// Nothing more comes.
    End,
    /// Nothing until more arrives.
    More,
}

impl Head {
    /// Takes the head of the final answer to a request off `bytes`. Those before it, such as 103, are left out. `None`
    /// while it has not arrived.
    pub(super) fn take(bytes: &mut Bytes, method: &Method) -> Result<Option<Self>, NoAnswer> {
        loop {
            let mut fields = [const { MaybeUninit::uninit() }; FIELDS];
            let mut read = httparse::Response::new(&mut []);
            let parser = httparse::ParserConfig::default();
            let end = match parser.parse_response_with_uninit_headers(&mut read, bytes, &mut fields) {
                Ok(httparse::Status::Complete(end)) => end,
                Ok(httparse::Status::Partial) if bytes.len() < HEAD => return Ok(None),
                Ok(httparse::Status::Partial) | Err(_) => return Err(NoAnswer),
            };
            let status = read.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(NoAnswer)?;
            if status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS {
                let _ = bytes.split_to(end);
                continue;
            }
            let is_new = read.version == Some(1);
            let mut headers = headers(bytes, read.headers)?;
            let body = body(status, method, &headers, is_new)?;
            let mut keep = keeps(&headers, is_new) && status != StatusCode::SWITCHING_PROTOCOLS;
            if matches!(body, Body::Chunked(_)) && headers.remove(header::CONTENT_LENGTH).is_some() {
                // Two ways to end: the chunks count, and nobody is to go by the other one.
                keep = false;
            }
            let mut response = Response::new(());
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            if let Some(reason) = read.reason.filter(|reason| status.canonical_reason() != Some(reason))
                && let Ok(reason) = ReasonPhrase::try_from(reason.as_bytes())
            {
                response.extensions_mut().insert(reason);
            }
            let _ = bytes.split_to(end);
            return Ok(Some(Self { response, body, keep }));
        }
    }
}

fn headers(bytes: &Bytes, fields: &[httparse::Header<'_>]) -> Result<HeaderMap, NoAnswer> {
    let mut headers = HeaderMap::with_capacity(fields.len() + 1);
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| NoAnswer)?;
        let value = HeaderValue::from_maybe_shared(bytes.slice_ref(field.value)).map_err(|_| NoAnswer)?;
        headers.try_append(name, value).map_err(|_| NoAnswer)?;
    }
    Ok(headers)
}

fn keeps(headers: &HeaderMap, is_new: bool) -> bool {
    let has =
        |option: &str| words(headers, &header::CONNECTION).any(|word| word.eq_ignore_ascii_case(option));
    !has("close") && (is_new || has("keep-alive"))
}

fn body(status: StatusCode, method: &Method, headers: &HeaderMap, is_new: bool) -> Result<Body, NoAnswer> {
    let has_none =
        matches!(status, StatusCode::SWITCHING_PROTOCOLS | StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if has_none || method == Method::HEAD {
        return Ok(Body::Fixed(0));
    }
    if headers.contains_key(header::TRANSFER_ENCODING) {
        if !is_new {
            return Err(NoAnswer);
        }
        let last = words(headers, &header::TRANSFER_ENCODING).last();
        return Ok(match last {
            Some(last) if last.eq_ignore_ascii_case("chunked") => Body::Chunked(Chunk::Size),
            Some(_) | None => Body::UntilClose,
        });
    }
    if !headers.contains_key(header::CONTENT_LENGTH) {
        return Ok(Body::UntilClose);
    }
    let mut lengths = words(headers, &header::CONTENT_LENGTH);
    let first = lengths.next().ok_or(NoAnswer)?;
    // The same one twice is allowed (RFC 9110, section 8.6).
    if lengths.any(|other| other != first) { Err(NoAnswer) } else { length(first).map(Body::Fixed) }
}

fn length(text: &str) -> Result<u64, NoAnswer> {
    if text.is_empty() || text.len() > 18 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NoAnswer);
    }
    text.parse().map_err(|_| NoAnswer)
}

fn words<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

impl Body {
    /// Whether nothing more comes.
    pub(super) const fn is_over(self) -> bool {
        matches!(self, Self::Fixed(0) | Self::Chunked(Chunk::Over))
    }

    /// Takes the next part off the bytes that arrived.
    pub(super) fn take(&mut self, bytes: &mut Bytes) -> Result<Part, NoAnswer> {
        match self {
            Self::Fixed(0) => Ok(Part::End),
            Self::Fixed(left) => Ok(data(left, bytes)),
            Self::UntilClose if bytes.is_empty() => Ok(Part::More),
            Self::UntilClose => Ok(Part::Data(std::mem::take(bytes))),
            Self::Chunked(chunk) => chunk.take(bytes),
        }
    }
}

fn data(left: &mut u64, bytes: &mut Bytes) -> Part {
    if bytes.is_empty() {
        return Part::More;
    }
    let here = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
    *left -= here as u64;
    Part::Data(bytes.split_to(here))
}

impl Chunk {
    fn take(&mut self, bytes: &mut Bytes) -> Result<Part, NoAnswer> {
        loop {
            match self {
                Self::Size => {
                    let Some(line) = line(bytes)? else { return Ok(Part::More) };
                    *self = match size(&line)? {
                        0 => Self::Last,
                        size => Self::Data(size),
                    };
                }
                Self::Data(0) => match line(bytes)? {
                    None => return Ok(Part::More),
                    Some(line) if line.is_empty() => *self = Self::Size,
                    Some(_) => return Err(NoAnswer),
                },
                Self::Data(left) => return Ok(data(left, bytes)),
                Self::Last => {
                    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
                    let (end, trailers) = match httparse::parse_headers(bytes, &mut fields) {
                        Ok(httparse::Status::Complete((end, fields))) => (end, headers(bytes, fields)?),
                        Ok(httparse::Status::Partial) if bytes.len() < TRAILERS => return Ok(Part::More),
                        Ok(httparse::Status::Partial) | Err(_) => return Err(NoAnswer),
                    };
                    let _ = bytes.split_to(end);
                    *self = Self::Over;
                    if !trailers.is_empty() {
                        return Ok(Part::Trailers(trailers));
                    }
                }
                Self::Over => return Ok(Part::End),
            }
        }
    }
}

/// Takes a line off, without its end; `None` while it has not arrived whole.
fn line(bytes: &mut Bytes) -> Result<Option<Bytes>, NoAnswer> {
    match memchr(b'\n', bytes) {
        None if bytes.len() < LINE => Ok(None),
        Some(at) if at > 0 && bytes[at - 1] == b'\r' => {
            let line = bytes.split_to(at + 1);
            Ok(Some(line.slice(..at - 1)))
        }
        None | Some(_) => Err(NoAnswer),
    }
}

/// The size that a chunk's line says. Some services write spaces behind it.
fn size(line: &[u8]) -> Result<u64, NoAnswer> {
    let end = memchr(b';', line).unwrap_or(line.len());
    let digits = line[..end].trim_ascii_end();
    if digits.is_empty() || digits.len() > 15 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(NoAnswer);
    }
    std::str::from_utf8(digits).ok().and_then(|digits| u64::from_str_radix(digits, 16).ok()).ok_or(NoAnswer)
}

#[cfg(test)]
mod tests;
