//! The service as its clients see it.

use std::net::SocketAddr;

use tokio::io::AsyncReadExt as _;
use tokio::task::JoinHandle;
use windlass_signal::load::{self, Load, Meter, Receipt, Request};

use super::*;

fn args() -> ServiceArgs {
    ServiceArgs {
        port: 0,
        version_label: "v1".into(),
        fail_rate: FailRate(0),
        start_delay: Duration::ZERO,
        never_ready: false,
        exit_after: None,
    }
}

/// A running service, and the word that stops it.
async fn running(args: ServiceArgs) -> (SocketAddr, watch::Sender<()>, JoinHandle<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, mut stopped) = watch::channel(());
    let served = tokio::spawn(async move {
        let stopped = async move { drop(stopped.changed().await) };
        serve(listener, &args, stopped).await;
    });
    (address, stop, served)
}

/// Sends `request` as it is, and gives the answer until the service closes.
async fn raw(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let answer =
        raw(address, &format!("GET {path} HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n")).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

async fn asked(address: SocketAddr, mix: Vec<Request>, at_most: u64) -> Receipt {
    let load = Load {
        rate_per_second: 2000,
        connections: 8,
        mix,
        at_most,
        ..Load::new(format!("http://{address}"))
    };
    let (_stop, stopped) = watch::channel(false);
    load::run(&load, &Meter::new(), stopped).await.unwrap()
}

#[tokio::test]
async fn pages_answer_with_the_version() {
    let (address, _stop, _served) = running(args()).await;
    assert_eq!(get(address, "/").await, (200, "shop v1\n".into()));
    assert_eq!(get(address, "/healthz").await, (200, "ready\n".into()));
    assert_eq!(get(address, "/slow?ms=1").await, (200, "shop v1 after 1 ms\n".into()));
    for bad in ["/slow", "/slow?ms=", "/slow?ms=-1", "/slow?ms=60001"] {
        assert_eq!(get(address, bad).await.0, 400, "{bad}");
    }
    assert_eq!(get(address, "/nowhere").await.0, 404);
}

#[tokio::test]
async fn echo_gives_back_every_byte() {
    let (address, _stop, _served) = running(args()).await;
    let big: Vec<u8> =
        (0..3_000_000_u32).map(|index| index.to_le_bytes()[0] ^ index.to_le_bytes()[1]).collect();
    let mix = vec![Request::Echo("/echo".into(), big.into()), Request::Echo("/echo".into(), Bytes::new())];
    let receipt = asked(address, mix, 10).await;
    assert_eq!((receipt.ok, receipt.failed), (10, 0), "{receipt:?}");
}

#[tokio::test]
async fn fail_rate_fails_every_twentieth_and_never_readiness() {
    let (address, _stop, _served) =
        running(ServiceArgs { fail_rate: fail_rate("5%").unwrap(), ..args() }).await;
    let receipt = asked(address, vec![Request::Get("/".into())], 400).await;
    assert_eq!((receipt.ok, receipt.bad, receipt.failed), (380, 20, 0), "{receipt:?}");
    let receipt = asked(address, vec![Request::Get("/healthz".into())], 40).await;
    assert_eq!((receipt.ok, receipt.bad), (40, 0));
}

#[tokio::test]
async fn never_ready_answers_but_is_not_ready() {
    let (address, _stop, _served) = running(ServiceArgs { never_ready: true, ..args() }).await;
    assert_eq!(get(address, "/healthz").await.0, 503);
    assert_eq!(get(address, "/").await.0, 200);
}

#[tokio::test]
async fn upgraded_connection_echoes() {
    let (address, _stop, _served) = running(args()).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let ask = "GET /tunnel HTTP/1.1\r\nhost: shop\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    for word in ["heave", "ho"] {
        stream.write_all(word.as_bytes()).await.unwrap();
        let mut back = vec![0; word.len()];
        stream.read_exact(&mut back).await.unwrap();
        assert_eq!(back, word.as_bytes());
    }
    stream.shutdown().await.unwrap();
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0, "the tunnel ends with its client");
}

#[tokio::test]
async fn answer_under_way_ends_before_the_service_does() {
    let (address, stop, served) = running(args()).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /slow?ms=300 HTTP/1.1\r\nhost: shop\r\n\r\n").await.unwrap();
    // The answer to a later request on another connection shows that the first was read.
    assert_eq!(get(address, "/slow?ms=50").await.0, 200);
    stop.send(()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("after 300 ms\n"), "{answer:?}");
    served.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "it no longer listens");
}

#[test]
fn share_of_failures_is_exact_over_any_run() {
    for (rate, of, expected) in [("0%", 1000, 0), ("5%", 1000, 50), ("0.1%", 1000, 1), ("100%", 1000, 1000)] {
        let rate = fail_rate(rate).unwrap();
        assert_eq!((1..=of).filter(|count| rate.fails(*count)).count(), expected, "{rate:?}");
    }
    assert_eq!(
        (1..=60).filter(|count| fail_rate("5%").unwrap().fails(*count)).collect::<Vec<_>>(),
        [20, 40, 60]
    );
}

#[test]
fn wrong_flags_are_refused() {
    for bad in ["", "5", "%", "-1%", "101%", "NaN%", "five%"] {
        assert!(fail_rate(bad).is_err(), "{bad:?}");
    }
    for bad in ["", "5", "ms", "s", "-1s", "1.5s", "1m"] {
        assert!(span(bad).is_err(), "{bad:?}");
    }
    assert_eq!(span("250ms"), Ok(Duration::from_millis(250)));
    assert_eq!(span("2s"), Ok(Duration::from_secs(2)));
}
