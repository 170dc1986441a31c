//! The command line of `security-scan`.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use windlass_ci::args::{Common, ToolArgs};

use crate::finding::Kind;
use crate::severity::Severity;

/// Scan a tree for vulnerable dependencies and for secrets.
///
/// Uses no network: the advisory database is a folder on this machine. Ends with 0 when the scan is clean, 1 when it
/// found something at or above --fail-on, 2 when the command line is wrong, and 3 when something could not be
/// scanned. Inside a git repository, files that .gitignore excludes are not read; symbolic links are never followed.
#[derive(Debug, Parser)]
#[command(name = "security-scan", version)]
pub(crate) struct Arguments {
    /// Scan this folder or file [default: the working folder]
    pub(crate) path: Option<PathBuf>,
    /// Scan only these, separated by commas [default: all of them]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "KINDS")]
    pub(crate) only: Vec<Only>,
    /// Read RustSec advisories from DIR [default: windlass/advisory-db in the user's cache folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) database: Option<PathBuf>,
    /// Call a database stale whose newest advisory is older than SPAN
    #[arg(long, value_name = "SPAN", default_value = "30d", value_parser = max_age)]
    pub(crate) max_age: MaxAge,
    /// Fail for findings of this severity and above
    #[arg(long, value_enum, default_value_t = Severity::High, value_name = "LEVEL")]
    pub(crate) fail_on: Severity,
    /// Write SARIF 2.1.0 to FILE [default: security-scan.sarif in the report folder]
    #[arg(long, value_name = "FILE")]
    pub(crate) sarif: Option<PathBuf>,
    /// List the packages of the lock files as CycloneDX 1.6 in FILE
    /// [default: security-scan.cdx.json in the report folder, where there is a lock file]
    #[arg(long, value_name = "FILE")]
    pub(crate) sbom: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What can be asked for with `--only`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Only {
    /// Vulnerable packages in lock files
    Dependencies,
    /// Credentials in files
    Secrets,
}

impl ToolArgs for Arguments {
    fn common(&self) -> &Common {
        &self.common
    }
}

impl Arguments {
    /// Whether this kind is to be scanned.
    pub(crate) fn wants(&self, kind: Kind) -> bool {
        let only = match kind {
            Kind::Dependency => Only::Dependencies,
            Kind::Secret => Only::Secrets,
        };
        self.only.is_empty() || self.only.contains(&only)
    }
}

/// The greatest age of the newest advisory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MaxAge(pub(crate) jiff::SignedDuration);

/// Reads `30d`, `12h`, `90m`: a count and a unit.
fn max_age(text: &str) -> Result<MaxAge, String> {
    let refuse = || format!("not a span: {text:?} (expected a count and d, h or m, such as 30d)");
    let digits = text.find(|character: char| !character.is_ascii_digit()).ok_or_else(refuse)?;
    let count: i64 = text[..digits].parse().map_err(|_| refuse())?;
    let seconds = match &text[digits..] {
        "d" => 86_400,
        "h" => 3_600,
        "m" => 60,
        _ => return Err(refuse()),
    };
    let total = count.checked_mul(seconds).filter(|total| *total > 0).ok_or_else(refuse)?;
    Ok(MaxAge(jiff::SignedDuration::from_secs(total)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_a_count_and_a_unit() {
        assert_eq!(max_age("30d"), Ok(MaxAge(jiff::SignedDuration::from_hours(720))));
        assert_eq!(max_age("90m"), Ok(MaxAge(jiff::SignedDuration::from_mins(90))));
        for bad in ["", "30", "d", "0d", "-1d", "1w", "1.5h", "99999999999999999999d", "9223372036854775807d"]
        {
            assert!(max_age(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn flags_are_consistent() {
        use clap::CommandFactory as _;
        Arguments::command().debug_assert();
    }
}
