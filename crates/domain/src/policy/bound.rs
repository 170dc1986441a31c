//! Bounds: `>= 80%`, `== 0`, `<= 30m`.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Percent, Span};

/// How a value is compared with a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `>=`
    AtLeast,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `<`
    Less,
}

impl Comparison {
    /// Every comparison with its sign, longest signs first.
    pub const SIGNS: [(&'static str, Self); 6] = [
        ("==", Self::Equal),
        ("!=", Self::NotEqual),
        (">=", Self::AtLeast),
        ("<=", Self::AtMost),
        (">", Self::More),
        ("<", Self::Less),
    ];

    /// The sign, as written in `windlass.yml`.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::AtLeast => ">=",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::Less => "<",
        }
    }
}

/// A value with its unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Quantity {
    /// A plain count.
    Number(f64),
    /// A share of a whole.
    Percent(Percent),
    /// A length of time.
    Span(Span),
    /// A size in bytes: `10MB`, `8MiB`.
    Bytes(u64),
}

impl Quantity {
    /// The name of its unit, as the registry of metrics uses it.
    #[must_use]
    pub const fn unit(&self) -> &'static str {
        match self {
            Self::Number(_) => "number",
            Self::Percent(_) => "percent",
            Self::Span(_) => "duration",
            Self::Bytes(_) => "bytes",
        }
    }

    /// Its size in the base of its unit: counts, percent, seconds, bytes.
    #[must_use]
    pub fn base(&self) -> f64 {
        match self {
            Self::Number(number) => *number,
            Self::Percent(percent) => percent.get(),
            Self::Span(span) => span.get().as_secs_f64(),
            #[expect(clippy::cast_precision_loss, reason = "sizes beyond 2^53 bytes are not released")]
            Self::Bytes(bytes) => *bytes as f64,
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Percent(percent) => write!(f, "{percent}"),
            Self::Span(span) => write!(f, "{span}"),
            Self::Bytes(bytes) => write!(f, "{bytes}B"),
        }
    }
}

/// What a metric's value must satisfy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bound {
    /// How it is compared.
    pub comparison: Comparison,
    /// With what.
    pub value: Quantity,
}

impl Bound {
    /// Whether `observed` satisfies the bound; `None` where the units differ or the value is not a number:
    /// that is an error, never a pass.
    #[must_use]
    pub fn holds(&self, observed: Quantity) -> Option<bool> {
        let (seen, wanted) = (observed.base(), self.value.base());
        if observed.unit() != self.value.unit() || seen.is_nan() || wanted.is_nan() {
            return None;
        }
        Some(match self.comparison {
            Comparison::Equal => seen == wanted,
            Comparison::NotEqual => seen != wanted,
            Comparison::AtLeast => seen >= wanted,
            Comparison::AtMost => seen <= wanted,
            Comparison::More => seen > wanted,
            Comparison::Less => seen < wanted,
        })
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.comparison.sign(), self.value)
    }
}
