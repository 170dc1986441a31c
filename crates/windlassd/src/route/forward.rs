//! One request: a revision is chosen, an instance is asked, its answer is passed back.

use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1;
use hyper::header::{self, HeaderValue};
use hyper::upgrade::OnUpgrade;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::body::{Outgoing, Upload};
use super::flight::{Downstream, Flight};
use super::headers::{self, Peer, Upgrade};
use super::pool::Borrowed;
use super::table::{Lane, Upstream};
use super::worker::Local;

/// How long an instance on this host may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// Answers one request.
pub(super) async fn forward(
    local: Rc<Local>,
    peer: Rc<Peer>,
    downstream: Rc<Downstream>,
    mut request: Request<Incoming>,
) -> Result<Response<Outgoing>, Infallible> {
    let client = hyper::upgrade::on(&mut request);
    let (mut parts, body) = request.into_parts();
    let upgrade = match headers::to_service(&mut parts, &peer) {
        Ok(upgrade) => upgrade,
        Err((status, why)) => return Ok(refuse(status, why)),
    };
    let table = local.table();
    let lanes = table.lanes_for(local.next_point());
    let Some(first) = lanes.first() else {
        let mut flight = Flight::begin(local.nowhere(), local.index(), NOBODY, &downstream);
        flight.failed();
        return Ok(own(StatusCode::SERVICE_UNAVAILABLE, "nothing is released here\n"));
    };
    let broken = Rc::new(Cell::new(false));
    let mut request = Request::from_parts(parts, Upload::new(body, &broken));
    let mut flight = Flight::begin(&first.tally, local.index(), first.revision, &downstream);
    for (index, lane) in lanes.iter().enumerate() {
        if index > 0 {
            let next = Flight::begin(&lane.tally, local.index(), lane.revision, &downstream);
            std::mem::replace(&mut flight, next).pass();
            flight.shard().retries.up();
            // The flight that was passed on has cleared it.
            downstream.serve(lane.revision);
        }
        match ask(&local, lane, request, &flight).await {
            Asked::Answered(response, connection) => {
                return Ok(pass_back(&local, lane, response, connection, flight, (upgrade, client)));
            }
            Asked::Unsent(back) => request = *back,
            Asked::Broken => {
                if !broken.get() {
                    flight.broken();
                }
                return Ok(own(StatusCode::BAD_GATEWAY, "the service broke the connection\n"));
            }
        }
    }
    flight.failed();
    Ok(own(StatusCode::SERVICE_UNAVAILABLE, "no instance is ready\n"))
}

/// What requests are counted under that no revision is there for.
const NOBODY: windlass_domain::release::Sequence = windlass_domain::release::Sequence(0);

enum Asked {
    /// The instance answers.
    Answered(Response<Incoming>, Borrowed),
    /// Nothing of the request was sent.
    Unsent(Box<Request<Upload>>),
    /// It was sent, at least in part, and no answer came.
    Broken,
}

/// Asks the lane's instances in turn, each at most once, beginning with an idle connection where there is one. A
/// request of which something was sent is never sent again.
async fn ask(local: &Rc<Local>, lane: &Lane, mut request: Request<Upload>, flight: &Flight) -> Asked {
    let count = lane.upstreams.len();
    let turn = local.turn(lane.revision);
    for tried in 0..count {
        let upstream = lane.upstreams[(turn + tried) % count];
        set_host(&mut request, upstream);
        let pooled = local.pool().take(upstream.id);
        for connection in [pooled.map(Way::Idle), Some(Way::New)].into_iter().flatten() {
            let connection = match connection {
                Way::Idle(connection) => Some(connection),
                Way::New => connect(local, upstream).await,
            };
            let Some(mut connection) = connection else { break };
            match connection.sender().try_send_request(request).await {
                Ok(response) => return Asked::Answered(response, connection),
                Err(mut error) => match error.take_message() {
                    Some(back) => request = back,
                    None => return Asked::Broken,
                },
            }
            flight.shard().retries.up();
        }
    }
    Asked::Unsent(Box::new(request))
}

enum Way {
    Idle(Borrowed),
    New,
}

async fn connect(local: &Rc<Local>, upstream: Upstream) -> Option<Borrowed> {
    let stream = tokio::time::timeout(CONNECT, TcpStream::connect(upstream.address)).await.ok()?.ok()?;
    stream.set_nodelay(true).ok()?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    tokio::task::spawn_local(connection.with_upgrades());
    Some(local.pool().lend(upstream.id, sender))
}

/// An HTTP/1.0 client need not name a host, an HTTP/1.1 request must.
fn set_host(request: &mut Request<Upload>, upstream: Upstream) {
    if !request.headers().contains_key(header::HOST)
        && let Ok(host) = HeaderValue::try_from(upstream.address.to_string())
    {
        request.headers_mut().insert(header::HOST, host);
    }
}

fn pass_back(
    local: &Rc<Local>,
    lane: &Lane,
    mut response: Response<Incoming>,
    connection: Borrowed,
    mut flight: Flight,
    (asked, client): (Upgrade, OnUpgrade),
) -> Response<Outgoing> {
    let status = response.status();
    if status == StatusCode::SWITCHING_PROTOCOLS && asked == Upgrade::No {
        flight.broken();
        return own(StatusCode::BAD_GATEWAY, "the service switched protocols unasked\n");
    }
    flight.answered(status);
    headers::to_client(response.headers_mut(), status, &lane.tag);
    if status == StatusCode::SWITCHING_PROTOCOLS {
        let service = hyper::upgrade::on(&mut response);
        flight.shard().upgrades.up();
        local.tunnel(lane.revision, client, service, flight);
        let (parts, _) = response.into_parts();
        return Response::from_parts(parts, Outgoing::Text(None));
    }
    let (parts, body) = response.into_parts();
    if body.is_end_stream() {
        connection.give_back();
        drop(flight);
        return Response::from_parts(parts, Outgoing::Text(None));
    }
    Response::from_parts(parts, Outgoing::stream(body, flight, connection))
}

/// An answer of our own to a request that is not clear. What follows on the connection may be a part of it that
/// somebody wants to pass for a request, so nothing that follows is read.
fn refuse(status: StatusCode, text: &'static str) -> Response<Outgoing> {
    let mut response = own(status, text);
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// An answer of our own.
fn own(status: StatusCode, text: &'static str) -> Response<Outgoing> {
    let mut response = Response::new(Outgoing::text(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}
