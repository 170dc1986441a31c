//! A web server that answers every request in one way, right or wrong.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What it says to everybody.
#[derive(Clone)]
pub(crate) struct Says {
    answer: Vec<u8>,
    /// Whether the connection stays open without an answer.
    silent: bool,
    /// The only token that is let in; everybody where there is none.
    token: Option<&'static str>,
}

impl Says {
    /// 200 with this body.
    pub(crate) fn whole(body: &[u8]) -> Self {
        Self::with(&format!("200 OK\r\ncontent-length: {}", body.len()), body)
    }

    /// 200 with this body's length, and half of it.
    pub(crate) fn cut(body: &[u8]) -> Self {
        Self::with(&format!("200 OK\r\ncontent-length: {}", body.len()), &body[..body.len() / 2])
    }

    pub(crate) fn status(code: u16) -> Self {
        Self::with(&format!("{code} No\r\ncontent-length: 0"), b"")
    }

    pub(crate) fn redirect(to: String) -> Self {
        Self::with(&format!("302 Found\r\nlocation: {to}\r\ncontent-length: 0"), b"")
    }

    /// Takes the request and never answers.
    pub(crate) fn nothing() -> Self {
        Self { answer: Vec::new(), silent: true, token: None }
    }

    /// 200 with this body to who shows this token, 401 to everybody else.
    pub(crate) fn to(token: &'static str, body: &[u8]) -> Self {
        Self { token: Some(token), ..Self::whole(body) }
    }

    fn with(head: &str, body: &[u8]) -> Self {
        let head = format!("HTTP/1.1 {head}\r\nconnection: close\r\n\r\n");
        Self { answer: [head.as_bytes(), body].concat(), silent: false, token: None }
    }
}

/// The server; its threads end with the process.
pub(crate) struct Mirror {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

impl Mirror {
    pub(crate) fn start(says: Says) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mirror = Self { address: listener.local_addr().unwrap(), asked: Arc::default() };
        let asked = Arc::clone(&mirror.asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (says, asked) = (says.clone(), Arc::clone(&asked));
                std::thread::spawn(move || answer(stream.unwrap(), &says, &asked));
            }
        });
        mirror
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many requests came.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

const NOBODY: &[u8] = b"HTTP/1.1 401 Who?\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

fn answer(mut stream: TcpStream, says: &Says, asked: &AtomicUsize) {
    let mut input = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    let mut shown = None;
    while input.read_line(&mut line).unwrap_or(0) > 2 {
        let (name, value) = line.split_once(':').unwrap_or_default();
        if name.eq_ignore_ascii_case("authorization") {
            shown = value.trim().strip_prefix("Bearer ").map(str::to_owned);
        }
        line.clear();
    }
    asked.fetch_add(1, Ordering::Relaxed);
    if says.silent {
        // Until the client gives up.
        while input.read_line(&mut line).unwrap_or(0) > 0 {}
    }
    let is_let_in = says.token.is_none_or(|token| shown.as_deref() == Some(token));
    let _ = stream.write_all(if is_let_in { &says.answer } else { NOBODY });
}
