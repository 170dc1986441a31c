//! `freeze`: nothing enters while one holds.

use windlass_domain::freeze::active;

use super::{Facts, Judged};
use crate::status::Status;

pub(super) fn judge(facts: &Facts<'_>) -> Judged {
    let new = |status| Judged::new("freeze", "no freeze", status);
    match active(&facts.environment.freeze, facts.now) {
        Ok(None) => new(Status::Passed).observed("none now"),
        Ok(Some(frozen)) => {
            let reason = frozen.reason.map_or_else(String::new, |reason| format!(": {reason}"));
            new(Status::Pending)
                .observed(format!("frozen until {}", frozen.ends))
                .why(format!("{} is frozen{reason}", facts.environment.name))
                .next(format!("run gate-check again after {}", frozen.ends))
        }
        Err(error) => new(Status::Error).why(error.to_string()).next("mend freeze in windlass.yml"),
    }
}
