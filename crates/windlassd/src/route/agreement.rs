//! Whether the router's own judgement of what a client sends agrees with that of the parser behind it: whatever is
//! found clear here must be read there as the same, byte by byte. Fed by property tests and by `cargo fuzz`.

use hyper::Version;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;

use super::framing::{Framing, Rest, Taken};
use super::head::{Body, Head, Shape};
use super::headers::{Peer, Scheme, clean_trailers, to_service};

/// Checks everything about these bytes.
pub(crate) fn check(bytes: &[u8]) {
    let shape = Head::default().read(bytes);
    if let Ok(Some(shape)) = shape {
        let parts = parsed(bytes, shape);
        passed_on(parts);
    }
    let whole = Framing::new().take(bytes);
    assert!(whole.clear <= bytes.len());
    in_pieces(bytes, whole);
}

/// A clear head, as the parser reads it.
fn parsed(bytes: &[u8], shape: Shape) -> Parts {
    let mut fields = [httparse::EMPTY_HEADER; 100];
    let mut request = httparse::Request::new(&mut fields);
    let status = request.parse(bytes).expect("a clear head is one to the parser");
    assert_eq!(status, httparse::Status::Complete(shape.end), "both end it at the same byte");
    let mut headers = HeaderMap::new();
    let (mut lengths, mut codings, mut hosts) = (Vec::new(), Vec::new(), 0);
    for field in request.headers.iter() {
        let name = HeaderName::try_from(field.name).expect("a clear name is one to hyper");
        let value = HeaderValue::from_bytes(field.value).expect("a clear value is one to hyper");
        match name {
            header::CONTENT_LENGTH => lengths.push(field.value),
            header::TRANSFER_ENCODING => codings.push(field.value),
            header::HOST => hosts += 1,
            _ => {}
        }
        headers.append(name, value);
    }
    match (shape.body, &lengths[..], &codings[..]) {
        (Body::Fixed(0), [], []) => {}
        (Body::Fixed(length), [value], []) => {
            let value = std::str::from_utf8(value).expect("a clear length is text");
            assert_eq!(value.trim().parse(), Ok(length));
        }
        (Body::Chunked, [], [coding]) => assert!(coding.trim_ascii().eq_ignore_ascii_case(b"chunked")),
        other => panic!("the body ends in two ways: {other:?}"),
    }
    let version = if request.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };
    assert!(hosts == 1 || (hosts == 0 && version == Version::HTTP_10));
    assert!(!shape.upgrade || headers.contains_key(header::UPGRADE));
    let (mut parts, ()) = hyper::Request::new(()).into_parts();
    // hyper refuses a target that is none, with a code of its own.
    parts.uri = request.path.and_then(|path| path.parse().ok()).unwrap_or_default();
    parts.headers = headers;
    parts.version = version;
    parts
}

/// What a service gets of a clear head: nothing of one connection, and nothing that the client says about forwarding.
fn passed_on(mut parts: Parts) {
    let peer = Peer::new([203, 0, 113, 7].into(), Scheme::Https);
    let mut trailers = parts.headers.clone();
    clean_trailers(&mut trailers);
    assert!(!trailers.contains_key(header::CONTENT_LENGTH) && !trailers.contains_key(header::HOST));
    let Ok(_) = to_service(&mut parts, &peer) else { return };
    let once = |name: &str| parts.headers.get_all(name).iter().count();
    assert!(once("host") <= 1);
    assert_eq!((once("x-forwarded-for"), once("x-forwarded-proto"), once("forwarded")), (1, 1, 1));
    assert_eq!(parts.headers["x-forwarded-for"], "203.0.113.7");
    assert_eq!(parts.headers["x-forwarded-proto"], "https");
    for gone in
        ["transfer-encoding", "keep-alive", "proxy-connection", "proxy-authorization", "http2-settings"]
    {
        assert_eq!(once(gone), 0, "{gone}");
    }
    for (name, value) in &parts.headers {
        let name = name.as_str().replace('_', "-");
        let is_ours = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"].contains(&name.as_str());
        assert!(is_ours || !name.starts_with("x-forwarded-"), "{name}: {value:?}");
        assert!(!name.starts_with("x-windlass-") && name != "x-real-ip", "{name}: {value:?}");
    }
    assert!(parts.uri.authority().is_none(), "a service gets a path");
}

/// In whatever pieces they arrive, the same is made of the bytes.
fn in_pieces(bytes: &[u8], whole: Taken) {
    for size in [1, 3, 64] {
        let (mut framing, mut held, mut clear) = (Framing::new(), Vec::new(), 0);
        let mut rest = Rest::Head;
        for piece in bytes.chunks(size) {
            held.extend_from_slice(piece);
            let taken = framing.take(&held);
            clear += taken.clear;
            held.drain(..taken.clear);
            rest = taken.rest;
            if matches!(rest, Rest::Refused(_) | Rest::Broken) {
                break;
            }
        }
        match (whole.rest, rest) {
            // Of a body that breaks off, what came before the break was clear already, or was not.
            (Rest::Broken, Rest::Broken) => {}
            _ => assert_eq!((clear, rest), (whole.clear, whole.rest), "in pieces of {size}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;
    use proptest::strategy::ValueTree as _;

    use super::*;

    fn line() -> impl Strategy<Value = String> {
        let name = select(vec![
            "Host",
            "content-length",
            "Content-Length",
            "transfer-encoding",
            "Transfer-Encoding ",
            "connection",
            "upgrade",
            "te",
            "cookie",
            "x-forwarded-for",
            "x_forwarded_for",
            "X-Windlass-Revision",
            "forwarded",
            "x",
            " x",
            "x y",
            "",
            "http2-settings",
            "keep-alive",
            "trailer",
            "expect",
        ]);
        let value = prop_oneof![
            select(vec![
                "a",
                "5",
                "0",
                "5, 5",
                "+5",
                "chunked",
                "Chunked",
                "gzip, chunked",
                "chunked, gzip",
                "close",
                "upgrade, x",
                "websocket",
                "h2c",
                "trailers",
                "a:80",
                "a b",
                "",
                "\t5 ",
                "x-forwarded-for",
                "host",
                "100-continue",
            ])
            .prop_map(str::to_owned),
            "[ -~\t]{0,12}",
            "\\PC{0,4}",
        ];
        let colon = select(vec![":", ": ", " :", ""]);
        (name, colon, value).prop_map(|(name, colon, value)| format!("{name}{colon}{value}"))
    }

    fn request() -> impl Strategy<Value = Vec<u8>> {
        let first = select(vec![
            "GET / HTTP/1.1",
            "POST /a?b HTTP/1.1",
            "POST / HTTP/1.0",
            "GET http://a/x HTTP/1.1",
            "GET * HTTP/1.1",
            "CONNECT a:80 HTTP/1.1",
            "GET  / HTTP/1.1",
            "GET / HTTP/2.0",
            "PRI * HTTP/2.0",
            "GET /\u{e4} HTTP/1.1",
        ]);
        let end = select(vec!["\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r", "\r\r\n", "\r\n "]);
        let body =
            select(vec!["", "5\r\nhello\r\n0\r\n\r\n", "0\r\nx: y\r\n\r\n", "hello", "5;a\r\nhel", "\r\n"]);
        (any::<bool>(), first, prop::collection::vec((line(), end.clone()), 0..6), end, body).prop_map(
            |(has_host, first, lines, end, body)| {
                let host = if has_host { "host: a\r\n" } else { "" };
                let mut text = format!("{first}\r\n{host}");
                for (line, end) in lines {
                    text.push_str(&line);
                    text.push_str(end);
                }
                text.push_str(end);
                text.push_str(body);
                text.into_bytes()
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

        #[test]
        fn what_is_clear_to_us_is_the_same_to_the_parser(requests in prop::collection::vec(request(), 1..3)) {
            check(&requests.concat());
        }

        #[test]
        fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            check(&bytes);
            check(&[b"GET / HTTP/1.1\r\nhost: a\r\nx: ", &bytes[..], b"\r\n\r\n"].concat());
            check(&[b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n", &bytes[..]].concat());
        }
    }

    #[test]
    fn enough_of_what_is_tried_is_clear() {
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let clear = (0..1000).filter(|_| {
            let bytes = request().new_tree(&mut runner).unwrap().current();
            matches!(Head::default().read(&bytes), Ok(Some(_)))
        });
        let clear = clear.count();
        assert!((50..900).contains(&clear), "{clear} of 1000: neither all nor nothing is refused");
    }
}
