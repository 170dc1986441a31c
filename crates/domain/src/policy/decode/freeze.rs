//! `freeze`: when nothing may enter.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZoneDatabase;

use super::fields::Entry;
use super::{Decoder, nearest, shape, topics};
use crate::policy::Freeze;
use crate::policy::yaml::Value;

/// The forms of a moment.
const FORMS: &str =
    "write `2026-12-20` for a day, or `2026-12-20T18:00` for a moment, in the freeze's `timezone`";

/// Which end of a freeze a date stands for.
#[derive(Clone, Copy)]
enum End {
    /// The first moment of the day.
    First,
    /// The first moment after the day.
    Last,
}

impl Decoder {
    /// A list of freezes, or one.
    pub(super) fn freezes(&mut self, entry: &Entry<'_>) -> Option<Vec<Freeze>> {
        let freezes: Vec<_> = self.items(entry).iter().map(|item| self.freeze(item)).collect();
        freezes.into_iter().collect()
    }

    fn freeze(&mut self, entry: &Entry<'_>) -> Option<Freeze> {
        if !matches!(entry.node.value, Value::Mapping(_)) {
            self.wrong_type(
                entry,
                "maps with `from` and `to`",
                "write `{ from: 2026-12-20, to: 2027-01-04 }`",
            );
            return None;
        }
        let fields = self.fields(entry, &shape::FREEZE)?;
        let from = self
            .required(&fields, "from", "from: 2026-12-20")
            .and_then(|entry| self.moment(&entry, End::First));
        let to = self.required(&fields, "to", "to: 2027-01-04");
        let place = to.as_ref().map_or_else(|| entry.key.clone(), |to| to.place().clone());
        let to = to.and_then(|entry| self.moment(&entry, End::Last));
        let timezone =
            fields.get("timezone").map_or_else(|| Some("UTC".to_owned()), |entry| self.timezone(&entry));
        let reason = fields.get("reason").map(|entry| self.text(&entry, "say why, in a sentence"));
        let (from, to) = (from?, to?);
        if from >= to {
            let hint = "`from` comes first; a date under `to` is included";
            self.report(&topics::FREEZE, &place, "the freeze ends before it begins", hint);
            return None;
        }
        Some(Freeze {
            from,
            to,
            timezone: timezone?,
            reason: reason.map_or(Some(None), |reason| reason.map(Some))?,
        })
    }

    fn moment(&mut self, entry: &Entry<'_>, end: End) -> Option<DateTime> {
        let text = self.text(entry, FORMS)?;
        let moment = match text.split_once('T') {
            Some((date, time)) => {
                civil_date(date).zip(civil_time(time)).map(|(date, time)| date.to_datetime(time))
            }
            None => civil_date(&text).and_then(|date| match end {
                End::First => Some(date.to_datetime(Time::midnight())),
                End::Last => date.tomorrow().ok().map(|next| next.to_datetime(Time::midnight())),
            }),
        };
        if moment.is_none() {
            let message = format!("`{}` needs a date or a moment, not {}", entry.name, entry.described());
            self.report(&topics::FREEZE, entry.place(), message, FORMS);
        }
        moment
    }

    fn timezone(&mut self, entry: &Entry<'_>) -> Option<String> {
        let text = self.text(entry, "write an IANA zone such as `Europe/Paris`")?;
        // The bundled database and no other: what is valid must not depend on the machine that asks.
        let zones = TimeZoneDatabase::bundled();
        if text == "UTC" || zones.get(&text).is_ok() {
            return Some(text);
        }
        let known: Vec<String> = zones.available().map(|name| name.as_str().to_owned()).collect();
        let hint = match nearest(&text, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "write an IANA zone such as `Europe/Paris`, or `UTC`".to_owned(),
        };
        self.report(&topics::FREEZE, entry.place(), format!("unknown time zone `{text}`"), hint);
        None
    }
}

/// `2026-12-20`.
fn civil_date(text: &str) -> Option<Date> {
    let shaped = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    shaped.then(|| text.parse().ok())?
}

/// `18:00` or `18:00:30`; an offset is refused, because the zone stands under `timezone`.
fn civil_time(text: &str) -> Option<Time> {
    let shaped =
        matches!(text.len(), 5 | 8) && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b':');
    shaped.then(|| text.parse().ok())?
}
