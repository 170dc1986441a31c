//! A forge that says what a test tells it to say, byte by byte, and remembers what it was asked.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A request as it came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    /// The names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// An answer: what is written on the connection, and whether it stays open and silent after that.
#[derive(Clone, Debug, Default)]
pub(crate) struct Says {
    pub(crate) bytes: Vec<u8>,
    pub(crate) hangs: bool,
}

/// A whole answer.
pub(crate) fn says(status: u16, headers: &[&str], body: &str) -> Says {
    let mut head =
        format!("HTTP/1.1 {status} Said\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    for header in headers {
        head.push_str(header);
        head.push_str("\r\n");
    }
    Says { bytes: format!("{head}\r\n{body}").into_bytes(), hangs: false }
}

/// A whole answer of JSON.
pub(crate) fn json(status: u16, body: &str) -> Says {
    says(status, &["content-type: application/json; charset=utf-8"], body)
}

type Answers = dyn Fn(&Asked, usize) -> Says + Send + Sync;

/// The server; its threads end with the process.
pub(crate) struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// `answers` gets the request and how many came before it.
    pub(crate) fn start(answers: impl Fn(&Asked, usize) -> Says + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self { address: listener.local_addr().unwrap(), asked: Arc::default() };
        let (asked, answers) = (Arc::clone(&server.asked), Arc::new(answers) as Arc<Answers>);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (asked, answers) = (Arc::clone(&asked), Arc::clone(&answers));
                std::thread::spawn(move || answer(stream, &asked, &*answers));
            }
        });
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every request so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Every request so far, as `METHOD path`.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.asked().iter().map(Asked::line).collect()
    }
}

fn answer(mut stream: TcpStream, asked: &Mutex<Vec<Asked>>, answers: &Answers) {
    let mut input = BufReader::new(stream.try_clone().unwrap());
    let Some(request) = read(&mut input) else { return };
    let before = {
        let mut asked = asked.lock().unwrap();
        asked.push(request.clone());
        asked.len() - 1
    };
    let says = answers(&request, before);
    let _ = stream.write_all(&says.bytes);
    if says.hangs {
        // Until the client gives up.
        let _ = input.read_to_end(&mut Vec::new());
    }
}

fn read(input: &mut BufReader<TcpStream>) -> Option<Asked> {
    let mut line = String::new();
    input.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let mut asked =
        Asked { method: words.next()?.to_owned(), path: words.next()?.to_owned(), ..Asked::default() };
    loop {
        let mut line = String::new();
        if input.read_line(&mut line).ok()? <= 2 {
            break;
        }
        let (name, value) = line.split_once(':')?;
        asked.headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let length = asked.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    input.read_exact(&mut body).ok()?;
    asked.body = String::from_utf8(body).ok()?;
    Some(asked)
}
