//! Asking a target as its users do: one `GET` of its URL on a fresh connection, and which revision answered.

use std::time::Duration;

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use windlass_domain::release::Sequence;

use super::ground::mark;

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(10);

/// The largest answer that is looked at, in bytes.
const LARGEST: usize = 1024 * 1024;

/// Which of these revisions answers at `url`; `None` where none of them is recognised: nobody answers, the answer bears
/// no mark, or the URL is not plain HTTP.
pub(super) async fn who(url: &str, among: &[u64]) -> Option<u64> {
    let text = tokio::time::timeout(LIMIT, get(url)).await.ok().flatten()?;
    among.iter().copied().find(|revision| text.contains(&mark(Sequence(*revision))))
}

async fn get(url: &str) -> Option<String> {
    let url: Uri = url.parse().ok()?;
    if url.scheme_str() != Some("http") {
        return None;
    }
    let host = url.host()?;
    let stream =
        TcpStream::connect((host.trim_matches(['[', ']']), url.port_u16().unwrap_or(80))).await.ok()?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
    let pump = tokio::spawn(connection);
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::get(path).header("host", url.authority()?.as_str());
    let request = request.header("connection", "close").body(Empty::<Bytes>::new()).ok()?;
    let answer = sender.send_request(request).await.ok()?;
    let body = Limited::new(answer.into_body(), LARGEST).collect().await.ok()?.to_bytes();
    pump.abort();
    Some(String::from_utf8_lossy(&body).into_owned())
}
