//! What the agent promises about bytes that come from outside, each checked on whatever bytes it is given: by
//! `cargo fuzz` on those that it finds, by tests on the seeds that it begins with.

mod control;
mod ledger;

pub(crate) use self::control::check as control;
pub(crate) use self::ledger::check as ledger;
pub(crate) use crate::route::agreement::check as requests;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// Runs each committed seed of a target through it.
    fn replay(target: &str, check: fn(&[u8])) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
        let mut seeds = 0;
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("a folder that can be read").path();
            let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            // Shown where the seed breaks a promise.
            println!("{}", path.display());
            check(&bytes);
            seeds += 1;
        }
        assert!(seeds >= 5, "{seeds} seeds in {}", folder.display());
    }

    #[test]
    fn the_seeds_of_requests_hold() {
        replay("requests", super::requests);
    }

    #[test]
    fn the_seeds_of_the_control_protocol_hold() {
        replay("control", super::control);
    }

    #[test]
    fn the_seeds_of_the_ledger_hold() {
        replay("ledger", super::ledger);
    }
}
