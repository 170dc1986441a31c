use proptest::prelude::*;

use super::*;

fn take(text: &str, method: &Method) -> Result<Option<(Head, Bytes)>, NoAnswer> {
    let mut bytes = Bytes::copy_from_slice(text.as_bytes());
    Ok(Head::take(&mut bytes, method)?.map(|head| (head, bytes)))
}

/// Where the body of an answer with these fields ends, and whether its connection is kept.
fn ends(first: &str, fields: &str, method: &Method) -> Result<(Body, bool), NoAnswer> {
    let (head, rest) = take(&format!("{first}\r\n{fields}\r\n\r\n"), method)?.expect("complete");
    assert!(rest.is_empty());
    Ok((head.body, head.keep))
}

#[test]
fn a_head_says_where_its_body_ends_and_whether_the_connection_is_kept() {
    const OK: &str = "HTTP/1.1 200 OK";
    const OLD: &str = "HTTP/1.0 200 OK";
    let chunked = Body::Chunked(Chunk::Size);
    for (first, fields, expected) in [
        (OK, "content-length: 7", Ok((Body::Fixed(7), true))),
        (OK, "content-length: 7\r\ncontent-length: 7", Ok((Body::Fixed(7), true))),
        (OK, "content-length: 7, 7", Ok((Body::Fixed(7), true))),
        (OK, "content-length: 7\r\ncontent-length: 8", Err(NoAnswer)),
        (OK, "content-length: +7", Err(NoAnswer)),
        (OK, "content-length:", Err(NoAnswer)),
        (OK, "content-length: 9999999999999999999", Err(NoAnswer)),
        (OK, "content-length: \u{e9}", Err(NoAnswer)),
        (OK, "content-length: 7\r\nconnection: close", Ok((Body::Fixed(7), false))),
        (
            OK,
            "content-length: 7\r\nconnection: x, Close\r\nconnection: keep-alive",
            Ok((Body::Fixed(7), false)),
        ),
        (OK, "transfer-encoding: Chunked", Ok((chunked, true))),
        (OK, "transfer-encoding: gzip\r\ntransfer-encoding: chunked", Ok((chunked, true))),
        (OK, "transfer-encoding: chunked, gzip", Ok((Body::UntilClose, true))),
        (OK, "transfer-encoding: chunked\r\ncontent-length: 7", Ok((chunked, false))),
        (OK, "x: y", Ok((Body::UntilClose, true))),
        (OLD, "content-length: 7", Ok((Body::Fixed(7), false))),
        (OLD, "content-length: 7\r\nconnection: Keep-Alive", Ok((Body::Fixed(7), true))),
        (OLD, "transfer-encoding: chunked", Err(NoAnswer)),
        ("HTTP/1.1 204 No Content", "content-length: 7", Ok((Body::Fixed(0), true))),
        ("HTTP/1.1 304 Not Modified", "transfer-encoding: chunked", Ok((Body::Fixed(0), true))),
        ("HTTP/1.1 101 Switching Protocols", "upgrade: x", Ok((Body::Fixed(0), false))),
        ("HTTP/2 200 OK", "content-length: 7", Err(NoAnswer)),
        ("ICY 200 OK", "content-length: 7", Err(NoAnswer)),
    ] {
        assert_eq!(ends(first, fields, &Method::GET), expected, "{first} {fields}");
    }
    assert_eq!(ends(OK, "content-length: 7", &Method::HEAD), Ok((Body::Fixed(0), true)));
}

#[test]
fn of_two_ways_to_end_only_the_one_that_counts_is_passed_on() {
    let text = "HTTP/1.1 200 OK\r\ncontent-length: 7\r\ntransfer-encoding: chunked\r\n\r\n";
    let (head, _) = take(text, &Method::GET).expect("an answer").expect("complete");
    assert!(!head.response.headers().contains_key(header::CONTENT_LENGTH));
}

#[test]
fn answers_before_the_final_one_are_left_out() {
    let text =
        "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 418 Short\r\ncontent-length: 1\r\n\r\nab";
    let (head, rest) = take(text, &Method::GET).expect("an answer").expect("complete");
    assert_eq!((head.response.status().as_u16(), &rest[..]), (418, &b"ab"[..]));
    assert!(!head.response.headers().contains_key("link"));
    assert_eq!(head.response.extensions().get::<ReasonPhrase>().expect("its own").as_bytes(), b"Short");
    let first = text.find("HTTP/1.1 418").expect("there");
    for end in 0..text.len() - 2 {
        assert!(take(&text[..end], &Method::GET).expect("no nonsense").is_none(), "after {end} bytes");
    }
    assert!(first > 0);
}

#[test]
fn a_head_that_never_ends_is_none() {
    let text = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(HEAD));
    assert_eq!(take(&text, &Method::GET).expect_err("too long"), NoAnswer);
    let text = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(FIELDS + 1));
    assert_eq!(take(&text, &Method::GET).expect_err("too many fields"), NoAnswer);
}

/// What a body is that arrives in pieces of this size; `None` where it has no end yet.
fn body(mut body: Body, text: &[u8], size: usize) -> Result<(Vec<u8>, HeaderMap, Option<Bytes>), NoAnswer> {
    let (mut data, mut trailers, mut held) = (Vec::new(), HeaderMap::new(), Bytes::new());
    let mut pieces = text.chunks(size);
    loop {
        match body.take(&mut held)? {
            Part::Data(part) => {
                assert!(!part.is_empty(), "a part has something in it");
                data.extend_from_slice(&part);
            }
            Part::Trailers(read) => trailers = read,
            Part::End => {
                return Ok((
                    data,
                    trailers,
                    Some([&held[..], &pieces.collect::<Vec<_>>().concat()].concat().into()),
                ));
            }
            Part::More => match pieces.next() {
                Some(piece) => held = [&held[..], piece].concat().into(),
                None => return Ok((data, trailers, None)),
            },
        }
    }
}

const CHUNKS: &[u8] = b"3;a=\"b\"\r\nabc\r\n00A  \r\n0123456789\r\n0\r\nx-sum: 1\r\n\r\nrest";

#[test]
fn chunks_are_joined_in_whatever_pieces_they_arrive() {
    for size in 1..CHUNKS.len() {
        let (data, trailers, rest) = body(Body::Chunked(Chunk::Size), CHUNKS, size).expect("sound");
        assert_eq!(data, b"abc0123456789", "in pieces of {size}");
        assert_eq!(trailers["x-sum"], "1");
        assert_eq!(rest.as_deref(), Some(&b"rest"[..]));
    }
    let (data, trailers, rest) = body(Body::Chunked(Chunk::Size), b"0\r\n\r\n", 2).expect("sound");
    assert_eq!((data, trailers.len(), rest), (Vec::new(), 0, Some(Bytes::new())));
}

#[test]
fn a_body_that_breaks_off_has_no_end() {
    let whole = CHUNKS.len() - b"rest".len();
    for end in 0..whole {
        let (.., rest) = body(Body::Chunked(Chunk::Size), &CHUNKS[..end], 7).expect("sound so far");
        assert_eq!(rest, None, "after {end} bytes");
    }
    let (data, _, rest) = body(Body::Fixed(5), b"abcd", 3).expect("sound");
    assert_eq!((&data[..], rest), (&b"abcd"[..], None));
    let (data, _, rest) = body(Body::UntilClose, b"abcd", 3).expect("sound");
    assert_eq!((&data[..], rest), (&b"abcd"[..], None));
}

#[test]
fn chunks_that_are_none_are_refused() {
    for text in [
        "\r\n",
        "g\r\n",
        "-1\r\n",
        "0x1\r\n",
        "1\n",
        " 1\r\na\r\n",
        "1\r\nab\r\n",
        "1\r\na\n",
        "0\r\nx\r\n\r\n",
    ] {
        assert!(body(Body::Chunked(Chunk::Size), text.as_bytes(), 64).is_err(), "{text:?}");
    }
    let (long, many) = (format!("1;{}", "a".repeat(LINE)), format!("0\r\nx: {}", "a".repeat(TRAILERS)));
    assert!(body(Body::Chunked(Chunk::Size), long.as_bytes(), 1 << 20).is_err());
    assert!(body(Body::Chunked(Chunk::Size), many.as_bytes(), 1 << 20).is_err());
}

proptest! {
    #[test]
    fn pieces_make_no_difference(text in proptest::collection::vec(any::<u8>(), 0..200), size in 1..20_usize) {
        let text = [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", &text[..]].concat();
        let mut whole = Bytes::from(text);
        let head = Head::take(&mut whole, &Method::GET).expect("sound").expect("complete");
        let all = body(head.body, &whole, whole.len().max(1));
        prop_assert_eq!(body(head.body, &whole, size).ok(), all.ok());
    }

    #[test]
    fn no_bytes_make_the_reader_panic(text in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut bytes = Bytes::from([b"HTTP/1.1 2", &text[..]].concat());
        if let Ok(Some(head)) = Head::take(&mut bytes, &Method::GET) {
            let _ = body(head.body, &bytes, 50);
        }
    }
}
