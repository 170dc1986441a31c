//! Where counts come from: Prometheus text over a URL or over the agent's Unix socket.

mod fetch;
pub mod reading;
pub mod text;

use std::path::PathBuf;

pub use self::fetch::{SourceError, get};
use self::reading::{Reading, pick};
use self::text::Series;
use windlass_domain::release::Sequence;

/// Where the counts of the revisions come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// `GET /metrics` on this Unix socket.
    UnixSocket(PathBuf),
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

/// Reads the two revisions.
///
/// # Errors
/// Those of [`series`].
pub async fn read(source: &Source, new: Sequence, old: Option<Sequence>) -> Result<Reading, SourceError> {
    Ok(pick(&series(source).await?, new, old))
}
