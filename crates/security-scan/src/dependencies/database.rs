//! A RustSec advisory database in a local folder: read whole or not at all, and how old it is.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use super::age_ms;
use crate::finding::Kind;
use crate::gap::Gap;
use crate::topics;

/// A database that was read whole.
pub(crate) struct Database {
    /// Its advisories.
    pub(crate) advisories: rustsec::Database,
    /// How many there are.
    pub(crate) count: u64,
    /// The id of the newest.
    pub(crate) newest: String,
    /// The date of the newest, at midnight in UTC.
    pub(crate) updated: Timestamp,
    /// The age of the newest, in milliseconds.
    pub(crate) age_ms: u64,
    /// Where it is, for messages.
    place: String,
}

/// How far in the future an advisory's date may lie and still say how old the database is: dates have no time zone.
/// One that is mistyped into the next century must not keep a database fresh for ever.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);

impl Database {
    /// Reads the database in `folder`. A single advisory that cannot be read refuses the whole: half a database
    /// would look like a clean scan.
    ///
    /// # Errors
    /// When it is missing, empty, damaged, or no advisory says how old it is.
    pub(crate) fn open(folder: &Path, now: Timestamp) -> Result<Self, Box<Gap>> {
        let place = folder.display().to_string();
        let unreadable =
            |why: String| Box::new(Gap::new(Kind::Dependency, &topics::DATABASE_UNREADABLE, &place, why));
        if !folder.is_dir() {
            let why = if folder.exists() {
                "the advisory database is not a folder"
            } else {
                "no advisory database"
            };
            return Err(Box::new(Gap::new(Kind::Dependency, &topics::DATABASE_MISSING, &place, why)));
        }
        if !folder.join("crates").is_dir() {
            return Err(unreadable("it has no folder `crates`".to_owned()));
        }
        let advisories =
            rustsec::Database::open(folder).map_err(|error| unreadable(first_line(&error.to_string())))?;
        let count = advisories.iter().filter(|advisory| in_crates(advisory)).count() as u64;
        if count == 0 {
            return Err(unreadable("it has no advisory".to_owned()));
        }
        let newest = advisories
            .iter()
            .filter_map(|advisory| Some((midnight(advisory.date().as_str())?, advisory.id().to_string())))
            .filter(|(date, _)| date.duration_since(now) <= AHEAD)
            .max();
        let Some((updated, newest)) = newest else {
            return Err(unreadable("every advisory's date lies in the future".to_owned()));
        };
        Ok(Self { advisories, count, newest, updated, age_ms: age_ms(updated, now), place })
    }

    /// The gap of a database whose newest advisory is older than `max_age`. Advisories are published several times a
    /// week, so that a month without one means that nobody fetched them. Times of files do not count: a checkout
    /// sets them to now.
    pub(crate) fn stale(&self, max_age: SignedDuration) -> Option<Gap> {
        (u128::from(self.age_ms) > max_age.unsigned_abs().as_millis()).then(|| {
            let why = format!("the newest advisory, {}, is {} days old", self.newest, self.days());
            Gap::new(Kind::Dependency, &topics::DATABASE_STALE, &self.place, why)
        })
    }

    /// The age of the newest advisory in whole days.
    pub(crate) fn days(&self) -> u64 {
        self.age_ms / 86_400_000
    }
}

fn in_crates(advisory: &rustsec::Advisory) -> bool {
    advisory.metadata.collection == Some(rustsec::Collection::Crates)
}

fn midnight(date: &str) -> Option<Timestamp> {
    format!("{date}T00:00:00Z").parse().ok()
}

/// The first line of a parser's message: the ones below quote the file.
pub(super) fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or("cannot be read").trim_end_matches(':').to_owned()
}
