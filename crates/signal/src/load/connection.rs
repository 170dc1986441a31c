//! One kept-alive connection: asks, reads the whole answer, and says what became of it.

use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::http::uri::PathAndQuery;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::record::{Lost, Meter};

/// The header in which a router says which revision answered.
const REVISION: &str = "x-windlass-revision";

/// What is asked, and of whom.
pub(super) struct Aim {
    pub(super) address: String,
    pub(super) path: PathAndQuery,
    /// The bytes to post and to get back; `None` is a GET.
    pub(super) body: Option<Bytes>,
}

/// A complete answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) revision: Option<String>,
}

/// A connection that is opened when it is needed and kept while the service keeps it.
#[derive(Default)]
pub(super) struct Connection(Option<SendRequest<Full<Bytes>>>);

impl Connection {
    /// Asks once. A kept connection that turns out closed before a byte of the request was written is replaced, as
    /// any client does; a request that was written is never sent again.
    pub(super) async fn ask(&mut self, aim: &Aim, allowed: Duration, meter: &Meter) -> Result<Answer, Lost> {
        // Taken out for the time of the question: whatever is lost on the way takes its connection with it.
        let kept = self.0.take();
        let (sender, answer) =
            timeout(allowed, exchange(kept, aim, meter)).await.map_err(|_| Lost::Timeout)??;
        self.0 = Some(sender);
        Ok(answer)
    }
}

type Sender = SendRequest<Full<Bytes>>;

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
    meter.connected();
    let mut sender = connect(&aim.address).await?;
    let response = sender.try_send_request(unsent).await.map_err(|_| Lost::Broken)?;
    read(response, aim).await.map(|answer| (sender, answer))
}

async fn connect(address: &str) -> Result<Sender, Lost> {
    let stream = TcpStream::connect(address).await.map_err(|_| Lost::Refused)?;
    // A request is one small write; waiting to fill a packet would only add latency. Where it cannot be set, the
    // request still goes out.
    let _ = stream.set_nodelay(true);
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|_| Lost::Broken)?;
    // Its end shows in the exchange that it breaks.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

fn request(aim: &Aim) -> Request<Full<Bytes>> {
    let builder = Request::builder().uri(aim.path.as_str()).header(HOST, &aim.address);
    let built = match &aim.body {
        None => builder.method(Method::GET).body(Full::default()),
        Some(body) => builder
            .method(Method::POST)
            .header(CONTENT_TYPE, "application/octet-stream")
            .body(Full::new(body.clone())),
    };
    built.expect("path and address were parsed when the load began")
}

/// Reads to the answer's very end. An echo is compared as it comes, byte by byte.
async fn read(response: Response<Incoming>, aim: &Aim) -> Result<Answer, Lost> {
    let status = response.status();
    let revision = response.headers().get(REVISION).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut body = response.into_body();
    let mut expected: Option<&[u8]> = aim.body.as_deref().filter(|_| status.is_success());
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Lost::Broken)?;
        if let (Some(left), Some(bytes)) = (expected, frame.data_ref()) {
            expected = Some(left.strip_prefix(&bytes[..]).ok_or(Lost::Altered)?);
        }
    }
    match expected {
        Some([_, ..]) => Err(Lost::Altered),
        Some([]) | None => Ok(Answer { status: status.as_u16(), revision }),
    }
}
