//! One request to the agent: HTTP/1.1 over its Unix socket.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use super::control::{Rejected, SOCKET};
use crate::driver::DriverError;

/// The longest that a question about state may take. Steps take as long as their clock says.
const QUESTION: Duration = Duration::from_secs(10);

/// The pause before a request is sent again that was meant for the agent that takes over.
const AGAIN: Duration = Duration::from_millis(20);

/// How much longer an answer is looked for that may be there already.
const LATE: Duration = Duration::from_secs(1);

/// How to reach one agent.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
}

/// Why the socket cannot be used.
#[derive(Debug)]
pub enum Unusable {
    /// There is none.
    Absent,
    /// It belongs to another user: whatever answers there is not ours to talk to.
    Foreign {
        /// The socket.
        socket: PathBuf,
        /// Its owner's user id.
        owner: u32,
    },
    /// Nobody listens.
    Dead(std::io::Error),
}

impl std::fmt::Display for Unusable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Absent => f.write_str("no agent has run there yet"),
            Self::Foreign { socket, owner } => {
                write!(f, "the socket {} belongs to user {owner}, not to us", socket.display())
            }
            Self::Dead(_) => f.write_str("no agent listens"),
        }
    }
}

impl std::error::Error for Unusable {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Dead(source) => Some(source),
            Self::Absent | Self::Foreign { .. } => None,
        }
    }
}

impl Client {
    /// The agent of this root.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self::at(root.join(SOCKET))
    }

    /// The agent behind this socket, wherever it runs.
    pub(crate) const fn at(socket: PathBuf) -> Self {
        Self { socket }
    }

    /// Its socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Whether the agent answers.
    ///
    /// # Errors
    /// Why the socket cannot be used.
    pub async fn connect(&self) -> Result<UnixStream, Unusable> {
        let metadata = match std::fs::metadata(&self.socket) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(Unusable::Absent),
            Err(error) => return Err(Unusable::Dead(error)),
        };
        if metadata.uid() != rustix::process::geteuid().as_raw() {
            return Err(Unusable::Foreign { socket: self.socket.clone(), owner: metadata.uid() });
        }
        UnixStream::connect(&self.socket).await.map_err(Unusable::Dead)
    }

    /// Asks for a value.
    ///
    /// # Errors
    /// When the agent cannot be reached, or does not answer in ten seconds.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, DriverError> {
        let bytes = self.get_bytes(path).await?;
        serde_json::from_slice(&bytes).map_err(|error| self.unreachable(path, error))
    }

    /// Asks for a text.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn get_bytes(&self, path: &str) -> Result<Bytes, DriverError> {
        self.limited(path, QUESTION, self.send(Method::GET, path, Bytes::new())).await
    }

    /// Sends a mutation and takes its answer; `limit` bounds it.
    ///
    /// # Errors
    /// What the agent rejected, or that it cannot be reached.
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        limit: Duration,
    ) -> Result<T, DriverError> {
        let body = serde_json::to_vec(body).map_err(|error| self.unreachable(path, error))?;
        let bytes = self.limited(path, limit, self.send(Method::POST, path, body.into())).await?;
        let bytes = if bytes.is_empty() { Bytes::from_static(b"null") } else { bytes };
        serde_json::from_slice(&bytes).map_err(|error| self.unreachable(path, error))
    }

    /// Sends a question-sized mutation.
    ///
    /// # Errors
    /// As [`post`](Self::post).
    pub async fn tell<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, DriverError> {
        self.post(path, body, QUESTION).await
    }

    async fn limited(
        &self,
        path: &str,
        limit: Duration,
        answer: impl Future<Output = Result<Bytes, DriverError>>,
    ) -> Result<Bytes, DriverError> {
        let mut answer = std::pin::pin!(answer);
        match tokio::time::timeout(limit, &mut answer).await {
            Ok(answer) => answer,
            // A process that was stopped finds, when it wakes, its time over and the answer there: that one counts.
            Err(_) => tokio::time::timeout(LATE, answer).await.unwrap_or_else(|_| {
                Err(self.unreachable(path, format!("no answer within {} s", limit.as_secs())))
            }),
        }
    }

    /// Sends a request, and again where the agent that took it was about to hand over to another.
    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<Bytes, DriverError> {
        loop {
            if let Some(answer) = self.send_once(method.clone(), path, body.clone()).await? {
                return Ok(answer);
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// `None` when another agent has taken over, and nothing was done.
    async fn send_once(&self, method: Method, path: &str, body: Bytes) -> Result<Option<Bytes>, DriverError> {
        let stream = self.connect().await.map_err(|error| self.unreachable(path, error))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| self.unreachable(path, error))?;
        let pump = tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "windlassd")
            .header("content-type", "application/json")
            .body(Full::new(body))
            .map_err(|error| self.unreachable(path, error))?;
        let answer = sender.send_request(request).await.map_err(|error| self.unreachable(path, error))?;
        let status = answer.status();
        let bytes =
            answer.into_body().collect().await.map_err(|error| self.unreachable(path, error))?.to_bytes();
        pump.abort();
        if status.is_success() {
            return Ok(Some(bytes));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            Ok(None)
        } else {
            Err(self.rejected(path, status, &bytes))
        }
    }

    fn rejected(&self, path: &str, status: StatusCode, bytes: &[u8]) -> DriverError {
        match serde_json::from_slice(bytes) {
            Ok(Rejected::Fence { refusal }) => DriverError::Fence(refusal),
            Ok(Rejected::Head { head }) => DriverError::Head(head),
            Ok(Rejected::Judged { why, log }) => DriverError::Judged { why, log },
            Ok(Rejected::Fault { why }) => self.unreachable(path, why),
            Err(_) => {
                let told: String = String::from_utf8_lossy(bytes).chars().take(300).collect();
                self.unreachable(path, format!("the agent answered {status}: {told}"))
            }
        }
    }

    fn unreachable(
        &self,
        path: &str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> DriverError {
        DriverError::Unreachable {
            attempt: format!("cannot ask the agent at {} for {path}", self.socket.display()),
            source: source.into(),
        }
    }
}
