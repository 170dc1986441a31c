//! One bounded GET over a Unix socket or a URL.

use std::error::Error;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use super::Source;
use crate::{client, platform};

/// The largest answer that is read, in bytes.
const LARGEST: usize = 8 * 1024 * 1024;
/// How long a reading may take.
const TIMEOUT: Duration = Duration::from_secs(3);

/// The source could not be read.
#[derive(Debug)]
pub struct SourceError {
    attempt: String,
    source: Box<dyn Error + Send + Sync>,
}

impl SourceError {
    pub(super) fn new(on: &Source, verb: &str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let place = match on {
            Source::UnixSocket(path) => path.display().to_string(),
            Source::UnixSockets(paths) => format!("{} sockets", paths.len()),
            Source::Url(url) => url.clone(),
            Source::None => "no source".to_owned(),
        };
        Self { attempt: format!("cannot {verb} metrics at {place}"), source: source.into() }
    }

    /// The message and its causes, joined by `: `.
    #[must_use]
    pub fn chain(&self) -> String {
        windlass_domain::causes::chain(self)
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.attempt)
    }
}

impl Error for SourceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

/// The body of a 200 answer, at most 8 MiB, within 3 s. `path` is asked for on a socket; a URL is asked as it is.
///
/// # Errors
/// When it cannot be connected, answers another status, takes too long, or is larger.
pub async fn get(source: &Source, path: &str) -> Result<Vec<u8>, SourceError> {
    let fetched = match source {
        Source::UnixSocket(socket) => timeout(TIMEOUT, over_socket(socket, path)).await,
        Source::Url(url) => timeout(TIMEOUT, over_url(url)).await,
        Source::UnixSockets(_) => return Err(SourceError::new(source, "read", "each is asked by itself")),
        Source::None => return Err(SourceError::new(source, "read", "none is configured")),
    };
    match fetched {
        Ok(fetched) => fetched.map_err(|error| SourceError::new(source, "read", error)),
        Err(_) => Err(SourceError::new(source, "read", format!("no answer within {} s", TIMEOUT.as_secs()))),
    }
}

type Failed = Box<dyn Error + Send + Sync>;

async fn over_socket(socket: &Path, path: &str) -> Result<Vec<u8>, Failed> {
    let stream = platform::connect(socket).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get(path).header("host", "localhost").body(Empty::<Bytes>::new())?;
    let answer = async move {
        let answer = sender.send_request(request).await?;
        if answer.status() != 200 {
            return Err(format!("status {}", answer.status().as_u16()).into());
        }
        let body = Limited::new(answer.into_body(), LARGEST).collect().await?;
        Ok::<_, Failed>(body.to_bytes().to_vec())
    };
    let mut answer = std::pin::pin!(answer);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        // The connection may end first, with the answer already in hand.
        ended = &mut connection => { ended?; answer.await }
    }
}

async fn over_url(url: &str) -> Result<Vec<u8>, Failed> {
    let mut answer = client::new(TIMEOUT)?.get(url).send().await?;
    if answer.status() != 200 {
        return Err(format!("status {}", answer.status().as_u16()).into());
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > LARGEST {
            return Err("the answer is larger than 8 MiB".into());
        }
    }
    Ok(body)
}
