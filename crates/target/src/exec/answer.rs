//! How a command's exit code and output become an answer, a refusal or a fault.

use windlass_domain::outcome::Outcome;

use crate::command::Ended;
use crate::driver::DriverError;
use crate::host::control::Rejected;

/// Why a command did not do what was asked.
#[derive(Debug)]
pub(super) enum Refused {
    /// It says so, and how.
    Said(Rejected, Vec<String>),
    /// It broke off, or contradicts itself.
    Broken(String),
}

impl Refused {
    /// As the driver's error; `attempt` says what was asked of whom.
    pub(super) fn into_error(self, attempt: String) -> DriverError {
        match self {
            Self::Said(Rejected::Fence { refusal }, _) => DriverError::Fence(refusal),
            Self::Said(Rejected::Head { head }, _) => DriverError::Head(head),
            Self::Said(Rejected::Judged { why, log }, said) => {
                DriverError::Judged { why, log: if log.is_empty() { said } else { log } }
            }
            Self::Said(Rejected::Fault { why }, said) => {
                DriverError::Unreachable { attempt, source: with_log(why, &said).into() }
            }
            Self::Broken(why) => DriverError::Unreachable { attempt, source: why.into() },
        }
    }
}

/// The output of a command that did what was asked.
///
/// # Errors
/// What it rejected. A code without its word, or a word without its code, is no judgement: a shell that stops at an
/// error ends with 1 as well.
pub(super) fn judge(ended: Ended) -> Result<Vec<u8>, Refused> {
    let Ended { status, output, log } = ended;
    let rejected: Option<Rejected> = serde_json::from_slice(&output).ok();
    match (status.code(), rejected) {
        (Some(0), None) => Ok(output),
        (Some(code), Some(rejected)) if code == code_of(&rejected) => Err(Refused::Said(rejected, log)),
        (_, Some(rejected)) => Err(Refused::Broken(with_log(
            format!(
                "it ended with {status} and said `{}`, whose code is {}",
                word(&rejected),
                code_of(&rejected)
            ),
            &log,
        ))),
        (_, None) => Err(Refused::Broken(with_log(format!("it ended with {status} and said no why"), &log))),
    }
}

/// The exit code that goes with a rejection: that of the outcome which it leads to.
pub(super) const fn code_of(rejected: &Rejected) -> i32 {
    let outcome = match rejected {
        Rejected::Fence { .. } | Rejected::Head { .. } => Outcome::Refused,
        Rejected::Judged { .. } => Outcome::Failed,
        Rejected::Fault { .. } => Outcome::Unknown,
    };
    outcome.code() as i32
}

const fn word(rejected: &Rejected) -> &'static str {
    match rejected {
        Rejected::Fence { .. } => "fence",
        Rejected::Head { .. } => "head",
        Rejected::Judged { .. } => "judged",
        Rejected::Fault { .. } => "fault",
    }
}

fn with_log(why: String, log: &[String]) -> String {
    if log.is_empty() { why } else { format!("{why}; its log ends: {}", log.join(" | ")) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    use super::*;

    fn ended(code: i32, output: &str) -> Ended {
        let status = ExitStatus::from_raw(code << 8);
        Ended { status, output: output.into(), log: vec!["no space left".into()] }
    }

    fn error(code: i32, output: &str) -> DriverError {
        judge(ended(code, output)).expect_err("a refusal").into_error("asked".into())
    }

    #[test]
    fn a_code_and_its_word_are_an_answer() {
        let stale = r#"{"rejected":"fence","refusal":{"kind":"stale","carried":1,"current":2}}"#;
        assert!(matches!(error(6, stale), DriverError::Fence(_)));
        let head =
            format!(r#"{{"rejected":"head","head":{{"number":3,"hash":"sha256:{}"}}}}"#, "0".repeat(64));
        assert!(matches!(error(6, &head), DriverError::Head(head) if head.number == 3));
        let judged = r#"{"rejected":"judged","why":"r2 does not answer"}"#;
        assert!(matches!(error(1, judged), DriverError::Judged { log, .. } if log == ["no space left"]));
        let fault = r#"{"rejected":"fault","why":"disk full"}"#;
        assert!(matches!(error(3, fault), DriverError::Unreachable { .. }));
        assert_eq!(judge(ended(0, "{}")).expect("done"), b"{}");
    }

    #[test]
    fn a_command_that_breaks_off_has_judged_nothing() {
        for code in [1, 3, 6, 127] {
            let DriverError::Unreachable { source, .. } = error(code, "") else { panic!("{code}") };
            assert!(source.to_string().contains("no space left"), "{source}");
        }
    }

    #[test]
    fn a_word_under_another_code_is_no_answer() {
        let judged = r#"{"rejected":"judged","why":"r2 does not answer"}"#;
        for code in [0, 3, 6] {
            assert!(matches!(error(code, judged), DriverError::Unreachable { .. }), "{code}");
        }
    }
}
