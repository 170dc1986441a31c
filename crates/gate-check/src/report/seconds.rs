//! Times as test runners write them: `0.160`, `0,160`, `14,029.255`, `12ms`, `80.803us`.

use std::time::Duration;

/// Reads a time; `None` where it cannot be read. Without a unit it is in seconds.
///
/// A lone comma is a decimal comma: runners that group thousands write decimals behind a full stop as well.
pub(super) fn read(text: &str) -> Option<Duration> {
    let text = text.trim();
    let number_end = text
        .find(|c: char| !matches!(c, '0'..='9' | '.' | ',' | 'e' | 'E' | '+' | '-'))
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(number_end);
    let scale = match unit.trim() {
        "" | "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        "ms" => 1e-3,
        "us" | "µs" | "μs" => 1e-6,
        "ns" => 1e-9,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    let number = plain(number)?;
    let seconds: f64 = number.parse().ok()?;
    Duration::try_from_secs_f64(seconds * scale).ok()
}

/// The number with a full stop as its only separator.
fn plain(number: &str) -> Option<String> {
    let (commas, stops) = (number.matches(',').count(), number.matches('.').count());
    let comma_is_decimal = match (commas, stops) {
        (0, 0 | 1) => return Some(number.to_owned()),
        (1, 0) => true,
        (_, 0) => false,
        (_, _) => number.rfind(',') > number.rfind('.'),
    };
    let (grouping, decimal) = if comma_is_decimal { ('.', ',') } else { (',', '.') };
    if number.matches(decimal).count() > 1 {
        return None;
    }
    Some(number.replace(grouping, "").replace(decimal, "."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_many_runners_are_read() {
        let cases: [(&str, Option<u64>); 17] = [
            ("0.160", Some(160_000)),
            ("0,160", Some(160_000)),
            ("14,029.255", Some(14_029_255_000)),
            ("14.029,255", Some(14_029_255_000)),
            ("1,234,567.5", Some(1_234_567_500_000)),
            ("12ms", Some(12_000)),
            ("12 ms", Some(12_000)),
            ("80us", Some(80)),
            ("80.803us", Some(80)),
            ("7µs", Some(7)),
            ("1e-3", Some(1_000)),
            (" 3 ", Some(3_000_000)),
            ("2s", Some(2_000_000)),
            ("", None),
            ("NaN", None),
            ("-1", None),
            ("fast", None),
        ];
        for (text, micros) in cases {
            assert_eq!(read(text).map(|time| u64::try_from(time.as_micros()).unwrap()), micros, "{text:?}");
        }
    }
}
