//! Asking an instance whether it is ready.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use windlass_domain::policy::Ready;

/// Whether the instance on this port is ready, and if not, why. Takes at most `limit`.
pub(super) async fn ask(ready: &Ready, port: u16, limit: Duration) -> Result<(), String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let answer = tokio::time::timeout(limit, async {
        let mut stream =
            TcpStream::connect(address).await.map_err(|_| format!("port {port} accepts no connection"))?;
        match &ready.http {
            Some(path) => get(&mut stream, path, port).await,
            None => Ok(()),
        }
    });
    answer.await.unwrap_or_else(|_| Err(format!("no answer within {} ms", limit.as_millis())))
}

async fn get(stream: &mut TcpStream, path: &str, port: u16) -> Result<(), String> {
    if !path.starts_with('/') || path.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
        return Err(format!("{path:?} is not a path"));
    }
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: windlassd\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    let broken = |error: std::io::Error| format!("GET {path} got no answer: {error}");
    stream.write_all(request.as_bytes()).await.map_err(broken)?;
    let mut line = Vec::new();
    let mut buffer = [0; 64];
    while line.len() < 13 && !line.contains(&b'\n') {
        match stream.read(&mut buffer).await.map_err(broken)? {
            0 => break,
            count => line.extend_from_slice(&buffer[..count]),
        }
    }
    match status(&line) {
        Some(200..=299) => Ok(()),
        Some(code) => Err(format!("GET {path} answered {code}")),
        None => Err(format!("GET {path} answered something that is not HTTP/1.1")),
    }
}

fn status(line: &[u8]) -> Option<u16> {
    let rest = line.strip_prefix(b"HTTP/1.")?;
    let code = rest.get(2..5)?;
    let ends = rest.get(5).is_none_or(|byte| matches!(byte, b' ' | b'\r' | b'\n'));
    (rest.get(1) == Some(&b' ') && ends).then(|| std::str::from_utf8(code).ok()?.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_status_line_has_a_status() {
        let cases: [(&[u8], _); 6] = [
            (b"HTTP/1.1 200 OK\r\n", Some(200)),
            (b"HTTP/1.0 503", Some(503)),
            (b"HTTP/1.1 2000", None),
            (b"HTTP/2 200 OK", None),
            (b"SSH-2.0-OpenSSH", None),
            (b"", None),
        ];
        for (line, code) in cases {
            assert_eq!(status(line), code, "{}", String::from_utf8_lossy(line));
        }
    }
}
