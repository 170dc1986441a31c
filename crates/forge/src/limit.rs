//! Rate limits: whether an answer is one, and how long it asks to wait.
//!
//! Sources: "Rate limits for the REST API" of GitHub's documentation (403 or 429 with `retry-after`, or with
//! `x-ratelimit-remaining: 0` and `x-ratelimit-reset` in seconds of UTC), and "Rate limits" of GitLab's (429 with
//! `Retry-After`, `RateLimit-Reset`).

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;

/// What is waited where a forge limits and does not say how long: GitHub's own advice.
const UNSAID: Duration = Duration::from_secs(60);

/// How long to wait, where the answer says that there were too many requests.
pub(crate) fn wait(status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let retry_after = text("retry-after").and_then(|text| after(text, headers));
    let is_spent = text("x-ratelimit-remaining") == Some("0");
    match status.as_u16() {
        429 => {}
        403 if is_spent || retry_after.is_some() => {}
        _ => return None,
    }
    let reset = ["x-ratelimit-reset", "ratelimit-reset"].into_iter().find_map(text);
    let reset = reset.and_then(|text| text.parse::<i64>().ok()).and_then(|second| until(second, headers));
    Some(retry_after.or(reset).unwrap_or(UNSAID))
}

/// `Retry-After`: seconds, or a date by the forge's own clock.
fn after(text: &str, headers: &HeaderMap) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = date(text)?;
    until(at.as_second(), headers)
}

/// From the forge's own clock to that second: ours may go wrong.
fn until(second: i64, headers: &HeaderMap) -> Option<Duration> {
    let now = clock(headers)?.as_second();
    // One more, since both are whole seconds.
    Some(Duration::from_secs(u64::try_from(second.saturating_sub(now).max(0)).unwrap_or(0) + 1))
}

/// The clock of whoever answered.
pub(crate) fn clock(headers: &HeaderMap) -> Option<Timestamp> {
    headers.get("date").and_then(|value| value.to_str().ok()).and_then(date)
}

fn date(text: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok()
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    const DATE: &str = "Thu, 26 Nov 2026 12:00:00 GMT";

    fn asked(status: u16, headers: &[(&'static str, &'static str)]) -> Option<u64> {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        wait(StatusCode::from_u16(status).unwrap(), &headers).map(|wait| wait.as_secs())
    }

    #[test]
    fn a_limit_is_told_from_a_refusal_and_says_how_long() {
        let reset = ("x-ratelimit-reset", "1795694430");
        assert_eq!(
            clock(
                &[("date", DATE)]
                    .iter()
                    .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
                    .collect()
            )
            .unwrap()
            .as_second(),
            1_795_694_400
        );
        let table = [
            (200, vec![("x-ratelimit-remaining", "0")], None),
            (403, vec![], None),
            (403, vec![("x-ratelimit-remaining", "12")], None),
            (403, vec![("retry-after", "7")], Some(7)),
            (403, vec![("x-ratelimit-remaining", "0"), reset, ("date", DATE)], Some(31)),
            (429, vec![("retry-after", "Thu, 26 Nov 2026 12:00:05 GMT"), ("date", DATE)], Some(6)),
            (429, vec![("ratelimit-reset", "1795694400"), ("date", DATE)], Some(1)),
            (429, vec![("ratelimit-reset", "9"), ("date", DATE)], Some(1)),
            (429, vec![("retry-after", "soon")], Some(60)),
            (429, vec![], Some(60)),
        ];
        for (status, headers, seconds) in table {
            assert_eq!(asked(status, &headers), seconds, "{status} {headers:?}");
        }
    }
}
