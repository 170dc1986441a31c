//! Probes and sources against real local servers.

#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use windlass_domain::policy::{Expect, Probe, ProbeKind, Span};
use windlass_domain::release::Sequence;
use windlass_signal::judge::Source;
use windlass_signal::probe::{Answer, attempt};
use windlass_signal::source;

/// A server on a free port that answers every connection by `answer`.
fn serve(answer: impl Fn(&mut TcpStream, &str) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let head = head(&mut stream);
            answer(&mut stream, &head);
        }
    });
    format!("http://{address}")
}

fn head(stream: &mut impl std::io::Read) -> String {
    let mut bytes = Vec::new();
    let mut one = [0];
    while !bytes.ends_with(b"\r\n\r\n") && stream.read(&mut one).unwrap_or(0) == 1 {
        bytes.push(one[0]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn answer(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

fn probe(kind: ProbeKind, expect: Expect, timeout_ms: u64) -> Probe {
    Probe { kind, expect, timeout: Span::millis(timeout_ms), every: Span::seconds(1), failures: 3 }
}

fn ask(probe: &Probe, base: Option<&str>) -> Answer {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(attempt(probe, base))
}

fn get(base: &str, path: &str, expect: Expect) -> Answer {
    ask(&probe(ProbeKind::Http(path.into()), expect, 2_000), Some(base))
}

fn why(answer: Answer) -> String {
    match answer {
        Answer::Good => panic!("it was good"),
        Answer::Bad(why) => why,
        Answer::NotAsked(why) => format!("not asked: {why}"),
    }
}

fn status(status: u16) -> Expect {
    Expect { status: Some(status), contains: None }
}

fn contains(text: &str) -> Expect {
    Expect { status: None, contains: Some(text.into()) }
}

#[test]
fn status_and_text_are_demanded() {
    let base = serve(|stream, head| {
        let response = if head.starts_with("GET /teapot ") {
            answer("418 T", "short")
        } else {
            answer("200 OK", "it is ready")
        };
        let _ = stream.write_all(response.as_bytes());
    });
    assert_eq!(get(&base, "/", Expect::default()), Answer::Good);
    assert_eq!(get(&base, "/teapot", status(418)), Answer::Good);
    assert_eq!(get(&base, "/", contains("ready")), Answer::Good);
    assert_eq!(why(get(&base, "/teapot", Expect::default())), "status 418, expected 2xx");
    assert_eq!(why(get(&base, "/", status(204))), "status 200, expected 204");
    assert!(why(get(&base, "/", contains("steady"))).starts_with("the body does not contain \"steady\""));
}

#[test]
fn redirect_is_followed_on_the_same_host_alone() {
    let elsewhere = serve(|stream, _| {
        let _ = stream.write_all(answer("200 OK", "").as_bytes());
    });
    let base = serve(move |stream, head| {
        let to = if head.starts_with("GET /here ") { "/there".to_owned() } else { elsewhere.clone() };
        let response = if head.starts_with("GET /there ") {
            answer("200 OK", "")
        } else if head.starts_with("GET /loop ") {
            "HTTP/1.1 302 F\r\nlocation: /loop\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned()
        } else {
            format!("HTTP/1.1 302 F\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        };
        let _ = stream.write_all(response.as_bytes());
    });
    assert_eq!(get(&base, "/here", Expect::default()), Answer::Good);
    assert_eq!(why(get(&base, "/away", Expect::default())), "status 302, expected 2xx");
    assert_eq!(why(get(&base, "/loop", Expect::default())), "status 302, expected 2xx");
}

#[test]
fn slow_head_and_slow_body_end_at_the_timeout() {
    let base = serve(|stream, head| {
        if head.starts_with("GET /body ") {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nx");
        }
        std::thread::sleep(Duration::from_secs(3));
    });
    for path in ["/body", "/head"] {
        let begun = Instant::now();
        let answer = ask(&probe(ProbeKind::Http(path.into()), Expect::default(), 300), Some(&base));
        assert!(matches!(answer, Answer::Bad(_)), "{path}: {answer:?}");
        assert!(begun.elapsed() < Duration::from_secs(2), "{path}: {:?}", begun.elapsed());
    }
}

#[test]
fn broken_body_is_no_success() {
    let base = serve(|stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\nconnection: close\r\n\r\nready");
    });
    let why = why(get(&base, "/", contains("ready")));
    assert!(why.starts_with("the body broke off"), "{why}");
}

#[test]
fn huge_body_is_read_up_to_its_cap() {
    let base = serve(|stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nready");
        let chunk = vec![b'x'; 1024 * 1024];
        while stream.write_all(&chunk).is_ok() {}
    });
    assert_eq!(get(&base, "/", contains("ready")), Answer::Good);
    let why = why(get(&base, "/", contains("never")));
    assert!(why.contains("1048576 bytes read"), "{why}");
    assert!(why.chars().count() <= 301, "{}", why.len());
}

#[test]
fn refused_connection_and_unknown_host_are_told_apart() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = why(get(&format!("http://{free}"), "/", Expect::default()));
    assert!(refused.to_lowercase().contains("refused") && !refused.starts_with("not asked"), "{refused}");
    let unknown = why(get("http://no-such-host.invalid", "/", Expect::default()));
    assert!(unknown.starts_with("not asked"), "{unknown}");
    assert_eq!(ask(&probe(ProbeKind::Tcp(free.to_string()), Expect::default(), 500), None), {
        Answer::Bad(format!("cannot connect to {free}: Connection refused (os error 111)"))
    });
    assert!(why(get("http://[", "/", Expect::default())).starts_with("not asked"));
    assert!(
        why(ask(&probe(ProbeKind::Http("/".into()), Expect::default(), 500), None)).starts_with("not asked")
    );
}

#[test]
fn tls_failure_says_so() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let _ = stream.read(&mut [0; 2048]);
            let _ = stream.write_all(b"this is not TLS at all\r\n\r\n");
        }
    });
    let why = why(get(&base.replace("http://", "https://"), "/", Expect::default()));
    assert!(!why.starts_with("not asked"), "{why}");
    assert!(["corrupt", "tls", "TLS", "certificate"].iter().any(|word| why.contains(word)), "{why}");
}

#[test]
fn tcp_connects_to_the_service_where_no_address_is_given() {
    let base = serve(|_, _| {});
    assert_eq!(ask(&probe(ProbeKind::Tcp(String::new()), Expect::default(), 500), Some(&base)), Answer::Good);
}

fn command(line: &str, expect: Expect, timeout_ms: u64) -> Answer {
    let words = vec!["sh".to_owned(), "-c".to_owned(), line.to_owned()];
    ask(&probe(ProbeKind::Command(words), expect, timeout_ms), Some("http://127.0.0.1:9"))
}

#[test]
fn command_is_judged_by_exit_and_output() {
    assert_eq!(command("true", Expect::default(), 2_000), Answer::Good);
    assert_eq!(command("echo asked {url}", contains("asked http://127.0.0.1:9"), 2_000), Answer::Good);
    assert_eq!(why(command("echo no >&2; exit 3", Expect::default(), 2_000)), "exit status: 3: no");
    assert!(why(command("echo no", contains("yes"), 2_000)).contains("does not contain \"yes\""));
    let missing = ProbeKind::Command(vec!["no-such-program-anywhere".into()]);
    assert!(why(ask(&probe(missing, Expect::default(), 500), None)).starts_with("not asked: cannot run"));
    assert_eq!(command("yes | head -c 5000000; echo end", Expect::default(), 5_000), Answer::Good);
}

#[test]
fn command_out_of_time_is_killed_with_its_children() {
    let folder = std::env::temp_dir().join(format!("windlass-probe-{}", std::process::id()));
    let _ = std::fs::remove_file(&folder);
    let begun = Instant::now();
    let line = format!("(sleep 2; touch {}) & sleep 30", folder.display());
    let why = why(command(&line, Expect::default(), 300));
    assert_eq!(why, "did not end within 300 ms, killed");
    assert!(begun.elapsed() < Duration::from_secs(2));
    // The child would have left its mark by then.
    std::thread::sleep(Duration::from_millis(2_300));
    assert!(!folder.exists(), "a child of the command outlived it");
}

#[test]
fn command_that_leaves_a_child_holding_its_output_is_not_waited_for() {
    let begun = Instant::now();
    assert_eq!(command("sleep 20 & echo done", contains("done"), 5_000), Answer::Good);
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

/// A server that nobody here wrote.
#[test]
#[expect(clippy::disallowed_methods, reason = "whether a missing tool is a failure is the gate's to say")]
fn pythons_own_server_is_healthy() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let started = std::process::Command::new("python3")
        .args(["-m", "http.server", "--bind", "127.0.0.1", &port.to_string()])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn();
    let Ok(mut python) = started else {
        assert!(std::env::var_os("WINDLASS_REQUIRE_TOOLS").is_none(), "python3 is missing");
        eprintln!("skipped: python3 is missing");
        return;
    };
    let base = format!("http://127.0.0.1:{port}");
    let deadline = Instant::now() + Duration::from_secs(15);
    let mut last = get(&base, "/", Expect::default());
    while last != Answer::Good && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
        last = get(&base, "/", Expect::default());
    }
    let missing = get(&base, "/no-such-file", Expect::default());
    let _ = python.kill();
    let _ = python.wait();
    assert_eq!(last, Answer::Good);
    assert_eq!(why(missing), "status 404, expected 2xx");
}

fn read(source: &Source) -> Result<u64, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let reading = runtime.block_on(source::read(source, Sequence(7), None)).map_err(|error| error.chain())?;
    reading.new.requests.get().map_err(|reason| reason.words().to_owned())
}

#[test]
fn metrics_come_over_a_url_and_over_a_socket() {
    const TEXT: &str = "windlass_requests_total{revision=\"r7\",code=\"2xx\"} 5\n";
    let base = serve(|stream, head| {
        let whole = answer("200 OK", TEXT);
        let response = match head.split(' ').nth(1) {
            Some("/metrics") => whole,
            Some("/html") => answer("200 OK", "<html>\n"),
            Some("/cut") => answer("200 OK", TEXT.trim_end()),
            Some("/short") => whole.replace("content-length: 5", "content-length: 9"),
            _ => answer("500 E", TEXT),
        };
        let _ = stream.write_all(response.as_bytes());
    });
    let url = |path: &str| Source::Url(format!("{base}{path}"));
    assert_eq!(read(&url("/metrics")), Ok(5));
    for (path, why) in [
        ("/html", "not Prometheus text at line 1"),
        ("/cut", "cut off"),
        ("/short", "cannot read metrics"),
        ("/else", "status 500"),
    ] {
        let error = read(&url(path)).unwrap_err();
        assert!(error.contains(why), "{path}: {error}");
    }

    let folder = std::env::temp_dir().join(format!("windlass-source-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("control.sock");
    let _ = std::fs::remove_file(&path);
    assert!(read(&Source::UnixSocket(path.clone())).unwrap_err().contains("No such file"));
    let listener = UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let head = head(&mut stream);
            assert!(head.starts_with("GET /metrics HTTP/1.1"), "{head}");
            let _ = stream.write_all(answer("200 OK", TEXT).as_bytes());
            let _ = stream.read(&mut [0]);
        }
    });
    assert_eq!(read(&Source::UnixSocket(path)), Ok(5));
    std::fs::remove_dir_all(&folder).unwrap();
}
