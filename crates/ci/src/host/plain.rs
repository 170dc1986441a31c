//! No CI system: a terminal, or a log that nobody parses.

use std::io;

use windlass_domain::secret::Secret;

use super::Host;
use crate::context::Context;
use crate::report::Annotation;

/// A terminal, or a log that nobody parses.
pub(super) struct Plain {
    who: String,
}

impl Plain {
    pub(super) fn new(context: &Context) -> Self {
        let user = context.var("USER").or_else(|| context.var("LOGNAME")).unwrap_or("somebody");
        let host = context.var("HOSTNAME").unwrap_or("this machine");
        Self { who: format!("{user}@{host}") }
    }
}

impl Host for Plain {
    fn name(&self) -> &'static str {
        "none"
    }

    fn annotations(&self, _: &[Annotation]) -> String {
        String::new()
    }

    fn summary(&self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn outputs(&self, _: &[(String, String)]) -> io::Result<()> {
        Ok(())
    }

    fn mask(&self, _: &Secret<String>) -> String {
        String::new()
    }

    fn group(&self, title: &str) -> (String, String) {
        (format!("{title}\n"), String::new())
    }

    fn who(&self) -> String {
        self.who.clone()
    }

    fn run(&self) -> Option<String> {
        None
    }

    fn commit(&self) -> Option<String> {
        None
    }
}
