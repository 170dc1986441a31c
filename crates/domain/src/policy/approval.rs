//! Who must agree, and when nothing may enter.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Span;

/// People who must agree before a release enters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Approval {
    /// How many different people.
    pub count: u32,
    /// Who may: `key:NAME` for a key listed under `keys`, `team:NAME` and `user:NAME` on a forge.
    pub from: Vec<String>,
    /// Whether the author of the commit is excluded.
    pub not_author: bool,
    /// How old an approval may be, default 24h.
    pub max_age: Span,
}

/// A time in which nothing may enter an environment. A date means its whole day in `timezone`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Freeze {
    /// The first moment: `2026-12-20` or `2026-12-20T18:00`.
    #[schemars(with = "String")]
    pub from: jiff::civil::DateTime,
    /// The end, not included; a date given in the file means the end of that day.
    #[schemars(with = "String")]
    pub to: jiff::civil::DateTime,
    /// An IANA time zone, default `UTC`.
    pub timezone: String,
    /// Why, shown to whoever is stopped.
    pub reason: Option<String>,
}
