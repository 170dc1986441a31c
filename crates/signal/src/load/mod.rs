//! Load: a constant stream of requests, so that a switch under traffic can be counted instead of believed.
//!
//! The loop is open: request number `n` is due at `n / rate`, whatever became of the ones before. A service that
//! stalls therefore shows in the latency of every request that fell due meanwhile (no coordinated omission), and
//! nothing is skipped in silence: what could not be sent in time is counted as unsent.
//!
//! Knows no target and no CI system; takes when to stop as an argument.

mod connection;
mod record;
mod tunnel;

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::Uri;
use hyper::body::Bytes;
use hyper::http::uri::PathAndQuery;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use self::connection::{Aim, Ask, Connection};
pub use self::record::{Latency, Lost, Meter, Receipt, RevisionCounts, UNLABELLED};

/// A stream of requests, bounded in rate, number and time.
#[derive(Clone, Debug)]
pub struct Load {
    /// Where to: `http://host:port`, without a path.
    pub url: String,
    /// How many requests fall due a second, from 1 to 50,000.
    pub rate_per_second: u32,
    /// How many requests can be under way at once, each on its own kept-alive connection, from 1 to 1,024.
    pub connections: u16,
    /// What is asked, in turn. Never empty.
    pub mix: Vec<Request>,
    /// How long one request may take, connecting included, before it is lost.
    pub timeout: Duration,
    /// When the last request falls due, counted from the start, if nothing stops the load before.
    pub lasting: Duration,
    /// The most requests that are sent.
    pub at_most: u64,
}

/// One kind of request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// GET of this path. Any complete answer counts.
    Get(String),
    /// POST of these bytes to this path. A 2xx answer must be the same bytes.
    Echo(String, Bytes),
    /// A connection of its own, upgraded at this path to the protocol `echo` and kept for so long. Every hundredth of
    /// a second these bytes go and must come back. Its latency is that of the upgrade.
    Tunnel(String, Bytes, Duration),
}

impl Load {
    /// 200 requests a second over 16 connections for at most a minute, each allowed 5 s: three GETs of `/`, then an
    /// echo of 1 KiB at `/echo`.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        let get = || Request::Get("/".into());
        let body: Vec<u8> = (0..=u8::MAX).cycle().take(1024).collect();
        Self {
            url: url.into(),
            rate_per_second: 200,
            connections: 16,
            mix: vec![get(), get(), get(), Request::Echo("/echo".into(), body.into())],
            timeout: Duration::from_secs(5),
            lasting: Duration::from_secs(60),
            at_most: 1_000_000,
        }
    }

    fn aims(&self) -> Result<Vec<Arc<Aim>>, BadLoad> {
        let bad = |what: &'static str| BadLoad { url: self.url.clone(), what };
        if !(1..=50_000).contains(&self.rate_per_second) {
            return Err(bad("the rate is not between 1 and 50,000 requests a second"));
        }
        if !(1..=1024).contains(&self.connections) {
            return Err(bad("the number of connections is not between 1 and 1,024"));
        }
        if self.mix.is_empty() || self.at_most == 0 || self.lasting.is_zero() || self.timeout.is_zero() {
            return Err(bad("there is nothing to send, or no time to send it"));
        }
        let Ok(uri) = self.url.parse::<Uri>() else { return Err(bad("the address is not a URL")) };
        if uri.scheme_str() != Some("http") || !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(bad("the address is not http://host:port"));
        }
        let Some(authority) = uri.authority() else { return Err(bad("the address names no host")) };
        let address = match authority.port_u16() {
            Some(_) => authority.to_string(),
            None => format!("{authority}:80"),
        };
        self.mix
            .iter()
            .map(|request| {
                let (path, ask) = match request {
                    Request::Get(path) => (path, Ask::Get),
                    Request::Echo(path, body) => (path, Ask::Echo(body.clone())),
                    Request::Tunnel(path, bytes, kept) => (path, Ask::Tunnel(bytes.clone(), *kept)),
                };
                if matches!(&ask, Ask::Tunnel(bytes, kept) if bytes.is_empty() || *kept > self.lasting) {
                    return Err(bad("a tunnel has nothing to say, or is kept longer than the load lasts"));
                }
                match path.parse::<PathAndQuery>() {
                    Ok(path) if path.as_str().starts_with('/') => {
                        Ok(Arc::new(Aim { address: address.clone(), path, ask }))
                    }
                    Ok(_) | Err(_) => Err(bad("a path does not begin with / or cannot stand in a request")),
                }
            })
            .collect()
    }
}

/// A load that cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLoad {
    /// The address that was given.
    pub url: String,
    /// What is wrong.
    pub what: &'static str,
}

impl fmt::Display for BadLoad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot send load to {:?}: {}", self.url, self.what)
    }
}

impl Error for BadLoad {}

/// Sends the load until its end, or until `stop` says true or is dropped; then waits for the answers under way, each
/// for its own timeout. `meter` shows the counts meanwhile.
///
/// # Errors
/// [`BadLoad`] where the load itself is wrong; what goes wrong on the way is counted in the receipt.
pub async fn run(load: &Load, meter: &Meter, stop: watch::Receiver<bool>) -> Result<Receipt, BadLoad> {
    let schedule = Arc::new(Schedule {
        aims: load.aims()?,
        start: Instant::now(),
        rate: u64::from(load.rate_per_second),
        lasting: load.lasting,
        at_most: load.at_most,
        timeout: load.timeout,
        next: AtomicU64::new(0),
    });
    meter.begin();
    let mut workers = JoinSet::new();
    for _ in 0..load.connections {
        workers.spawn(work(Arc::clone(&schedule), meter.clone(), stop.clone()));
    }
    let mut watched = stop;
    let mut stopping = tokio::spawn(async move {
        stopped(&mut watched).await;
        Instant::now()
    });
    workers.join_all().await;
    // The answers under way were waited for after the stop, and nothing was to be sent meanwhile.
    let ended = tokio::select! {
        biased;
        Ok(at) = &mut stopping => at,
        () = std::future::ready(()) => Instant::now(),
    };
    stopping.abort();
    meter.end(schedule.due_by(ended));
    Ok(meter.receipt())
}

/// Waits for the word to stop. A dropped sender stops the load too: nobody could stop it any more.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}

/// Which request is due when.
struct Schedule {
    aims: Vec<Arc<Aim>>,
    start: Instant,
    rate: u64,
    lasting: Duration,
    at_most: u64,
    timeout: Duration,
    next: AtomicU64,
}

impl Schedule {
    /// When request number `index`, from 0, falls due; `None` when there is no such request.
    fn due(&self, index: u64) -> Option<Instant> {
        let after = Duration::from_nanos(index.checked_mul(1_000_000_000)? / self.rate);
        (index < self.at_most && after < self.lasting).then(|| self.start + after)
    }

    /// How many requests had fallen due by `instant`.
    fn due_by(&self, instant: Instant) -> u64 {
        let elapsed = instant.saturating_duration_since(self.start).min(self.lasting);
        let whole = elapsed.as_nanos().saturating_mul(u128::from(self.rate)).div_ceil(1_000_000_000);
        u64::try_from(whole).unwrap_or(u64::MAX).min(self.at_most)
    }

    /// When a backlog is given up: what is not sent then stays unsent.
    fn closing(&self) -> Instant {
        self.start + self.lasting + self.timeout
    }
}

/// A worker that was waiting when a request fell due is woken by a timer of 1 ms granularity; so much lateness is
/// the timer's, not the service's.
const TIMER: Duration = Duration::from_millis(2);

/// Sends whatever is due next, one request at a time.
async fn work(schedule: Arc<Schedule>, meter: Meter, mut stop: watch::Receiver<bool>) {
    let mut connection = Connection::default();
    loop {
        let index = schedule.next.fetch_add(1, Ordering::Relaxed);
        let Some(due) = schedule.due(index) else { break };
        tokio::select! {
            biased;
            () = stopped(&mut stop) => break,
            () = sleep_until(due) => {}
        }
        let now = Instant::now();
        if now > schedule.closing() {
            break;
        }
        let from = if now.duration_since(due) <= TIMER { now } else { due };
        let turn = usize::try_from(index).unwrap_or(usize::MAX) % schedule.aims.len();
        meter.sent();
        let answer = connection.ask(&schedule.aims[turn], schedule.timeout, &meter).await;
        meter.ended(from.into_std(), &answer);
    }
}

#[cfg(test)]
mod tests;
