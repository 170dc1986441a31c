//! Headers on their way through: what concerns only one connection is removed, what the service may trust is written.
//!
//! After RFC 9110, sections 7.2 and 7.6.1, RFC 9112, sections 3.2 and 6, and RFC 7239 (`Forwarded`).

use std::net::IpAddr;

use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode, Uri, Version};

/// The revision that answered.
pub(super) static REVISION: HeaderName = HeaderName::from_static("x-windlass-revision");

static KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
static PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
static HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");
static FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Who is at the other end of a client connection, as header values.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    address: HeaderValue,
    node: String,
}

impl Peer {
    pub(super) fn new(address: IpAddr) -> Self {
        let address = address.to_canonical();
        let node = match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("\"[{address}]\""),
        };
        let address = HeaderValue::from_str(&address.to_string()).expect("an address is plain text");
        Self { address, node }
    }
}

/// Whether a connection shall become something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Upgrade {
    /// It stays HTTP.
    No,
    /// The client asks for another protocol.
    Asked,
}

/// Makes a client's request one of ours to a service, or says why it is refused.
pub(super) fn to_service(parts: &mut Parts, peer: &Peer) -> Result<Upgrade, (StatusCode, &'static str)> {
    if parts.method == Method::CONNECT {
        return Err((StatusCode::NOT_IMPLEMENTED, "CONNECT is not served here\n"));
    }
    framing(&parts.headers)?;
    let host = host(parts)?;
    let upgrade = upgrade(parts);
    let protocol = parts.headers.get(header::UPGRADE).cloned();
    let trailers = names(&parts.headers, &header::TE, "trailers");
    remove_connection_headers(&mut parts.headers);
    remove_forwarding_claims(&mut parts.headers);
    let headers = &mut parts.headers;
    if let (Upgrade::Asked, Some(protocol)) = (upgrade, protocol) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, protocol);
    }
    if trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    let forwarded = match &host {
        Some(host) => format!("for={};host=\"{}\";proto=http", peer.node, host.to_str().unwrap_or_default()),
        None => format!("for={};proto=http", peer.node),
    };
    headers.insert(FORWARDED_FOR.clone(), peer.address.clone());
    headers.insert(FORWARDED_PROTO.clone(), HeaderValue::from_static("http"));
    if let Ok(forwarded) = HeaderValue::try_from(forwarded) {
        headers.insert(header::FORWARDED, forwarded);
    }
    if let Some(host) = host {
        headers.insert(FORWARDED_HOST.clone(), host.clone());
        headers.insert(header::HOST, host);
    }
    parts.version = Version::HTTP_11;
    Ok(upgrade)
}

/// Makes a service's answer one of ours to the client.
pub(super) fn to_client(headers: &mut HeaderMap, status: StatusCode, revision: &HeaderValue) {
    let protocol = headers.get(header::UPGRADE).cloned();
    remove_connection_headers(headers);
    if let (StatusCode::SWITCHING_PROTOCOLS, Some(protocol)) = (status, protocol) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, protocol);
    }
    headers.insert(REVISION.clone(), revision.clone());
}

/// Two ways to say where a body ends are a way to smuggle a second request.
fn framing(headers: &HeaderMap) -> Result<(), (StatusCode, &'static str)> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let Some(coding) = codings.next() else { return Ok(()) };
    if headers.contains_key(header::CONTENT_LENGTH) {
        return Err((StatusCode::BAD_REQUEST, "both Content-Length and Transfer-Encoding\n"));
    }
    if codings.next().is_some() || !coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") {
        return Err((StatusCode::NOT_IMPLEMENTED, "only the transfer coding chunked is served here\n"));
    }
    Ok(())
}

/// The host that is asked for. The request's target becomes a path: a service is an origin, not a proxy.
fn host(parts: &mut Parts) -> Result<Option<HeaderValue>, (StatusCode, &'static str)> {
    const BAD: (StatusCode, &str) = (StatusCode::BAD_REQUEST, "a request has exactly one Host\n");
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    let mut host = hosts.next().cloned();
    if hosts.next().is_some() || (host.is_none() && parts.version == Version::HTTP_11) {
        return Err(BAD);
    }
    if let Some(authority) = parts.uri.authority() {
        host = Some(HeaderValue::try_from(authority.as_str()).map_err(|_| BAD)?);
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        parts.uri = Uri::try_from(path).map_err(|_| BAD)?;
    }
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~:[]%!$&'()*+;=".contains(byte);
    match host {
        Some(host) if !host.as_bytes().iter().all(is_plain) => Err(BAD),
        host => Ok(host),
    }
}

/// HTTP/2 over an upgrade is never passed on: what follows it would be routed by nobody.
fn upgrade(parts: &Parts) -> Upgrade {
    let asked = parts.version == Version::HTTP_11
        && names(&parts.headers, &header::CONNECTION, "upgrade")
        && parts.headers.get_all(header::UPGRADE).iter().count() == 1
        && !names(&parts.headers, &header::UPGRADE, "h2c")
        && !parts.headers.contains_key(&HTTP2_SETTINGS);
    if asked { Upgrade::Asked } else { Upgrade::No }
}

/// Whether a list of words has this one, whatever the case.
fn names(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|part| part.trim().eq_ignore_ascii_case(word))
}

fn remove_connection_headers(headers: &mut HeaderMap) {
    if headers.contains_key(header::CONNECTION) {
        let named: Vec<HeaderName> = headers
            .get_all(header::CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|name| HeaderName::try_from(name.trim()).ok())
            // A message does not lose what says where it goes and where it ends.
            .filter(|name| {
                !matches!(
                    *name,
                    header::HOST | header::CONTENT_LENGTH | header::COOKIE | header::AUTHORIZATION
                )
            })
            .collect();
        for name in named {
            headers.remove(name);
        }
        headers.remove(header::CONNECTION);
    }
    for name in [
        &header::TRANSFER_ENCODING,
        &header::UPGRADE,
        &header::TE,
        &KEEP_ALIVE,
        &PROXY_CONNECTION,
        &header::PROXY_AUTHENTICATE,
        &header::PROXY_AUTHORIZATION,
        &HTTP2_SETTINGS,
    ] {
        headers.remove(name);
    }
}

/// What a client says about forwarding is not known to be true; some services read `_` as `-`.
fn remove_forwarding_claims(headers: &mut HeaderMap) {
    let is_claim = |name: &HeaderName| {
        let name = name.as_str();
        let is_like = |text: &str| {
            name.len() >= text.len()
                && name
                    .bytes()
                    .zip(text.bytes())
                    .all(|(have, want)| have == want || (have == b'_' && want == b'-'))
        };
        is_like("x-forwarded-") || is_like("x-windlass-") || name == "forwarded" || is_like("x-real-ip")
    };
    if headers.keys().any(is_claim) {
        let claims: Vec<HeaderName> = headers.keys().filter(|name| is_claim(name)).cloned().collect();
        for name in claims {
            headers.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    fn sent(request: hyper::http::request::Builder) -> Result<(Upgrade, Parts), StatusCode> {
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        let peer = Peer::new("203.0.113.7".parse().unwrap());
        to_service(&mut parts, &peer).map(|upgrade| (upgrade, parts)).map_err(|(status, _)| status)
    }

    fn get() -> hyper::http::request::Builder {
        Request::get("/a?b").header("host", "shop.example")
    }

    #[test]
    fn spoofed_forwarding_is_replaced() {
        let (_, parts) = sent(
            get()
                .header("x-forwarded-for", "6.6.6.6")
                .header("x_forwarded_for", "6.6.6.6")
                .header("x-forwarded-prefix", "/admin")
                .header("forwarded", "for=6.6.6.6")
                .header("x-real-ip", "6.6.6.6")
                .header("x-windlass-revision", "r9"),
        )
        .expect("served");
        let text = format!("{:?}", parts.headers);
        assert!(!text.contains("6.6.6.6") && !text.contains("admin") && !text.contains("r9"), "{text}");
        assert_eq!(parts.headers["x-forwarded-for"], "203.0.113.7");
        assert_eq!(parts.headers["x-forwarded-host"], "shop.example");
        assert_eq!(parts.headers["x-forwarded-proto"], "http");
        assert_eq!(parts.headers["forwarded"], "for=203.0.113.7;host=\"shop.example\";proto=http");
        assert_eq!(parts.headers["host"], "shop.example");
    }

    #[test]
    fn an_ipv6_peer_is_quoted() {
        let peer = Peer::new("2001:db8::1".parse().unwrap());
        assert_eq!(peer.node, "\"[2001:db8::1]\"");
        assert_eq!(Peer::new("::ffff:192.0.2.1".parse().unwrap()).node, "192.0.2.1");
    }

    #[test]
    fn headers_of_one_connection_end_there() {
        let (upgrade, parts) = sent(
            get()
                .header("connection", "keep-alive, X-Secret, Host, close")
                .header("x-secret", "1")
                .header("keep-alive", "timeout=5")
                .header("te", "trailers, gzip")
                .header("proxy-authorization", "basic x"),
        )
        .expect("served");
        assert_eq!(upgrade, Upgrade::No);
        for gone in ["connection", "x-secret", "keep-alive", "proxy-authorization"] {
            assert!(!parts.headers.contains_key(gone), "{gone}");
        }
        assert_eq!(parts.headers["te"], "trailers");
        assert_eq!(parts.headers["host"], "shop.example");
    }

    #[test]
    fn an_upgrade_is_passed_on_but_never_to_http2() {
        let asks = |protocol: &str| get().header("connection", "Upgrade").header("upgrade", protocol);
        let (upgrade, parts) = sent(asks("websocket")).expect("served");
        assert_eq!(
            (upgrade, &parts.headers["upgrade"]),
            (Upgrade::Asked, &HeaderValue::from_static("websocket"))
        );
        let (upgrade, parts) = sent(asks("h2c").header("http2-settings", "AAMAAABk")).expect("served");
        assert_eq!(upgrade, Upgrade::No);
        assert!(!parts.headers.contains_key("upgrade") && !parts.headers.contains_key("http2-settings"));
    }

    #[test]
    fn two_lengths_are_refused() {
        let both = get().header("transfer-encoding", "chunked").header("content-length", "5");
        assert_eq!(sent(both).unwrap_err(), StatusCode::BAD_REQUEST);
        let gzip = get().header("transfer-encoding", "gzip, chunked");
        assert_eq!(sent(gzip).unwrap_err(), StatusCode::NOT_IMPLEMENTED);
        let twice = get().header("transfer-encoding", "chunked").header("transfer-encoding", "chunked");
        assert_eq!(sent(twice).unwrap_err(), StatusCode::NOT_IMPLEMENTED);
    }

    #[test]
    fn a_request_has_one_plain_host() {
        assert_eq!(sent(Request::get("/")).unwrap_err(), StatusCode::BAD_REQUEST);
        assert_eq!(sent(get().header("host", "other")).unwrap_err(), StatusCode::BAD_REQUEST);
        assert_eq!(sent(Request::get("/").header("host", "a\"b")).unwrap_err(), StatusCode::BAD_REQUEST);
        let (_, parts) = sent(Request::get("/").version(Version::HTTP_10)).expect("HTTP/1.0 needs none");
        assert!(!parts.headers.contains_key("x-forwarded-host"));
    }

    #[test]
    fn an_absolute_target_becomes_a_path() {
        let (_, parts) =
            sent(Request::get("http://real.example/x?y").header("host", "other")).expect("served");
        assert_eq!(parts.uri, "/x?y");
        assert_eq!(parts.headers["host"], "real.example");
    }
}
