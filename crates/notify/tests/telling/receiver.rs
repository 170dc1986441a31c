//! A receiver of webhooks on this machine, which answers as it is told and keeps what it got.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// How a request is answered.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// A status line and headers, each with its line break, and a body.
    Answer(&'static str, &'static str),
    /// Never.
    Silence,
}

/// One request: header names in small letters.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

/// It answers the first request with the first reply, and all after the last one with the last.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    got: Arc<Mutex<Vec<Got>>>,
}

impl Receiver {
    pub(crate) fn new(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let got = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&got);
        thread::spawn(move || {
            let mut silent = Vec::new();
            for stream in listener.incoming().flatten() {
                let request = read(&stream);
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                let reply = replies.get(kept.len()).or(replies.last()).cloned().unwrap();
                kept.push(request);
                drop(kept);
                match reply {
                    Reply::Answer(head, body) => answer(stream, head, body),
                    Reply::Silence => silent.push(stream),
                }
            }
        });
        Self { address, got }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn read(stream: &TcpStream) -> Got {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length: usize = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    Got { path, headers, body: String::from_utf8(body).unwrap() }
}

fn answer(mut stream: TcpStream, head: &str, body: &str) {
    let length = body.len();
    let _ = write!(stream, "HTTP/1.1 {head}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}");
}
