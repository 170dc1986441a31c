//! Freezes: whether nothing may enter now, and until when.
//!
//! A freeze is written in civil time and a time zone. Where a boundary falls into a daylight-saving gap or fold, the
//! freeze is taken at its widest: it begins at the earlier and ends at the later of the possible moments.

use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::policy::Freeze;

/// A freeze that holds now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frozen {
    /// Its place in the policy's list, from 0.
    pub index: usize,
    /// The first moment at which no freeze holds any more: freezes that touch or overlap are one.
    pub ends: Timestamp,
    /// Why, where the policy says so.
    pub reason: Option<String>,
}

/// A freeze that cannot be judged: never the same as no freeze.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FreezeError {
    /// No such IANA time zone.
    TimeZone(String),
    /// A boundary outside the years that can be computed with.
    OutOfRange(usize),
    /// It ends before it begins.
    Backwards(usize),
}

impl fmt::Display for FreezeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimeZone(name) => write!(f, "no IANA time zone is called {name:?}"),
            Self::OutOfRange(index) => write!(f, "freeze {} lies outside the calendar", index + 1),
            Self::Backwards(index) => write!(f, "freeze {} ends before it begins", index + 1),
        }
    }
}

impl std::error::Error for FreezeError {}

/// The freeze that holds at `now`, or none.
///
/// # Errors
/// When any freeze of the list cannot be judged, even if another one holds: a list with a mistake proves nothing.
pub fn active(freezes: &[Freeze], now: Timestamp) -> Result<Option<Frozen>, FreezeError> {
    let mut spans = Vec::with_capacity(freezes.len());
    for (index, freeze) in freezes.iter().enumerate() {
        spans.push(span(index, freeze)?);
    }
    let Some(index) = spans.iter().position(|(from, to)| *from <= now && now < *to) else { return Ok(None) };
    let mut ends = spans[index].1;
    while let Some((_, later)) = spans.iter().find(|(from, to)| *from <= ends && ends < *to) {
        ends = *later;
    }
    Ok(Some(Frozen { index, ends, reason: freezes[index].reason.clone() }))
}

fn span(index: usize, freeze: &Freeze) -> Result<(Timestamp, Timestamp), FreezeError> {
    let zone = TimeZone::get(&freeze.timezone).map_err(|_| FreezeError::TimeZone(freeze.timezone.clone()))?;
    let out_of_range = |_| FreezeError::OutOfRange(index);
    let from = zone.to_ambiguous_timestamp(freeze.from).earlier().map_err(out_of_range)?;
    let to = zone.to_ambiguous_timestamp(freeze.to).later().map_err(out_of_range)?;
    if to <= from { Err(FreezeError::Backwards(index)) } else { Ok((from, to)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn freeze(from: &str, to: &str, timezone: &str) -> Freeze {
        Freeze {
            from: from.parse().expect("a civil time"),
            to: to.parse().expect("a civil time"),
            timezone: timezone.into(),
            reason: None,
        }
    }

    fn ends(freezes: &[Freeze], now: &str) -> Option<String> {
        active(freezes, now.parse().unwrap()).unwrap().map(|frozen| frozen.ends.to_string())
    }

    #[test]
    fn freeze_holds_in_its_own_time_zone_and_its_end_is_not_included() {
        let holidays = [freeze("2026-12-20T00:00", "2027-01-05T00:00", "Europe/Paris")];
        let end = Some("2027-01-04T23:00:00Z".to_owned());
        for (now, expected) in [
            ("2026-12-19T22:59:59Z", None),
            ("2026-12-19T23:00:00Z", end.clone()),
            ("2027-01-04T22:59:59.999Z", end),
            ("2027-01-04T23:00:00Z", None),
        ] {
            assert_eq!(ends(&holidays, now), expected, "{now}");
        }
    }

    #[test]
    fn boundary_in_a_gap_or_fold_makes_the_freeze_wider_not_narrower() {
        // In Paris, 02:30 does not exist on 2026-03-29 and exists twice on 2026-10-25.
        let gap = [freeze("2026-03-29T02:30", "2026-03-29T06:00", "Europe/Paris")];
        assert!(ends(&gap, "2026-03-29T00:45:00Z").is_some());
        let fold = [freeze("2026-10-25T00:00", "2026-10-25T02:30", "Europe/Paris")];
        assert_eq!(ends(&fold, "2026-10-25T01:15:00Z").as_deref(), Some("2026-10-25T01:30:00Z"));
    }

    #[test]
    fn touching_freezes_end_together() {
        let two = [
            freeze("2026-12-20T00:00", "2026-12-25T00:00", "UTC"),
            freeze("2026-12-25T00:00", "2027-01-01T00:00", "UTC"),
        ];
        assert_eq!(ends(&two, "2026-12-21T00:00:00Z").as_deref(), Some("2027-01-01T00:00:00Z"));
    }

    #[test]
    fn freeze_with_a_mistake_is_an_error_and_never_no_freeze() {
        let now = "2026-06-01T00:00:00Z".parse().unwrap();
        let unknown = [freeze("2026-12-20T00:00", "2026-12-25T00:00", "Europe/Pariss")];
        assert_eq!(active(&unknown, now), Err(FreezeError::TimeZone("Europe/Pariss".into())));
        let backwards = [freeze("2026-12-25T00:00", "2026-12-20T00:00", "UTC")];
        assert_eq!(active(&backwards, now), Err(FreezeError::Backwards(0)));
    }
}
