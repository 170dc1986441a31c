//! The control socket: HTTP/1.1 and JSON for whoever may open it, which is its owner.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use windlass_target::host::control::{Rejected, Shutdown};

use crate::agent::{Agent, End};
use crate::handover::{NotDone, give};
use crate::process::Process;
use crate::{metrics, steps};

/// The largest request, in bytes: a plan with its parameters is some kilobytes.
const LARGEST: usize = 4 * 1024 * 1024;

type Answer = Response<Full<Bytes>>;

/// Makes the socket, mode 0600. The caller holds the root's lock, so that one which lies there is nobody's.
pub(crate) fn bind(path: &Path) -> io::Result<std::os::unix::net::UnixListener> {
    match std::fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    // The folder is 0700, so nobody can connect between these two.
    let listener = std::os::unix::net::UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Answers on the control socket, for ever. Each connection that is there has a copy of `open`.
pub(crate) async fn serve(agent: Arc<Agent>, listener: UnixListener, open: Arc<()>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let caller = caller(&stream);
                let (agent, open) = (Arc::clone(&agent), Arc::clone(&open));
                tokio::spawn(async move {
                    answer_all(agent, stream, Door::Control(caller)).await;
                    drop(open);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept on the control socket");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Answers `GET /metrics` where the place says, for ever.
pub(crate) async fn serve_metrics(agent: Arc<Agent>) {
    let mut addresses = agent.metrics_address();
    loop {
        let address = *addresses.borrow_and_update();
        tokio::select! {
            () = serve_metrics_at(&agent, address) => {}
            changed = addresses.changed() => if changed.is_err() { return },
        }
    }
}

async fn serve_metrics_at(agent: &Arc<Agent>, address: Option<SocketAddr>) {
    let Some(address) = address else { return std::future::pending().await };
    let listener = match agent.doors.listen_for_metrics(address).and_then(TcpListener::from_std) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%address, %error, "cannot serve metrics; trying again");
            return tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(answer_all(Arc::clone(agent), stream, Door::Metrics));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept on the metrics' address");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Where a request came in.
#[derive(Clone, Copy, Debug)]
enum Door {
    /// By the control socket, from this process where it is known.
    Control(Option<Process>),
    /// By the metrics' address, where only they are.
    Metrics,
}

/// The process at the other end; `None` where it has no number here, as across a PID namespace. One that has ended
/// already is still named, by a start that no process has, so that what it claims is void at once.
fn caller(stream: &UnixStream) -> Option<Process> {
    let pid = u32::try_from(stream.peer_cred().ok()?.pid()?).ok().filter(|pid| *pid > 0)?;
    Some(Process::of(pid).unwrap_or(Process { pid, started: 0 }))
}

async fn answer_all<S>(agent: Arc<Agent>, stream: S, door: Door)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let service = service_fn(move |request| {
        let agent = Arc::clone(&agent);
        async move { Ok::<_, Infallible>(answer(agent, door, request).await) }
    });
    // A caller that goes away is no concern of ours.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(agent: Arc<Agent>, door: Door, request: Request<Incoming>) -> Answer {
    let path = request.uri().path().to_owned();
    let holder = match (door, request.method(), path.as_str()) {
        (_, &Method::GET, "/metrics") => {
            let page = metrics::text(&agent).await;
            return text(StatusCode::OK, "text/plain; version=0.0.4", page.into_bytes());
        }
        (Door::Metrics, ..) => return nothing_there(),
        (Door::Control(holder), ..) => holder,
    };
    // What another agent has taken over, it alone answers.
    if let Err(why) = agent.knows() {
        return not_done(&why);
    }
    let result = match (request.method(), path.as_str()) {
        (&Method::GET, "/v1/state") => {
            agent.fleet.measure().await;
            Ok(json(StatusCode::OK, &agent.state()))
        }
        (&Method::GET, "/v1/journal") => agent
            .journal()
            .map(|bytes| text(StatusCode::OK, "application/jsonl", bytes))
            .map_err(NotDone::from),
        (&Method::POST, "/v1/configure") => match body(request).await {
            Ok(configure) => agent.configure(configure).await.map(|state| json(StatusCode::OK, &state)),
            Err(answer) => return answer,
        },
        (&Method::POST, "/v1/claim") => match body(request).await {
            Ok(claim) => agent.claim(&claim, holder).map(|lease| json(StatusCode::OK, &lease)),
            Err(answer) => return answer,
        },
        (&Method::POST, "/v1/release") => match body(request).await {
            Ok(release) => agent.release(&release).map(|()| empty()),
            Err(answer) => return answer,
        },
        (&Method::POST, "/v1/apply") => match body(request).await {
            Ok(apply) => steps::apply(agent, apply).await.map(|applied| json(StatusCode::OK, &applied)),
            Err(answer) => return answer,
        },
        (&Method::POST, "/v1/journal") => match body(request).await {
            Ok(append) => agent.append(append).map(|appended| json(StatusCode::OK, &appended)),
            Err(answer) => return answer,
        },
        (&Method::POST, "/v1/secrets") => match body(request).await {
            Ok(asked) => {
                agent.secrets(asked).await.map(|known| json(StatusCode::OK, &known)).map_err(NotDone::from)
            }
            Err(answer) => return answer,
        },
        (&Method::POST, "/v1/shutdown") => match body::<Shutdown>(request).await {
            Ok(shutdown) => agent.ours().map(|()| {
                agent.end(End::Shutdown(shutdown));
                empty()
            }),
            Err(answer) => return answer,
        },
        (&Method::POST, "/v1/handover") => match body(request).await {
            // It goes on when whoever asked is gone.
            Ok(asked) => tokio::spawn(async move { give(&agent, &asked).await })
                .await
                .unwrap_or_else(|error| {
                    Err(Rejected::Fault { why: format!("handing over broke off: {error}") }.into())
                })
                .map(|handed| json(StatusCode::OK, &handed)),
            Err(answer) => return answer,
        },
        _ => return nothing_there(),
    };
    result.unwrap_or_else(|why| not_done(&why))
}

fn not_done(why: &NotDone) -> Answer {
    match why {
        NotDone::Rejected(rejected) => json(status(rejected), rejected),
        NotDone::AskAgain => {
            let said = b"another agent takes over, and nothing was done: ask again\n".to_vec();
            text(StatusCode::SERVICE_UNAVAILABLE, "text/plain", said)
        }
    }
}

/// The protocol's code for a rejection.
const fn status(rejected: &Rejected) -> StatusCode {
    match rejected {
        Rejected::Fence { .. } | Rejected::Head { .. } => StatusCode::CONFLICT,
        Rejected::Judged { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        Rejected::Fault { .. } => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

async fn body<T: DeserializeOwned>(request: Request<Incoming>) -> Result<T, Answer> {
    let bytes = Limited::new(request.into_body(), LARGEST)
        .collect()
        .await
        .map_err(|error| {
            text(StatusCode::BAD_REQUEST, "text/plain", format!("cannot read the body: {error}\n").into())
        })?
        .to_bytes();
    read(&bytes).map_err(|why| text(StatusCode::BAD_REQUEST, "text/plain", why.into()))
}

/// What a request asks for, or why it cannot be used.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|error| format!("cannot use the body: {error}\n"))
}

fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    let bytes = serde_json::to_vec(value).expect("the protocol's types have only string keys");
    text(status, "application/json", bytes)
}

fn text(status: StatusCode, kind: &'static str, bytes: Vec<u8>) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(bytes)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

fn empty() -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    answer
}

fn nothing_there() -> Answer {
    text(StatusCode::NOT_FOUND, "text/plain", b"there is nothing here\n".to_vec())
}
