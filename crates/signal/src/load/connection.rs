//! One kept-alive connection: asks, reads the whole answer, and says what became of it.

use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, UPGRADE};
use hyper::http::uri::PathAndQuery;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::record::{Lost, Meter};
use super::tunnel;

/// The header in which a router says which revision answered.
const REVISION: &str = "x-windlass-revision";

/// What is asked, and of whom.
pub(super) struct Aim {
    pub(super) address: String,
    pub(super) path: PathAndQuery,
    pub(super) ask: Ask,
}

/// How it is asked.
pub(super) enum Ask {
    Get,
    /// By POST of these bytes, which must come back.
    Echo(Bytes),
    /// By an upgrade, over which these bytes go to and fro for so long.
    Tunnel(Bytes, Duration),
}

/// A complete answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) revision: Option<String>,
    /// When it was there, where that is not now.
    pub(super) at: Option<Instant>,
}

/// A connection that is opened when it is needed and kept while the service keeps it.
#[derive(Default)]
pub(super) struct Connection(Option<Sender>);

impl Connection {
    /// Asks once. A kept connection that turns out closed before a byte of the request was written is replaced, as
    /// any client does; a request that was written is never sent again.
    pub(super) async fn ask(&mut self, aim: &Aim, allowed: Duration, meter: &Meter) -> Result<Answer, Lost> {
        if let Ask::Tunnel(bytes, kept) = &aim.ask {
            return timeout(allowed + *kept, tunnel::keep(aim, bytes, *kept, meter))
                .await
                .unwrap_or(Err(Lost::Timeout));
        }
        // Taken out for the time of the question: whatever is lost on the way takes its connection with it.
        let kept = self.0.take();
        let (sender, answer) =
            timeout(allowed, exchange(kept, aim, meter)).await.map_err(|_| Lost::Timeout)??;
        self.0 = Some(sender);
        Ok(answer)
    }
}

pub(super) type Sender = SendRequest<Full<Bytes>>;

async fn exchange(kept: Option<Sender>, aim: &Aim, meter: &Meter) -> Result<(Sender, Answer), Lost> {
    let mut unsent = request(aim);
    if let Some(mut sender) = kept
        && sender.ready().await.is_ok()
    {
        match sender.try_send_request(unsent).await {
            Ok(response) => return read(response, aim).await.map(|answer| (sender, answer)),
            Err(mut error) => match error.take_message() {
                Some(message) => unsent = message,
                None => return Err(Lost::Broken),
            },
        }
    }
    let mut sender = connect(&aim.address, meter).await?;
    let response = sender.try_send_request(unsent).await.map_err(|_| Lost::Broken)?;
    read(response, aim).await.map(|answer| (sender, answer))
}

/// Opens a connection, which can be upgraded.
pub(super) async fn connect(address: &str, meter: &Meter) -> Result<Sender, Lost> {
    meter.connected();
    let stream = TcpStream::connect(address).await.map_err(|_| Lost::Refused)?;
    // A request is one small write; waiting to fill a packet would only add latency. Where it cannot be set, the
    // request still goes out.
    let _ = stream.set_nodelay(true);
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|_| Lost::Broken)?;
    // Its end shows in the exchange that it breaks.
    tokio::spawn(async move { drop(connection.with_upgrades().await) });
    Ok(sender)
}

pub(super) fn request(aim: &Aim) -> Request<Full<Bytes>> {
    let builder = Request::builder().uri(aim.path.as_str()).header(HOST, &aim.address);
    let built = match &aim.ask {
        Ask::Get => builder.body(Full::default()),
        Ask::Echo(body) => builder
            .method(Method::POST)
            .header(CONTENT_TYPE, "application/octet-stream")
            .body(Full::new(body.clone())),
        Ask::Tunnel(..) => {
            builder.header(CONNECTION, "upgrade").header(UPGRADE, "echo").body(Full::default())
        }
    };
    built.expect("path and address were parsed when the load began")
}

/// Reads to the answer's very end. An echo is compared as it comes, byte by byte.
pub(super) async fn read(response: Response<Incoming>, aim: &Aim) -> Result<Answer, Lost> {
    let status = response.status();
    let revision = revision(&response);
    let mut body = response.into_body();
    let mut expected: Option<&[u8]> = match &aim.ask {
        Ask::Echo(body) if status.is_success() => Some(body),
        Ask::Get | Ask::Echo(_) | Ask::Tunnel(..) => None,
    };
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Lost::Broken)?;
        if let (Some(left), Some(bytes)) = (expected, frame.data_ref()) {
            expected = Some(left.strip_prefix(&bytes[..]).ok_or(Lost::Altered)?);
        }
    }
    match expected {
        Some([_, ..]) => Err(Lost::Altered),
        Some([]) | None => Ok(Answer { status: status.as_u16(), revision, at: None }),
    }
}

/// Which revision answered, where a router says so.
pub(super) fn revision(response: &Response<Incoming>) -> Option<String> {
    response.headers().get(REVISION)?.to_str().ok().map(str::to_owned)
}
