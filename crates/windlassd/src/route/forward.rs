//! One request: a revision is chosen, an instance is asked, its answer is passed back.

use std::convert::Infallible;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1;
use hyper::header::{self, HeaderValue};
use hyper::{Request, Response, StatusCode, Version};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::body::{Outgoing, Source, Upload};
use super::direct::{self, Asked};
use super::downstream::{Downstream, Exchange, Order, Upload as State};
use super::flight::{Cause, Flight};
use super::head::Refusal;
use super::headers::{self, Peer, Upgrade};
use super::local::Local;
use super::pool::Borrowed;
use super::sticky::Choice;
use super::table::{Lane, Upstream};
use super::testers::Asked as AskedFor;
use super::tunnel::Handoff;

/// How long an instance on this host may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// Answers one request. It begins at once, not when the answer is first asked for: whoever keeps the client's bytes
/// counts requests as they are handed on.
pub(super) fn forward(
    local: Rc<Local>,
    peer: Rc<Peer>,
    downstream: &Rc<Downstream>,
    request: Request<Incoming>,
) -> impl Future<Output = Result<Response<Outgoing>, Infallible>> + use<> {
    let (exchange, refusal) = Exchange::begin(downstream);
    async move {
        let mut response = match refusal {
            Some(refusal) => refuse(&local, refusal, exchange),
            None => answer(&local, &peer, exchange, request).await,
        };
        // A client that is told so does not ask again on this connection; one that finds it closed might have.
        if local.is_parting() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response)
    }
}

async fn answer(
    local: &Rc<Local>,
    peer: &Peer,
    exchange: Exchange,
    request: Request<Incoming>,
) -> Response<Outgoing> {
    let (mut parts, body) = request.into_parts();
    let table = local.table();
    let settings = table.settings();
    if let Some(access) = &settings.access {
        exchange.downstream().note(access.note(peer.ip(), &parts.method, parts.uri.path()));
    }
    let asked = settings.testers.as_ref().and_then(|testers| testers.asked(&parts.headers));
    if let Some(header) = settings.testers_header() {
        headers::remove_alike(&mut parts.headers, header);
    }
    let upgrade = match headers::to_service(&mut parts, peer) {
        Ok(upgrade) => upgrade,
        Err(refusal) => return refuse(local, refusal, exchange),
    };
    let limit = settings.limits.body;
    if limit.is_some_and(|limit| body.size_hint().lower() > limit) {
        return refuse(local, LARGE, exchange);
    }
    let body = Upload::new(body, exchange.downstream(), limit);
    let asked_for = Asking { request: Request::from_parts(parts, body), upgrade, exchange };
    match asked {
        None => {}
        Some(AskedFor::Nonsense) => return own(StatusCode::NOT_FOUND, NO_REVISION, asked_for.exchange),
        Some(AskedFor::Revision(revision)) => {
            let Some(lane) = table.lane(revision).filter(|lane| !lane.upstreams.is_empty()) else {
                return own(StatusCode::NOT_FOUND, NO_REVISION, asked_for.exchange);
            };
            return ask_each(local, std::iter::once(lane), asked_for, Cause::Tester).await;
        }
    }
    let sticky = settings.sticky.as_ref();
    let choice =
        sticky.map_or(Choice::Turn, |sticky| sticky.choice(asked_for.request.headers(), local.keys()));
    match choice {
        Choice::Turn => ask_each(local, table.lanes_for(local.next_point()), asked_for, Cause::Weight).await,
        Choice::Key(key) => ask_each(local, table.lanes_of(key), asked_for, Cause::Weight).await,
        Choice::NewKey(key) => {
            let mut response = ask_each(local, table.lanes_of(key), asked_for, Cause::Weight).await;
            let cookie = sticky.and_then(|sticky| sticky.set_cookie(key, peer.is_secure()));
            if let Some(cookie) = cookie {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            response
        }
    }
}

/// What a tester is told who asks for a revision that cannot answer.
const NO_REVISION: &str = "no instance of such a revision is ready here\n";

/// A request that was found to be in order.
struct Asking {
    request: Request<Upload>,
    upgrade: Upgrade,
    exchange: Exchange,
}

/// Asks one revision after the other until one answers.
async fn ask_each<'a>(
    local: &Rc<Local>,
    mut lanes: impl Iterator<Item = &'a Lane>,
    Asking { mut request, upgrade, exchange }: Asking,
    cause: Cause,
) -> Response<Outgoing> {
    let downstream = Rc::clone(exchange.downstream());
    let begin = |lane: &Lane| Flight::begin(&lane.tally, local.index(), lane.revision, cause, &downstream);
    let Some(mut lane) = lanes.next() else {
        let mut flight = Flight::begin(local.nowhere(), local.index(), NOBODY, cause, &downstream);
        flight.failed();
        return own(StatusCode::SERVICE_UNAVAILABLE, "nothing is released here\n", exchange);
    };
    let mut flight = begin(lane);
    loop {
        request.body_mut().count_in(&flight);
        let asked = in_time(&downstream, ask(local, lane, request, upgrade, &flight)).await;
        let Some(asked) = asked else { return late(flight, exchange) };
        match asked {
            Outcome::Answered(response) => {
                return pass_back(lane, Answer { response, flight, exchange }, upgrade);
            }
            Outcome::Broken => return broken(flight, exchange),
            Outcome::Unsent(back) => request = *back,
        }
        let Some(next) = lanes.next() else { break };
        lane = next;
        std::mem::replace(&mut flight, begin(lane)).pass();
        flight.shard().retries.up();
        // The flight that was passed on has cleared it.
        downstream.serve(Some(lane.revision));
    }
    flight.failed();
    own(StatusCode::SERVICE_UNAVAILABLE, "no instance is ready\n", exchange)
}

/// What requests are counted under that no revision is there for.
const NOBODY: windlass_domain::release::Sequence = windlass_domain::release::Sequence(0);

const LARGE: Refusal = Refusal { status: StatusCode::PAYLOAD_TOO_LARGE, why: "the body is too large\n" };

/// What comes of it; `None` when the worker says that it has taken too long.
async fn in_time<T>(downstream: &Downstream, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    std::future::poll_fn(|cx| {
        if downstream.is_ordered(Order::Late) {
            return Poll::Ready(None);
        }
        work.as_mut().poll(cx).map(Some)
    })
    .await
}

#[expect(
    clippy::large_enum_variant,
    reason = "there is one a request, of its usual kind, and a box costs more"
)]
enum Outcome {
    /// The instance answers.
    Answered(Response<Source>),
    /// Nothing of the request was sent.
    Unsent(Box<Request<Upload>>),
    /// It was sent, at least in part, and no answer came.
    Broken,
}

/// Asks the lane's instances in turn, each at most once, beginning with an idle connection where there is one. A
/// request of which something was sent is never sent again.
async fn ask(
    local: &Rc<Local>,
    lane: &Lane,
    mut request: Request<Upload>,
    upgrade: Upgrade,
    flight: &Flight,
) -> Outcome {
    let count = lane.upstreams.len();
    let turn = local.turn(lane.revision);
    let is_one_way = request.body().is_end_stream() && upgrade == Upgrade::No;
    for tried in 0..count {
        let upstream = lane.upstreams[(turn + tried) % count];
        if tried > 0 {
            flight.shard().retries.up();
        }
        set_host(&mut request, upstream);
        flight.asks(upstream.address);
        let outcome = if is_one_way {
            ask_one_way(local, upstream, request, flight).await
        } else {
            ask_both_ways(local, upstream, request, flight).await
        };
        match outcome {
            Outcome::Unsent(back) => request = *back,
            outcome @ (Outcome::Answered(_) | Outcome::Broken) => return outcome,
        }
    }
    Outcome::Unsent(Box::new(request))
}

async fn ask_one_way(
    local: &Rc<Local>,
    upstream: Upstream,
    request: Request<Upload>,
    flight: &Flight,
) -> Outcome {
    let idle = local.lines().take(upstream.id);
    let ways = [idle.map(Way::Idle), Some(Way::New)];
    for (tried, way) in ways.into_iter().flatten().enumerate() {
        if tried > 0 {
            flight.shard().retries.up();
        }
        let line = match way {
            Way::Idle(line) => Some(line),
            Way::New => connect(upstream).await.map(|stream| local.line(upstream.id, stream)),
        };
        let Some(line) = line else { break };
        match direct::ask(line, &request).await {
            Asked::Answered(response) => return Outcome::Answered(response.map(Source::Line)),
            Asked::Broken => return Outcome::Broken,
            Asked::Unsent => {}
        }
    }
    Outcome::Unsent(Box::new(request))
}

async fn ask_both_ways(
    local: &Rc<Local>,
    upstream: Upstream,
    mut request: Request<Upload>,
    flight: &Flight,
) -> Outcome {
    let idle = local.pool().take(upstream.id);
    let ways = [idle.map(Way::Idle), Some(Way::New)];
    for (tried, way) in ways.into_iter().flatten().enumerate() {
        if tried > 0 {
            flight.shard().retries.up();
        }
        let connection = match way {
            Way::Idle(connection) => Some(connection),
            Way::New => shake_hands(local, upstream).await,
        };
        let Some(mut connection) = connection else { break };
        match connection.connection().try_send_request(request).await {
            Ok(response) => {
                return Outcome::Answered(response.map(|body| Source::Hyper(body, Some(connection))));
            }
            Err(mut error) => match error.take_message() {
                Some(back) => request = back,
                None => return Outcome::Broken,
            },
        }
    }
    Outcome::Unsent(Box::new(request))
}

enum Way<C> {
    Idle(Borrowed<C>),
    New,
}

async fn connect(upstream: Upstream) -> Option<TcpStream> {
    let stream = tokio::time::timeout(CONNECT, TcpStream::connect(upstream.address)).await.ok()?.ok()?;
    stream.set_nodelay(true).ok()?;
    Some(stream)
}

async fn shake_hands(local: &Rc<Local>, upstream: Upstream) -> Option<Borrowed<http1::SendRequest<Upload>>> {
    let (sender, connection) = http1::handshake(TokioIo::new(connect(upstream).await?)).await.ok()?;
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

struct Answer {
    response: Response<Source>,
    flight: Flight,
    exchange: Exchange,
}

fn pass_back(lane: &Lane, answer: Answer, upgrade: Upgrade) -> Response<Outgoing> {
    let Answer { mut response, mut flight, exchange } = answer;
    let status = response.status();
    if status == StatusCode::SWITCHING_PROTOCOLS {
        let Upgrade::Asked(protocol) = upgrade else {
            flight.broken();
            drop(flight);
            return own(StatusCode::BAD_GATEWAY, "the service switched protocols unasked\n", exchange);
        };
        headers::to_client(response.headers_mut(), status, &lane.tag);
        let service = hyper::upgrade::on(&mut response);
        flight.upgraded();
        let downstream = Rc::clone(exchange.downstream());
        downstream.hand_off(Handoff { service, protocol, flight, exchange });
        return Response::from_parts(response.into_parts().0, Outgoing::handed_off());
    }
    flight.answered(status);
    // Ours, whatever the service speaks.
    *response.version_mut() = Version::HTTP_11;
    headers::to_client(response.headers_mut(), status, &lane.tag);
    let (parts, source) = response.into_parts();
    if source.is_end_stream() {
        drop((source, flight));
        return Response::from_parts(parts, Outgoing::text("", exchange));
    }
    Response::from_parts(parts, Outgoing::stream(source, flight, exchange))
}

/// No answer came, and some of the request was sent.
fn broken(mut flight: Flight, exchange: Exchange) -> Response<Outgoing> {
    let (status, why) = match exchange.downstream().upload() {
        State::Flowing | State::Awaited => {
            flight.broken();
            drop(flight);
            return own(StatusCode::BAD_GATEWAY, "the service broke the connection\n", exchange);
        }
        State::Broken => (StatusCode::BAD_REQUEST, "the request's body breaks off\n"),
        State::Large => (LARGE.status, LARGE.why),
    };
    flight.refused(status);
    drop(flight);
    ending(status, why, exchange)
}

/// The time for it is over: the client's fault where it has not sent all of its request, else the service's.
fn late(mut flight: Flight, exchange: Exchange) -> Response<Outgoing> {
    if exchange.downstream().upload() == State::Awaited {
        let Refusal { status, why } = Refusal::LATE;
        flight.refused(status);
        drop(flight);
        return ending(status, why, exchange);
    }
    flight.late();
    drop(flight);
    ending(StatusCode::GATEWAY_TIMEOUT, "the service took too long to answer\n", exchange)
}

/// An answer of our own to a request that is not clear. What follows on the connection may be a part of it that
/// somebody wants to pass for a request, so nothing that follows is read.
fn refuse(local: &Local, refusal: Refusal, exchange: Exchange) -> Response<Outgoing> {
    local.door().refused();
    ending(refusal.status, refusal.why, exchange)
}

/// An answer of our own, after which the connection ends.
fn ending(status: StatusCode, text: &'static str, exchange: Exchange) -> Response<Outgoing> {
    let mut response = own(status, text, exchange);
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// An answer of our own.
fn own(status: StatusCode, text: &'static str, exchange: Exchange) -> Response<Outgoing> {
    let mut response = Response::new(Outgoing::text(text, exchange));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}
