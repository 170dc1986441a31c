//! Where counts come from: Prometheus text over a URL or over the agent's Unix socket.

mod fetch;
pub mod reading;
mod several;
pub mod text;

use std::path::PathBuf;

pub use self::fetch::{SourceError, get};
use self::reading::{Reading, pick};
use self::several::add_up;
use self::text::Series;
use windlass_domain::release::Sequence;

/// Where the counts of the revisions come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// `GET /metrics` on this Unix socket.
    UnixSocket(PathBuf),
    /// `GET /metrics` on each of these Unix sockets, one a host: what they count is added up.
    UnixSockets(Vec<PathBuf>),
    /// `GET` of this whole URL.
    Url(String),
    /// Nowhere: probes alone decide.
    None,
}

/// Reads every series.
///
/// # Errors
/// When the source cannot be asked, answers something else than 200, or answers what is not Prometheus text.
pub async fn series(source: &Source) -> Result<Vec<Series>, SourceError> {
    let bytes = get(source, "/metrics").await?;
    let text = std::str::from_utf8(&bytes).map_err(|error| SourceError::new(source, "read", error))?;
    text::parse(text).map_err(|error| SourceError::new(source, "read", error))
}

/// Reads the two revisions; of several hosts all, or it is no reading.
///
/// # Errors
/// Those of [`series`].
pub async fn read(source: &Source, new: Sequence, old: Option<Sequence>) -> Result<Reading, SourceError> {
    let Source::UnixSockets(sockets) = source else { return Ok(pick(&series(source).await?, new, old)) };
    let mut hosts = Vec::new();
    for socket in sockets {
        hosts.push(pick(&series(&Source::UnixSocket(socket.clone())).await?, new, old));
    }
    Ok(add_up(&hosts))
}
