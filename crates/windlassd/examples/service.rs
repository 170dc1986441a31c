//! A small service for the tests: speaks HTTP/1.1 by hand, so that it can also speak it wrongly.
//!
//! `service --port N [--unready] [--exit CODE]`, or `service claim SOCKET BODY`, which claims the fence and ends.

use std::collections::HashMap;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use windlass_domain::digest::Digest;

#[expect(clippy::disallowed_methods, reason = "a test's service, not a tool")]
fn main() -> io::Result<()> {
    let arguments: Vec<String> =
        std::env::args_os().skip(1).filter_map(|word| word.into_string().ok()).collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|word| word == name)?;
        arguments.get(at + 1).cloned()
    };
    if let [word, socket, body] = &arguments[..]
        && word == "claim"
    {
        return claim(socket, body);
    }
    writeln!(io::stdout(), "started with {arguments:?}")?;
    if let Some(code) = value("--exit") {
        writeln!(io::stderr(), "cannot open the database")?;
        std::process::exit(code.parse().unwrap_or(1));
    }
    if let Some(file) = value("--deaf-to-term") {
        // A child that outlives its parent unless the whole group is killed.
        let child = std::process::Command::new("sleep").arg("600").spawn()?;
        std::fs::write(file, child.id().to_string())?;
    }
    if let Some(file) = value("--runaway") {
        // A child in a session of its own, which no signal to our group reaches.
        let child = std::process::Command::new("setsid").args(["sleep", "600"]).spawn()?;
        std::fs::write(file, child.id().to_string())?;
    }
    let facts = Arc::new(Facts {
        deaf: AtomicBool::new(false),
        ready: AtomicBool::new(!arguments.iter().any(|word| word == "--unready")),
        name: std::env::var_os("NAME").and_then(|name| name.into_string().ok()).unwrap_or_default(),
        vars: std::env::vars_os()
            .map(|(name, _)| name.to_string_lossy().into_owned())
            .collect::<Vec<_>>()
            .join(" "),
        values: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
    });
    let port: u16 = value("--port").and_then(|port| port.parse().ok()).unwrap_or(0);
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    let address = listener.local_addr()?;
    for stream in listener.incoming() {
        let facts = Arc::clone(&facts);
        let stream = stream?;
        if facts.deaf.load(Ordering::SeqCst) {
            break;
        }
        std::thread::spawn(move || {
            let _ = serve(stream, &facts, address);
        });
    }
    drop(listener);
    // It still runs, and what it has accepted goes on.
    loop {
        std::thread::park();
    }
}

struct Facts {
    /// Whether it accepts no more.
    deaf: AtomicBool,
    ready: AtomicBool,
    name: String,
    vars: String,
    values: HashMap<String, String>,
}

struct Head {
    line: String,
    raw: String,
    headers: HashMap<String, String>,
}

fn claim(socket: &str, body: &str) -> io::Result<()> {
    let mut stream = UnixStream::connect(socket)?;
    let length = body.len();
    write!(
        stream,
        "POST /v1/claim HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    write!(io::stdout(), "{answer}")
}

fn serve(stream: TcpStream, facts: &Facts, address: SocketAddr) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut out = stream.try_clone()?;
    let mut input = BufReader::new(stream);
    while let Some(head) = read_head(&mut input)? {
        let mut words = head.line.split(' ');
        let method = words.next().unwrap_or_default();
        let target = words.next().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let number = || query.split('=').nth(1).and_then(|value| value.parse::<usize>().ok()).unwrap_or(0);
        if path == "/early" {
            out.write_all(
                b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\nconnection: close\r\n\r\nbig",
            )?;
            return out.flush();
        }
        if path == "/body" {
            // As it is on the wire, to its empty line: whoever asks sends chunks of lines.
            let mut raw = String::new();
            while !raw.ends_with("\r\n\r\n") && input.read_line(&mut raw)? > 0 {}
            reply(&mut out, method, "200 OK", raw.as_bytes())?;
            continue;
        }
        let body = read_body(&mut input, &head)?;
        match path {
            "/healthz" if !facts.ready.load(Ordering::Relaxed) => reply(&mut out, method, "503 Not Ready", b"")?,
            "/unready" => {
                facts.ready.store(false, Ordering::Relaxed);
                reply(&mut out, method, "200 OK", b"")?;
            }
            "/hash" => reply(&mut out, method, "200 OK", Digest::of(&body).to_string().as_bytes())?,
            "/sized" => reply(&mut out, method, "200 OK", &pattern(number()))?,
            "/chunked" => chunked(&mut out, &pattern(number()))?,
            "/until-close" => {
                out.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")?;
                return out.write_all(&pattern(number()));
            }
            "/head" => reply(&mut out, method, "200 OK", head.raw.as_bytes())?,
            "/vars" => reply(&mut out, method, "200 OK", facts.vars.as_bytes())?,
            "/value" => {
                let name = query.split('=').nth(1).unwrap_or_default();
                let value = facts.values.get(name).map(String::as_bytes);
                reply(&mut out, method, "200 OK", value.unwrap_or(b"none"))?;
            }
            "/slow" => {
                std::thread::sleep(Duration::from_millis(number() as u64));
                reply(&mut out, method, "200 OK", b"slow")?;
            }
            "/slowly" => {
                out.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n")?;
                for _ in 0..10 {
                    std::thread::sleep(Duration::from_millis(number() as u64 / 10));
                    out.write_all(b"x")?;
                }
            }
            "/hold" => {
                // For as long as it runs: so many MiB of memory that was written to, and as many open files.
                for _ in 0..number() {
                    std::mem::forget((vec![1_u8; 1 << 20], std::fs::File::open("/dev/null")?));
                }
                reply(&mut out, method, "200 OK", b"held")?;
            }
            "/spin" => {
                let since = processor_time();
                while processor_time() < since + Duration::from_millis(number() as u64) {}
                reply(&mut out, method, "200 OK", b"spun")?;
            }
            "/204" => out.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")?,
            "/304" => out.write_all(b"HTTP/1.1 304 Not Modified\r\netag: \"a\"\r\n\r\n")?,
            "/500" => reply(&mut out, method, "500 Broken", b"broken")?,
            "/drop" => return Ok(()),
            "/truncated" => return out.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nten bytes."),
            "/hop" => out.write_all(
                b"HTTP/1.1 200 OK\r\nconnection: x-private\r\nx-private: 1\r\nkeep-alive: timeout=1\r\ncontent-length: 0\r\n\r\n",
            )?,
            "/once" => {
                // Keep-alive is promised, and the connection closed all the same.
                reply(&mut out, method, "200 OK", b"once")?;
                return Ok(());
            }
            "/raw" => {
                // Whatever the request asks to be answered with, then the end of the connection where it asks for that.
                let asked = head.headers.get("x-answer").map_or("", String::as_str);
                out.write_all(asked.replace("\\r\\n", "\r\n").as_bytes())?;
                if query == "end" {
                    return Ok(());
                }
            }
            "/deaf" => {
                // Each wakes the thread that accepts, until it is told by the last that nobody does any more.
                facts.deaf.store(true, Ordering::SeqCst);
                while TcpStream::connect(address).is_ok() {
                    std::thread::sleep(Duration::from_millis(1));
                }
                return out.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            }
            "/exit" => std::process::exit(7),
            "/websocket" if head.headers.get("upgrade").is_some_and(|to| to == "websocket") => {
                out.write_all(b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")?;
                return websocket(&mut input, &mut out);
            }
            "/closes" => {
                let closes = CLOSES.load(Ordering::SeqCst).to_string();
                reply(&mut out, method, "200 OK", closes.as_bytes())?;
            }
            "/trailers" => out.write_all(
                b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 6\r\n\r\n",
            )?,
            "/echo" if head.headers.get("upgrade").is_some_and(|to| to == "echo") => {
                out.write_all(b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nhello")?;
                return io::copy(&mut input, &mut out).map(drop);
            }
            _ => reply(&mut out, method, "200 OK", facts.name.as_bytes())?,
        }
        if head.headers.get("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            return Ok(());
        }
    }
    Ok(())
}

/// What this thread took so far.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|word| word.parse().ok());
    // Where the kernel does not say, nobody spins for ever.
    nanos.map_or(Duration::MAX, Duration::from_nanos)
}

/// WebSockets that were closed with the code 1001.
static CLOSES: AtomicU64 = AtomicU64::new(0);

/// Says back what each small frame says, until one closes.
fn websocket(input: &mut impl Read, out: &mut impl Write) -> io::Result<()> {
    loop {
        let mut start = [0; 6];
        input.read_exact(&mut start)?;
        let mut payload = vec![0; usize::from(start[1] & 0x7f)];
        input.read_exact(&mut payload)?;
        for (index, byte) in payload.iter_mut().enumerate() {
            *byte ^= start[2 + index % 4];
        }
        out.write_all(&[start[0], start[1] & 0x7f])?;
        out.write_all(&payload)?;
        if start[0] & 0x0f == 8 {
            CLOSES.fetch_add(u64::from(payload == [0x03, 0xe9]), Ordering::SeqCst);
            return Ok(());
        }
    }
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|index| u8::try_from(index % 251).unwrap_or(0)).collect()
}

fn reply(out: &mut TcpStream, method: &str, status: &str, body: &[u8]) -> io::Result<()> {
    let mut message = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", body.len()).into_bytes();
    if method != "HEAD" {
        message.extend_from_slice(body);
    }
    out.write_all(&message)
}

fn chunked(out: &mut TcpStream, body: &[u8]) -> io::Result<()> {
    out.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
    for chunk in body.chunks(1000) {
        write!(out, "{:x}\r\n", chunk.len())?;
        out.write_all(chunk)?;
        out.write_all(b"\r\n")?;
    }
    out.write_all(b"0\r\n\r\n")
}

fn read_head(input: &mut BufReader<TcpStream>) -> io::Result<Option<Head>> {
    let mut raw = String::new();
    loop {
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if line == "\r\n" {
            break;
        }
        raw.push_str(&line);
    }
    let headers = raw
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    Ok(Some(Head { line: raw.lines().next().unwrap_or_default().to_owned(), raw, headers }))
}

fn read_body(input: &mut BufReader<TcpStream>, head: &Head) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if head.headers.get("transfer-encoding").is_some_and(|coding| coding == "chunked") {
        loop {
            let mut size = String::new();
            input.read_line(&mut size)?;
            let size = u64::from_str_radix(size.trim(), 16).unwrap_or(0);
            input.by_ref().take(size).read_to_end(&mut body)?;
            let mut end = String::new();
            input.read_line(&mut end)?;
            if size == 0 {
                return Ok(body);
            }
        }
    }
    let length = head.headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    input.by_ref().take(length).read_to_end(&mut body)?;
    Ok(body)
}
