//! A client that speaks HTTP/1.1 by hand, so that it can also speak it wrongly.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use super::support::PATIENCE;

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) input: BufReader<TcpStream>,
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) version: String,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The number of the revision that answered.
    pub(crate) fn revision(&self) -> u64 {
        self.header("x-windlass-revision").unwrap().trim_start_matches('r').parse().unwrap()
    }
}

impl Connection {
    pub(crate) fn to(address: SocketAddr) -> Self {
        Self::try_to(address).unwrap()
    }

    pub(crate) fn try_to(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { input: BufReader::new(stream) })
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.input.get_mut().write_all(bytes.as_ref())
    }

    pub(crate) fn get(&mut self, path: &str) -> std::io::Result<Reply> {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: shop.example\r\n\r\n"))?;
        self.reply("GET")
    }

    pub(crate) fn post(&mut self, path: &str, body: &[u8]) -> std::io::Result<Reply> {
        self.send(format!(
            "POST {path} HTTP/1.1\r\nhost: shop.example\r\ncontent-length: {}\r\n\r\n",
            body.len()
        ))?;
        self.send(body)?;
        self.reply("POST")
    }

    /// Reads the answer to a request with this method; interim ones are passed over.
    pub(crate) fn reply(&mut self, method: &str) -> std::io::Result<Reply> {
        loop {
            let mut reply = self.head()?;
            if (100..200).contains(&reply.status) && reply.status != 101 {
                continue;
            }
            if method == "HEAD" || matches!(reply.status, 101 | 204 | 304) {
                return Ok(reply);
            }
            reply.body = self.body(&reply)?;
            return Ok(reply);
        }
    }

    pub(crate) fn head(&mut self) -> std::io::Result<Reply> {
        let gone = || std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "no answer");
        let line = self.line()?;
        let mut words = line.split(' ');
        let version = words.next().unwrap_or_default().to_owned();
        let status = words.next().and_then(|status| status.parse().ok()).ok_or_else(gone)?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Ok(Reply { version, status, headers, body: Vec::new() })
    }

    fn line(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        self.input.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    fn body(&mut self, reply: &Reply) -> std::io::Result<Vec<u8>> {
        let mut body = Vec::new();
        if reply.header("transfer-encoding") == Some("chunked") {
            loop {
                let size = usize::from_str_radix(&self.line()?, 16).map_err(std::io::Error::other)?;
                let mut chunk = vec![0; size];
                self.input.read_exact(&mut chunk)?;
                self.line()?;
                body.extend(chunk);
                if size == 0 {
                    return Ok(body);
                }
            }
        }
        match reply.header("content-length") {
            Some(length) => {
                body.resize(length.parse().unwrap(), 0);
                self.input.read_exact(&mut body)?;
            }
            None => {
                self.input.read_to_end(&mut body)?;
            }
        }
        Ok(body)
    }
}

/// One request on a connection of its own.
pub(crate) fn get(address: SocketAddr, path: &str) -> Reply {
    Connection::to(address).get(path).unwrap()
}
