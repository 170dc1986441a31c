//! The demo's service: what its sample repository releases. Small, but behaving as a good service does (readiness,
//! keep-alive, upgrades, a drain at SIGTERM) and able to misbehave on request, in a way that can be counted.

use std::convert::Infallible;
use std::future::pending;
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::Args;
use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue, UPGRADE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncWriteExt as _, copy, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// How long answers under way may take to end after SIGTERM.
const DRAIN: Duration = Duration::from_secs(8);
/// The longest that `/slow?ms=` waits.
const SLOWEST: Duration = Duration::from_secs(60);

/// The flags of the demo's service.
#[derive(Clone, Debug, Args)]
pub struct ServiceArgs {
    /// Listen on this port of 127.0.0.1; 0 picks one and says which
    #[arg(long, value_name = "N")]
    pub port: u16,
    /// Say that this version answers
    #[arg(long, value_name = "TEXT", default_value = "v1")]
    pub version_label: String,
    /// Answer this share of requests with 500: 5% is every twentieth. Readiness is not affected
    #[arg(long, value_name = "PERCENT", default_value = "0%", value_parser = fail_rate)]
    pub fail_rate: FailRate,
    /// Wait before listening, as a slow start does
    #[arg(long, value_name = "SPAN", default_value = "0ms", value_parser = span)]
    pub start_delay: Duration,
    /// Answer /healthz with 503 for ever
    #[arg(long)]
    pub never_ready: bool,
    /// Exit with code 1 so long after the start, as a crash does
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub exit_after: Option<Duration>,
}

/// A share of requests, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailRate(u64);

impl FailRate {
    /// Whether request number `count`, from 1, fails. Over any run of requests the share is kept to within one.
    fn fails(self, count: u64) -> bool {
        let failed_by = |count: u64| u128::from(count) * u128::from(self.0) / 1_000_000;
        failed_by(count) > failed_by(count - 1)
    }
}

/// Serves until SIGTERM or SIGINT, then lets the answers under way end: 0. A port that cannot be had, or
/// `--exit-after`: 1.
#[must_use]
pub fn run(args: &ServiceArgs) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed("cannot start", &error),
    };
    let exit_after = args.exit_after;
    runtime.block_on(async {
        tokio::select! {
            code = start(args) => code,
            () = after(exit_after) => {
                anstream::eprintln!("fatal: exiting, as --exit-after says");
                ExitCode::FAILURE
            }
        }
    })
}

fn failed(what: &str, error: &std::io::Error) -> ExitCode {
    anstream::eprintln!("{what}: {error}");
    ExitCode::FAILURE
}

async fn after(span: Option<Duration>) {
    match span {
        Some(span) => sleep(span).await,
        None => pending().await,
    }
}

async fn start(args: &ServiceArgs) -> ExitCode {
    let (mut terminate, mut interrupt) =
        match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
            (Ok(terminate), Ok(interrupt)) => (terminate, interrupt),
            (Err(error), _) | (_, Err(error)) => return failed("cannot listen to signals", &error),
        };
    sleep(args.start_delay).await;
    let listener = match TcpListener::bind((Ipv4Addr::LOCALHOST, args.port)).await {
        Ok(listener) => listener,
        Err(error) => return failed(&format!("cannot listen on 127.0.0.1:{}", args.port), &error),
    };
    if let Ok(address) = listener.local_addr() {
        anstream::println!("{} listens on {address}", args.version_label);
    }
    let stop = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    serve(listener, args, stop).await;
    ExitCode::SUCCESS
}

/// Serves until `stop`, then for at most [`DRAIN`] lets the answers under way end.
async fn serve(listener: TcpListener, args: &ServiceArgs, stop: impl Future<Output = ()>) {
    let shop = Arc::new(Shop { args: args.clone(), count: AtomicU64::new(0) });
    let (drain, draining) = watch::channel(());
    let mut open = JoinSet::new();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => { open.spawn(connection(stream, Arc::clone(&shop), draining.clone())); }
                // The usual cause is too many open files, which passes; without a pause this would spin.
                Err(_) => sleep(Duration::from_millis(20)).await,
            },
            Some(_) = open.join_next() => {}
        }
    }
    drop((listener, drain));
    // What is still open after that is ended with the process.
    let _ = timeout(DRAIN, open.join_all()).await;
}

async fn connection(stream: TcpStream, shop: Arc<Shop>, mut draining: watch::Receiver<()>) {
    // Small answers must not wait for more; where it cannot be set they still go out.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let shop = Arc::clone(&shop);
        async move { Ok::<_, Infallible>(shop.answer(request).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(served);
    tokio::select! {
        // A client that goes away is no news.
        _ = served.as_mut() => {}
        _ = draining.changed() => {
            served.as_mut().graceful_shutdown();
            let _ = served.await;
        }
    }
}

type Body = Either<Full<Bytes>, Incoming>;

struct Shop {
    args: ServiceArgs,
    count: AtomicU64,
}

impl Shop {
    async fn answer(&self, mut request: Request<Incoming>) -> Response<Body> {
        match (request.method().clone(), request.uri().path()) {
            (Method::GET | Method::HEAD, "/healthz") if self.args.never_ready => {
                text(StatusCode::SERVICE_UNAVAILABLE, "not ready\n".into())
            }
            (Method::GET | Method::HEAD, "/healthz") => text(StatusCode::OK, "ready\n".into()),
            _ if self.args.fail_rate.fails(self.count.fetch_add(1, Ordering::Relaxed) + 1) => {
                text(StatusCode::INTERNAL_SERVER_ERROR, format!("shop {} broke\n", self.args.version_label))
            }
            (Method::GET, _) if asks_for_echo(&request) => {
                tokio::spawn(tunnel(hyper::upgrade::on(&mut request)));
                let mut response = text(StatusCode::SWITCHING_PROTOCOLS, String::new());
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
                response.headers_mut().insert(UPGRADE, HeaderValue::from_static("echo"));
                response.headers_mut().remove(CONTENT_TYPE);
                response
            }
            (Method::GET | Method::HEAD, "/") => {
                text(StatusCode::OK, format!("shop {}\n", self.args.version_label))
            }
            (Method::POST, "/echo") => Response::new(Either::Right(request.into_body())),
            (Method::GET, "/slow") => match slow(request.uri().query()) {
                Some(wait) => {
                    sleep(wait).await;
                    text(
                        StatusCode::OK,
                        format!("shop {} after {} ms\n", self.args.version_label, wait.as_millis()),
                    )
                }
                None => text(StatusCode::BAD_REQUEST, "expected /slow?ms=N\n".into()),
            },
            _ => text(StatusCode::NOT_FOUND, "no such page\n".into()),
        }
    }
}

fn text(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

fn asks_for_echo(request: &Request<Incoming>) -> bool {
    request.headers().get(UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"echo"))
}

/// Sends back whatever comes, until the client ends its half.
async fn tunnel(upgrade: hyper::upgrade::OnUpgrade) {
    let Ok(upgraded) = upgrade.await else { return };
    let (mut from, mut to) = split(TokioIo::new(upgraded));
    // A client that goes away ends the tunnel, and is no news.
    let _ = copy(&mut from, &mut to).await;
    let _ = to.shutdown().await;
}

fn slow(query: Option<&str>) -> Option<Duration> {
    let wait = query?.strip_prefix("ms=")?.parse().ok().map(Duration::from_millis)?;
    (wait <= SLOWEST).then_some(wait)
}

fn fail_rate(text: &str) -> Result<FailRate, String> {
    let expected = || "expected a share from 0% to 100%, such as 5%".to_owned();
    let percent: f64 = text.strip_suffix('%').and_then(|number| number.parse().ok()).ok_or_else(expected)?;
    if !(0.0..=100.0).contains(&percent) {
        return Err(expected());
    }
    Ok(FailRate((percent * 10_000.0).round() as u64))
}

fn span(text: &str) -> Result<Duration, String> {
    let parsed = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(millis), _) => millis.parse().ok().map(Duration::from_millis),
        (None, Some(seconds)) => seconds.parse().ok().map(Duration::from_secs),
        (None, None) => None,
    };
    parsed.ok_or_else(|| "expected milliseconds or seconds, such as 500ms or 2s".to_owned())
}

#[cfg(test)]
mod tests;
