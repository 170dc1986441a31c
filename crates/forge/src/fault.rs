//! Why a forge gave no answer: what was asked of whom, what it said, and which permission or address mends it.
//!
//! Nothing in here may hold a token: what a forge says is cut and cleared of it before it becomes a fault.

use std::fmt;
use std::time::Duration;

use crate::need::Need;

/// A forge gave no answer that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `--offline`: nothing was asked.
    Offline,
    /// There is no forge to ask, or no token for it.
    NotSet {
        /// What is missing.
        why: String,
        /// What to set.
        remedy: String,
    },
    /// 401, 403 or 404: the token may not, or what is asked about is not there. A forge often says 404 for both.
    Denied {
        /// What was attempted, and where.
        attempt: String,
        /// The status.
        status: u16,
        /// What the forge said, cut.
        says: String,
        /// What the token needs.
        need: Need,
        /// The variable that it comes from.
        token: &'static str,
    },
    /// The forge counts too many requests, and the time that it names is longer than a run waits.
    Limited {
        /// What was attempted, and where.
        attempt: String,
        /// How long it asks to wait.
        wait: Duration,
    },
    /// No answer came: the network, a proxy, TLS, a time-out, or an error of the forge's own.
    Unreachable {
        /// What was attempted, and where.
        attempt: String,
        /// Why.
        why: String,
    },
    /// An answer came that is none: HTML, cut JSON, another shape, too large, a redirect elsewhere.
    Unreadable {
        /// What was attempted, and where.
        attempt: String,
        /// Why it cannot be read.
        why: String,
    },
    /// The forge understood, and refused what was asked (409, 422 and the like).
    Refused {
        /// What was attempted, and where.
        attempt: String,
        /// The status.
        status: u16,
        /// What the forge said, cut.
        says: String,
    },
}

impl Fault {
    /// What to do about it, in a sentence.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Offline => "run it without --offline".to_owned(),
            Self::NotSet { remedy, .. } => remedy.clone(),
            Self::Denied { need, token, status: 401, .. } => {
                format!("set a token that is valid; {}", need.hint(token))
            }
            Self::Denied { need, token, .. } => need.hint(token),
            Self::Limited { .. } => {
                "run it again after that time, or with a token of its own in WINDLASS_FORGE_TOKEN".to_owned()
            }
            Self::Unreachable { .. } => {
                "look at the network, HTTPS_PROXY and NO_PROXY, then run it again".to_owned()
            }
            Self::Unreadable { .. } => {
                "look at the API's address: GITHUB_API_URL ends in /api/v3 on GitHub Enterprise Server, CI_API_V4_URL in /api/v4"
                    .to_owned()
            }
            Self::Refused { .. } => "mend what the forge names, then run it again".to_owned(),
        }
    }

    /// Whether the forge said that it is not there, or hides it.
    #[must_use]
    pub const fn is_missing(&self) -> bool {
        matches!(self, Self::Denied { status: 404, .. })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offline => f.write_str("--offline: no forge is asked"),
            Self::NotSet { why, .. } => f.write_str(why),
            Self::Denied { attempt, status, says, need, token } => {
                let means = match status {
                    401 => format!("the token in {token} is wrong, expired or revoked; it needs"),
                    404 => format!("it is not there, or the token in {token} may not see it and lacks"),
                    _ => format!("the token in {token} lacks"),
                };
                write!(f, "cannot {attempt}: status {status}{says}: {means} {}", need.permission)
            }
            Self::Limited { attempt, wait } => {
                write!(f, "cannot {attempt}: its rate limit asks to wait {} s", wait.as_secs())
            }
            Self::Unreachable { attempt, why } | Self::Unreadable { attempt, why } => {
                write!(f, "cannot {attempt}: {why}")
            }
            Self::Refused { attempt, status, says } => write!(f, "cannot {attempt}: status {status}{says}"),
        }
    }
}

impl std::error::Error for Fault {}
