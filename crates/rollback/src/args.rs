//! The flags of `rollback`.

use std::str::FromStr;

use clap::Parser;
use windlass_ci::args::{Common, ToolArgs};
use windlass_domain::digest::Digest;
use windlass_domain::release::Sequence;

/// Return an environment to a release that it ran before, with its configuration.
///
/// Without --to it goes to what was live before the live release first was; while a rollout is open, that one is
/// turned back. Where the release that --to names is live already, nothing is done. Afterwards the environment is on hold, so that the next push does not undo the rollback, until
/// `windlass unhold`.
#[derive(Debug, Parser)]
#[command(name = "rollback", version)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Go to this release: its number in the ledger (7 or r7), or its artifact's digest
    #[arg(long, value_name = "SEQUENCE|DIGEST")]
    pub(crate) to: Option<To>,
    /// Refuse anything but this plan, by its sha256 as --plan prints it
    #[arg(long, value_name = "PLAN")]
    pub(crate) approved: Option<Digest>,
    /// Say why, in the ledger and to whoever is held
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Do not hold the environment afterwards
    #[arg(long)]
    pub(crate) no_hold: bool,
}

impl ToolArgs for Arguments {
    fn common(&self) -> &Common {
        &self.common
    }
}

/// Which release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    Sequence(Sequence),
    Digest(Digest),
}

impl FromStr for To {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(digest) = text.parse() {
            return Ok(Self::Digest(digest));
        }
        text.parse().map(Self::Sequence).map_err(|_| {
            "not a release: give its number in the ledger (7 or r7) or its artifact's digest (sha256:…)"
                .to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_named_by_number_or_digest() {
        assert_eq!("7".parse(), Ok(To::Sequence(Sequence(7))));
        assert_eq!("r7".parse(), Ok(To::Sequence(Sequence(7))));
        let digest = Digest::of(b"x");
        assert_eq!(digest.to_string().parse(), Ok(To::Digest(digest)));
        assert!("last".parse::<To>().is_err());
    }
}
