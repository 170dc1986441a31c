//! Texts with units: `1h30m`, `80%`, `1.3x`, `8MiB`.

use crate::policy::units::SPAN_UNITS;
use crate::policy::{Percent, Ratio, Span};

/// The longest span: ten years. Sums with the clock stay far from its end.
const LONGEST: u64 = 3_653 * 86_400_000;

/// A span such as `500ms`, `30m` or `1h30m`: whole numbers, units from large to small, each once.
pub(super) fn span(text: &str) -> Option<Span> {
    let mut rest = text;
    let mut total: u64 = 0;
    let mut units = SPAN_UNITS.iter();
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let count: u64 = rest.get(..digits)?.parse().ok()?;
        let after = &rest[digits..];
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, next) = after.split_at(letters);
        let (_, size) = units.find(|(name, _)| *name == unit)?;
        total = total.checked_add(count.checked_mul(*size)?)?;
        rest = next;
    }
    (!text.is_empty() && total <= LONGEST).then(|| Span::millis(total))
}

/// A text that is not a length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotASpan;

impl std::fmt::Display for NotASpan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not a length of time: write for example 500ms, 30s, 10m or 1h30m")
    }
}

impl std::error::Error for NotASpan {}

impl std::str::FromStr for Span {
    type Err = NotASpan;

    fn from_str(text: &str) -> Result<Self, NotASpan> {
        span(text).ok_or(NotASpan)
    }
}

/// A share such as `80%` or `0.5%`.
pub(super) fn percent(text: &str) -> Option<Percent> {
    Percent::new(decimal(text.strip_suffix('%')?.trim_end())?)
}

/// A factor such as `2x` or `1.3x`.
pub(super) fn ratio(text: &str) -> Option<Ratio> {
    Ratio::new(decimal(text.strip_suffix('x')?)?)
}

/// A size such as `512B`, `10MB` or `8MiB`.
pub(super) fn bytes(text: &str) -> Option<u64> {
    const UNITS: [(&str, u64); 7] = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("kB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("B", 1),
    ];
    let (unit, size) = UNITS.iter().find(|(unit, _)| text.ends_with(unit))?;
    whole(text.strip_suffix(unit)?.trim_end())?.checked_mul(*size)
}

/// A whole number, written with digits only.
pub(super) fn whole(text: &str) -> Option<u64> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

/// A decimal number, written with digits and at most one point between them.
pub(super) fn decimal(text: &str) -> Option<f64> {
    let (integer, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    (text.len() <= 24 && digits(integer) && digits(fraction)).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_sums_from_large_to_small() {
        let cases = [
            ("0s", Some(0)),
            ("500ms", Some(500)),
            ("30m", Some(1_800_000)),
            ("1h30m", Some(5_400_000)),
            ("7d", Some(604_800_000)),
            ("1m500ms", Some(60_500)),
            ("", None),
            ("30", None),
            ("m", None),
            ("30 m", None),
            ("1.5h", None),
            ("-1h", None),
            ("30m1h", None),
            ("1h1h", None),
            ("30min", None),
            ("1M", None),
            ("4000d", None),
            ("99999999999999999999d", None),
        ];
        for (text, millis) in cases {
            assert_eq!(span(text).map(u64::from), millis, "{text}");
        }
    }

    #[test]
    fn shares_factors_and_sizes_need_their_units() {
        assert_eq!(percent("80%").map(Percent::get), Some(80.0));
        assert_eq!(percent("0.5 %").map(Percent::get), Some(0.5));
        for bad in ["80", "101%", "-1%", "%", ".5%", "5.%", "1e1%", "NaN%", "inf%", "1_0%"] {
            assert_eq!(percent(bad), None, "{bad}");
        }
        assert_eq!(ratio("1.3x").map(Ratio::get), Some(1.3));
        for bad in ["2", "x", "0x", "2X", "-2x", "0x10"] {
            assert_eq!(ratio(bad), None, "{bad}");
        }
        assert_eq!(bytes("8MiB"), Some(8 << 20));
        assert_eq!(bytes("10MB"), Some(10_000_000));
        assert_eq!(bytes("512B"), Some(512));
        for bad in ["8", "8Mb", "B", "99999999999999999999GB", "20000000000GB"] {
            assert_eq!(bytes(bad), None, "{bad}");
        }
    }
}
