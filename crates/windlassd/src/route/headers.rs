//! Headers on their way through: what concerns only one connection is removed, what the service may trust is written.
//!
//! After RFC 9110, sections 7.2 and 7.6.1, RFC 9112, sections 3.2 and 6, and RFC 7239 (`Forwarded`).

use std::cell::RefCell;
use std::net::IpAddr;

use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode, Uri, Version};

use super::head::Refusal;
use super::tunnel::Protocol;

/// The revision that answered.
pub(super) static REVISION: HeaderName = HeaderName::from_static("x-windlass-revision");

static KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
static PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
static HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");
static FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Who is at the other end of a client connection, as header values.
#[derive(Debug)]
pub(super) struct Peer {
    ip: IpAddr,
    address: HeaderValue,
    node: String,
    scheme: Scheme,
    /// The host that was asked for last, and what `Forwarded` said then: a client seldom asks for another one.
    last: RefCell<Option<(HeaderValue, HeaderValue)>>,
}

/// What a client connection is secured by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    const fn text(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    const fn default_port(self) -> &'static str {
        match self {
            Self::Http => ":80",
            Self::Https => ":443",
        }
    }
}

impl Peer {
    pub(super) fn new(address: IpAddr, scheme: Scheme) -> Self {
        let address = address.to_canonical();
        let node = match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("\"[{address}]\""),
        };
        let ip = address;
        let address = HeaderValue::from_str(&address.to_string()).expect("an address is plain text");
        Self { ip, address, node, scheme, last: RefCell::default() }
    }

    pub(super) const fn ip(&self) -> IpAddr {
        self.ip
    }

    /// What `Forwarded` says of it.
    fn forwarded(&self, host: Option<&HeaderValue>) -> Option<HeaderValue> {
        let (node, scheme) = (&self.node, self.scheme.text());
        let Some(host) = host else {
            return HeaderValue::try_from(format!("for={node};proto={scheme}")).ok();
        };
        if let Some((last, said)) = &*self.last.borrow()
            && last == host
        {
            return Some(said.clone());
        }
        let name = host.to_str().unwrap_or_default();
        let said = HeaderValue::try_from(format!("for={node};host=\"{name}\";proto={scheme}")).ok()?;
        // A copy: the value itself holds on to all that was read with it.
        let last = HeaderValue::from_bytes(host.as_bytes()).ok()?;
        self.last.replace(Some((last, said.clone())));
        Some(said)
    }

    /// Whether nobody between us and it can read along.
    pub(super) fn is_secure(&self) -> bool {
        self.scheme == Scheme::Https
    }
}

/// Whether a connection shall become something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Upgrade {
    /// It stays HTTP.
    No,
    /// The client asks for another protocol.
    Asked(Protocol),
}

/// Makes a client's request one of ours to a service, or says why it is refused.
pub(super) fn to_service(parts: &mut Parts, peer: &Peer) -> Result<Upgrade, Refusal> {
    if parts.method == Method::CONNECT {
        return Err(Refusal { status: StatusCode::NOT_IMPLEMENTED, why: "CONNECT is not served here\n" });
    }
    let host = host(parts, peer.scheme)?;
    let upgrade = upgrade(parts);
    let protocol = parts.headers.get(header::UPGRADE).cloned();
    let trailers = names(&parts.headers, &header::TE, "trailers");
    remove_connection_headers(&mut parts.headers);
    remove_forwarding_claims(&mut parts.headers);
    let headers = &mut parts.headers;
    if let (Upgrade::Asked(_), Some(protocol)) = (upgrade, protocol) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, protocol);
    }
    if trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    if parts.version == Version::HTTP_2 {
        join_cookies(headers);
    }
    headers.insert(FORWARDED_FOR.clone(), peer.address.clone());
    headers.insert(FORWARDED_PROTO.clone(), HeaderValue::from_static(peer.scheme.text()));
    if let Some(forwarded) = peer.forwarded(host.as_ref()) {
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

/// The host that is asked for. The request's target becomes a path: a service is an origin, not a proxy.
fn host(parts: &mut Parts, scheme: Scheme) -> Result<Option<HeaderValue>, Refusal> {
    const BAD: Refusal = Refusal { status: StatusCode::BAD_REQUEST, why: "a request has exactly one Host\n" };
    const TWO: Refusal =
        Refusal { status: StatusCode::BAD_REQUEST, why: "the target and Host name two hosts\n" };
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    let mut host = hosts.next().cloned();
    if hosts.next().is_some() {
        return Err(BAD);
    }
    if let Some(authority) = parts.uri.authority() {
        let bare = |host: &[u8]| {
            let host = host.strip_suffix(scheme.default_port().as_bytes()).unwrap_or(host);
            host.to_ascii_lowercase()
        };
        if host.as_ref().is_some_and(|host| bare(host.as_bytes()) != bare(authority.as_str().as_bytes())) {
            return Err(TWO);
        }
        host = Some(HeaderValue::try_from(authority.as_str()).map_err(|_| BAD)?);
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        parts.uri = Uri::try_from(path).map_err(|_| BAD)?;
    }
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~:[]%!$&'()*+;=".contains(byte);
    match host {
        None if parts.version != Version::HTTP_10 => Err(BAD),
        Some(host) if !host.as_bytes().iter().all(is_plain) => Err(BAD),
        host => Ok(host),
    }
}

/// HTTP/2 may send a cookie in pieces; HTTP/1.1 may not (RFC 9113, section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let mut cookies = headers.get_all(header::COOKIE).iter();
    if let (Some(first), Some(second)) = (cookies.next(), cookies.next()) {
        let mut whole = first.as_bytes().to_vec();
        for cookie in std::iter::once(second).chain(cookies) {
            whole.extend_from_slice(b"; ");
            whole.extend_from_slice(cookie.as_bytes());
        }
        if let Ok(whole) = HeaderValue::from_bytes(&whole) {
            headers.insert(header::COOKIE, whole);
        }
    }
}

/// What may not come after a body: where a message goes, where it ends, and who sent it, were said before it.
pub(super) fn clean_trailers(trailers: &mut HeaderMap) {
    remove_connection_headers(trailers);
    remove_forwarding_claims(trailers);
    for name in [header::CONTENT_LENGTH, header::HOST, header::TRAILER, header::AUTHORIZATION, header::COOKIE]
    {
        trailers.remove(name);
    }
}

/// HTTP/2 over an upgrade is never passed on: what follows it would be routed by nobody.
fn upgrade(parts: &Parts) -> Upgrade {
    let asked = parts.version == Version::HTTP_11
        && names(&parts.headers, &header::CONNECTION, "upgrade")
        && parts.headers.get_all(header::UPGRADE).iter().count() == 1
        && !names(&parts.headers, &header::UPGRADE, "h2c")
        && !parts.headers.contains_key(&HTTP2_SETTINGS);
    match asked {
        true if names(&parts.headers, &header::UPGRADE, "websocket") => Upgrade::Asked(Protocol::WebSocket),
        true => Upgrade::Asked(Protocol::Other),
        false => Upgrade::No,
    }
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
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        // What nearly every message says, and no name of a header that could stay.
        .filter(|option| !option.eq_ignore_ascii_case("keep-alive") && !option.eq_ignore_ascii_case("close"))
        .filter_map(|name| HeaderName::try_from(name).ok())
        // A message does not lose what says where it goes and where it ends.
        .filter(|name| {
            !matches!(*name, header::HOST | header::CONTENT_LENGTH | header::COOKIE | header::AUTHORIZATION)
        })
        .collect();
    for name in named {
        headers.remove(name);
    }
    remove(headers, is_of_connection);
}

/// Whether it says something of one connection, and nothing of the message.
fn is_of_connection(name: &HeaderName) -> bool {
    matches!(
        *name,
        header::CONNECTION
            | header::TRANSFER_ENCODING
            | header::UPGRADE
            | header::TE
            | header::PROXY_AUTHENTICATE
            | header::PROXY_AUTHORIZATION
    ) || [&KEEP_ALIVE, &PROXY_CONNECTION, &HTTP2_SETTINGS].contains(&name)
}

/// What a client says about forwarding is not known to be true.
fn remove_forwarding_claims(headers: &mut HeaderMap) {
    remove(headers, |name| {
        let text = name.as_str();
        is_like(text, "x-forwarded-", Part::Beginning)
            || is_like(text, "x-windlass-", Part::Beginning)
            || is_like(text, "x-real-ip", Part::Whole)
            || *name == header::FORWARDED
    });
}

/// Removes a header, also where its name is only read as the same.
pub(super) fn remove_alike(headers: &mut HeaderMap, name: &HeaderName) {
    remove(headers, |have| is_like(have.as_str(), name.as_str(), Part::Whole));
}

/// Looks at each name once, which costs less than to look for each that may not be there.
fn remove(headers: &mut HeaderMap, is_one: impl Fn(&HeaderName) -> bool) {
    let ones: Vec<HeaderName> = headers.keys().filter(|name| is_one(name)).cloned().collect();
    for name in ones {
        headers.remove(name);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Whole,
    Beginning,
}

/// Some services read `_` as `-`.
fn is_like(name: &str, text: &str, part: Part) -> bool {
    let is_long_enough = match part {
        Part::Whole => name.len() == text.len(),
        Part::Beginning => name.len() >= text.len(),
    };
    is_long_enough
        && name.bytes().zip(text.bytes()).all(|(have, want)| have == want || (have == b'_' && want == b'-'))
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    fn sent(request: hyper::http::request::Builder) -> Result<(Upgrade, Parts), StatusCode> {
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        let peer = Peer::new("203.0.113.7".parse().unwrap(), Scheme::Http);
        to_service(&mut parts, &peer).map(|upgrade| (upgrade, parts)).map_err(|refusal| refusal.status)
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
    fn what_was_said_of_one_host_is_not_said_of_the_next() {
        let peer = Peer::new("203.0.113.7".parse().unwrap(), Scheme::Http);
        for host in ["a", "a", "b", "a"] {
            let (mut parts, ()) = Request::get("/").header("host", host).body(()).unwrap().into_parts();
            to_service(&mut parts, &peer).expect("served");
            let said = format!("for=203.0.113.7;host=\"{host}\";proto=http");
            assert_eq!(parts.headers["forwarded"], said.as_str());
        }
    }

    #[test]
    fn an_ipv6_peer_is_quoted() {
        let peer = Peer::new("2001:db8::1".parse().unwrap(), Scheme::Http);
        assert_eq!(peer.node, "\"[2001:db8::1]\"");
        assert_eq!(Peer::new("::ffff:192.0.2.1".parse().unwrap(), Scheme::Http).node, "192.0.2.1");
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
            (Upgrade::Asked(Protocol::WebSocket), &HeaderValue::from_static("websocket"))
        );
        let (upgrade, parts) = sent(asks("h2c").header("http2-settings", "AAMAAABk")).expect("served");
        assert_eq!(upgrade, Upgrade::No);
        assert!(!parts.headers.contains_key("upgrade") && !parts.headers.contains_key("http2-settings"));
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
    fn an_absolute_target_becomes_a_path_and_names_the_same_host() {
        let to = |host: &str| sent(Request::get("http://Real.example/x?y").header("host", host));
        for host in ["real.example", "REAL.example:80"] {
            let (_, parts) = to(host).expect("served");
            assert_eq!(
                (parts.uri.to_string().as_str(), &parts.headers["host"]),
                ("/x?y", &HeaderValue::from_static("Real.example"))
            );
        }
        for host in ["other", "real.example:81", "real.example:443"] {
            assert_eq!(to(host).unwrap_err(), StatusCode::BAD_REQUEST, "{host}");
        }
    }

    #[test]
    fn http2_becomes_http1() {
        let (_, parts) = sent(
            Request::get("http://shop.example/a")
                .version(Version::HTTP_2)
                .header("cookie", "a=1")
                .header("cookie", "b=2")
                .header("te", "trailers"),
        )
        .expect("served");
        assert_eq!((parts.version, parts.uri.to_string().as_str()), (Version::HTTP_11, "/a"));
        assert_eq!(
            (&parts.headers["host"], &parts.headers["te"]),
            (&HeaderValue::from_static("shop.example"), &HeaderValue::from_static("trailers"))
        );
        let cookies: Vec<_> = parts.headers.get_all("cookie").iter().collect();
        assert_eq!(cookies, ["a=1; b=2"]);
        assert_eq!(sent(Request::get("/").version(Version::HTTP_2)).unwrap_err(), StatusCode::BAD_REQUEST);
    }

    #[test]
    fn trailers_say_nothing_that_a_header_says() {
        let mut trailers = HeaderMap::new();
        for name in ["x-forwarded-for", "content-length", "transfer-encoding", "host", "forwarded", "x-sum"] {
            trailers.insert(HeaderName::from_static(name), HeaderValue::from_static("1"));
        }
        clean_trailers(&mut trailers);
        assert_eq!(trailers.keys().collect::<Vec<_>>(), ["x-sum"]);
    }
}
