//! The load against small services that answer well, badly, late, wrongly or not at all.

use std::convert::Infallible;
use std::sync::atomic::AtomicBool;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

type Asked = hyper::Request<Incoming>;

/// Serves each request, numbered from 0, by `answer`.
async fn serve<F, A>(answer: F) -> String
where
    F: Fn(u64, Asked) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response<Full<Bytes>>> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let count = Arc::new(AtomicU64::new(0));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (answer, count) = (answer.clone(), Arc::clone(&count));
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let index = count.fetch_add(1, Ordering::Relaxed);
                    let answer = answer.clone();
                    async move { Ok::<_, Infallible>(answer(index, request).await) }
                });
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await
            });
        }
    });
    url
}

/// Serves each connection by `talk`, which need not speak HTTP.
async fn serve_raw<A>(talk: fn(TcpStream) -> A) -> String
where
    A: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(talk(stream));
        }
    });
    url
}

async fn echo(request: Asked) -> Response<Full<Bytes>> {
    let body = request.into_body().collect().await.unwrap().to_bytes();
    Response::new(Full::new(body))
}

fn small(url: String, at_most: u64) -> Load {
    Load {
        rate_per_second: 1000,
        connections: 4,
        at_most,
        timeout: Duration::from_millis(500),
        ..Load::new(url)
    }
}

async fn receipt(load: &Load) -> Receipt {
    let (_stop, stopped) = watch::channel(false);
    let receipt = run(load, &Meter::new(), stopped).await.unwrap();
    assert_eq!(receipt.sent, receipt.ok + receipt.bad + receipt.failed, "{receipt:?}");
    assert_eq!(receipt.in_flight, 0);
    receipt
}

#[tokio::test]
async fn every_answer_is_counted_by_status_and_revision() {
    let url = serve(|index, request| async move {
        let mut response = echo(request).await;
        let revision = if index < 100 { "r1" } else { "r2" };
        response.headers_mut().insert("x-windlass-revision", revision.parse().unwrap());
        if index >= 100 && index % 20 == 0 {
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        }
        response
    })
    .await;
    let receipt = receipt(&small(url, 200)).await;
    assert_eq!((receipt.sent, receipt.ok, receipt.bad, receipt.failed, receipt.unsent), (200, 195, 5, 0, 0));
    assert_eq!(receipt.by_status, [(200, 195), (500, 5)].into());
    let (old, new) = (&receipt.by_revision["r1"], &receipt.by_revision["r2"]);
    assert_eq!((old.sent, old.bad, new.sent, new.bad), (100, 0, 100, 5));
    assert_eq!(receipt.lost_on_the_way(), 0, "a 5xx that names its revision is the service's own");
    assert!(new.first_bad_ms.unwrap() >= old.first_ms && new.first_bad_ms <= new.last_bad_ms, "{receipt:?}");
    assert!(old.latency.unwrap().p50_ms > 0.0);
    assert!(receipt.connections <= 4, "connections are kept alive: {receipt:?}");
}

#[tokio::test]
async fn refusal_by_a_router_is_lost_on_the_way() {
    let url = serve(|index, request| async move {
        let mut response = echo(request).await;
        if index == 7 {
            *response.status_mut() = StatusCode::BAD_GATEWAY;
        }
        response
    })
    .await;
    let receipt = receipt(&small(url, 20)).await;
    assert_eq!((receipt.bad, receipt.failed, receipt.lost_on_the_way()), (1, 0, 1));
}

#[tokio::test]
async fn nobody_listening_is_refused() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let receipt = receipt(&small(format!("http://127.0.0.1:{port}"), 20)).await;
    assert_eq!((receipt.failed, receipt.ok), (20, 0));
    assert_eq!(receipt.lost, [(Lost::Refused, 20)].into());
    assert_eq!(receipt.latency, None);
    assert!(receipt.gap_ms >= receipt.lasted_ms.saturating_sub(1), "never a good answer: {receipt:?}");
}

#[tokio::test]
async fn truncated_answer_is_broken() {
    let url = serve_raw(|mut stream| async move {
        let _ = stream.read(&mut [0; 4096]).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await;
    })
    .await;
    let load = Load { mix: vec![Request::Get("/".into())], ..small(url, 10) };
    assert_eq!(receipt(&load).await.lost, [(Lost::Broken, 10)].into());
}

#[tokio::test]
async fn connection_closed_without_an_answer_is_broken_and_not_sent_again() {
    let url = serve_raw(|mut stream| async move {
        let _ = stream.read(&mut [0; 4096]).await;
    })
    .await;
    let receipt = receipt(&small(url, 10)).await;
    assert_eq!(receipt.lost, [(Lost::Broken, 10)].into());
    assert_eq!(receipt.connections, 10);
}

#[tokio::test]
async fn answer_that_never_comes_is_a_timeout() {
    let url = serve_raw(|mut stream| async move {
        let mut sink = vec![0; 4096];
        while stream.read(&mut sink).await.is_ok_and(|count| count > 0) {}
    })
    .await;
    let load = Load { timeout: Duration::from_millis(50), ..small(url, 8) };
    assert_eq!(receipt(&load).await.lost, [(Lost::Timeout, 8)].into());
}

#[tokio::test]
async fn echo_of_other_bytes_is_altered() {
    for wrong in ["", "anchor", "anchors", "anchored, and more"] {
        let url = serve(move |_, _| async move { Response::new(Full::new(Bytes::from(wrong))) }).await;
        let mix = vec![Request::Echo("/echo".into(), Bytes::from_static(b"anchored"))];
        let receipt = receipt(&Load { mix, ..small(url, 5) }).await;
        assert_eq!(receipt.lost, [(Lost::Altered, 5)].into(), "{wrong:?}");
    }
}

/// Upgrades to an echo that gives back only the first `good` bytes unaltered.
async fn serve_tunnel(good: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                let answer = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\nx-windlass-revision: r3\r\n\r\n";
                stream.write_all(answer).await.unwrap();
                let mut left = good;
                while let Ok(byte) = stream.read_u8().await {
                    let byte = if left == 0 { byte ^ 1 } else { byte };
                    left = left.saturating_sub(1);
                    stream.write_u8(byte).await.unwrap();
                }
            });
        }
    });
    url
}

#[tokio::test]
async fn tunnel_is_kept_and_every_byte_comes_back() {
    let kept = Duration::from_millis(100);
    let mix = vec![Request::Tunnel("/".into(), Bytes::from_static(b"heave"), kept)];
    let receipt = receipt(&Load { mix, ..small(serve_tunnel(usize::MAX).await, 4) }).await;
    assert_eq!((receipt.ok, receipt.failed), (4, 0), "{receipt:?}");
    assert_eq!((receipt.by_status.get(&101), receipt.by_revision["r3"].sent), (Some(&4), 4));
    assert!(receipt.lasted_ms >= 100, "{receipt:?}");
    assert!(receipt.latency.unwrap().max_ms < 90.0, "latency is the upgrade's: {receipt:?}");
}

#[tokio::test]
async fn tunnel_that_alters_or_breaks_or_is_not_one_is_lost() {
    let mix = vec![Request::Tunnel("/".into(), Bytes::from_static(b"heave"), Duration::from_millis(30))];
    let load = |url| Load { mix: mix.clone(), ..small(url, 3) };
    assert_eq!(receipt(&load(serve_tunnel(2).await)).await.lost, [(Lost::Altered, 3)].into());
    let plain = serve(|_, request| echo(request)).await;
    assert_eq!(receipt(&load(plain)).await.lost, [(Lost::Altered, 3)].into());
    let cut = serve_raw(|mut stream| async move {
        let _ = stream.read(&mut [0; 4096]).await;
        let _ =
            stream.write_all(b"HTTP/1.1 101 OK\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nheave").await;
    })
    .await;
    assert_eq!(receipt(&load(cut)).await.lost, [(Lost::Broken, 3)].into());
}

#[tokio::test]
async fn service_that_closes_after_each_answer_loses_nothing() {
    let url = serve(|_, request| async move {
        let mut response = echo(request).await;
        response.headers_mut().insert("connection", "close".parse().unwrap());
        response
    })
    .await;
    let receipt = receipt(&small(url, 50)).await;
    assert_eq!((receipt.ok, receipt.failed), (50, 0), "{receipt:?}");
    assert!(receipt.connections >= 50, "{receipt:?}");
}

#[tokio::test]
async fn stall_counts_for_every_request_that_fell_due_meanwhile() {
    let url = serve(|index, request| async move {
        if index == 10 {
            tokio::time::sleep(Duration::from_millis(400)).await;
        }
        echo(request).await
    })
    .await;
    let load =
        Load { rate_per_second: 100, connections: 1, timeout: Duration::from_secs(2), ..small(url, 60) };
    let receipt = receipt(&load).await;
    assert_eq!((receipt.sent, receipt.failed), (60, 0));
    // Ten requests before it, then forty that waited for 400, 390, 380 … ms: the median is one of those.
    assert!(receipt.latency.unwrap().p50_ms > 50.0, "coordinated omission: {receipt:?}");
    assert!(receipt.gap_ms >= 400, "{receipt:?}");
}

#[tokio::test]
async fn backlog_is_given_up_and_counted() {
    let url = serve(|_, request| async move {
        tokio::time::sleep(Duration::from_millis(100)).await;
        echo(request).await
    })
    .await;
    let lasting = Duration::from_millis(200);
    let load = Load { rate_per_second: 1000, connections: 1, timeout: lasting, lasting, ..small(url, 1000) };
    let receipt = receipt(&load).await;
    assert_eq!(receipt.sent + receipt.unsent, 200, "{receipt:?}");
    assert!(receipt.unsent > 150 && receipt.lasted_ms < 2_000, "{receipt:?}");
}

#[tokio::test]
async fn word_to_stop_ends_it_and_the_answers_under_way_are_waited_for() {
    let slow = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&slow);
    let url = serve(move |_, request| {
        let slow = Arc::clone(&switch);
        async move {
            if slow.load(Ordering::Relaxed) {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            echo(request).await
        }
    })
    .await;
    let (stop, stopped) = watch::channel(false);
    let meter = Meter::new();
    let load = Load { rate_per_second: 200, connections: 32, ..small(url, 1_000_000) };
    let running = tokio::spawn({
        let meter = meter.clone();
        async move { run(&load, &meter, stopped).await.unwrap() }
    });
    while meter.receipt().ok < 20 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    slow.store(true, Ordering::Relaxed);
    while meter.receipt().in_flight == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stop.send(true).unwrap();
    let receipt = running.await.unwrap();
    assert_eq!((receipt.in_flight, receipt.failed, receipt.sent), (0, 0, receipt.ok), "{receipt:?}");
    // On a busy machine some are due already when it stops, but of a million never a second's worth.
    assert!(receipt.unsent < 200, "nothing falls due after the stop: {receipt:?}");
    assert_eq!(meter.receipt(), receipt, "a finished load no longer changes");
}

#[tokio::test]
async fn wrong_load_is_refused_before_anything_is_sent() {
    let good = || Load::new("http://127.0.0.1:1");
    let cases = [
        Load::new("https://127.0.0.1:1"),
        Load::new("127.0.0.1:1"),
        Load::new("http://127.0.0.1:1/path"),
        Load::new("http://[::1"),
        Load::new(""),
        Load { rate_per_second: 0, ..good() },
        Load { rate_per_second: 50_001, ..good() },
        Load { connections: 0, ..good() },
        Load { connections: 1025, ..good() },
        Load { mix: Vec::new(), ..good() },
        Load { mix: vec![Request::Get("no-slash".into())], ..good() },
        Load { mix: vec![Request::Tunnel("/".into(), Bytes::new(), Duration::ZERO)], ..good() },
        Load { mix: vec![Request::Get("/a b\r\n".into())], ..good() },
        Load { at_most: 0, ..good() },
        Load { lasting: Duration::ZERO, ..good() },
        Load { timeout: Duration::ZERO, ..good() },
    ];
    for load in cases {
        let (_stop, stopped) = watch::channel(false);
        let meter = Meter::new();
        assert!(run(&load, &meter, stopped).await.is_err(), "{load:?}");
        assert_eq!(meter.receipt(), Receipt::default());
    }
}
