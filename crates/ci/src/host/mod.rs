//! CI systems: how each takes annotations, summaries, outputs and masks.

use std::io;

use windlass_domain::secret::Secret;

use crate::args::CiChoice;
use crate::context::Context;
use crate::report::Annotation;

/// A CI system's conventions. One file each; [`detect`] is the registry.
pub trait Host: Send + Sync {
    /// Its name: `github`, `gitlab`, `none`.
    fn name(&self) -> &'static str;
    /// Commands that mark places, for standard error; escaped, at most ten a level with the rest counted.
    fn annotations(&self, annotations: &[Annotation]) -> String;
    /// Adds to the job's summary.
    ///
    /// # Errors
    /// When the system's file cannot be written.
    fn summary(&self, markdown: &str) -> io::Result<()>;
    /// Hands outputs to later jobs.
    ///
    /// # Errors
    /// When the system's file cannot be written.
    fn outputs(&self, outputs: &[(String, String)]) -> io::Result<()>;
    /// The commands that make the system hide a value in its log, for standard error.
    fn mask(&self, secret: &Secret<String>) -> String;
    /// The commands around a foldable part of the log, for standard error: begin and end.
    fn group(&self, title: &str) -> (String, String);
    /// Who runs this, for the ledger: a job's URL and the actor, or user and host.
    fn who(&self) -> String;
    /// The commit that is being released, in full, where the system says it.
    fn commit(&self) -> Option<String>;
}

/// Finds the CI system, or takes the chosen one.
#[must_use]
pub fn detect(choice: CiChoice, context: &Context) -> Box<dyn Host> {
    let _ = choice;
    Box::new(plain::Plain::new(context))
}

mod plain;
