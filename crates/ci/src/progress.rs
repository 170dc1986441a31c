//! Progress on standard error: live on a terminal, a line a step in a log, nothing with `--quiet`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::args::Common;
use crate::context::Context;
use crate::{sink, stream};

/// Says what is going on. Clones share one live line.
#[derive(Clone, Debug)]
pub struct Progress(Kind);

#[derive(Clone, Debug)]
enum Kind {
    /// `--quiet`.
    Quiet,
    /// A log: what was said last of what is being waited for, without its figures.
    Log(Arc<Mutex<String>>),
    /// A terminal.
    Live(ProgressBar),
}

/// How often the live line moves.
const TICK: Duration = Duration::from_millis(120);

impl Progress {
    /// For these flags and this terminal.
    #[must_use]
    pub fn new(common: &Common, context: &Context) -> Self {
        if common.quiet {
            return Self(Kind::Quiet);
        }
        let is_dumb =
            context.var("TERM").is_none_or(|terminal| terminal == "dumb") || context.var("CI").is_some();
        if !context.stderr_is_terminal || is_dumb {
            return Self(Kind::Log(Arc::default()));
        }
        let bar = ProgressBar::hidden();
        let style =
            ProgressStyle::with_template("{spinner:.cyan} {wide_msg}").expect("the template is right");
        bar.set_style(style.tick_strings(&["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏", " "]));
        Self(Kind::Live(bar))
    }

    /// A step that has ended, or a fact worth a line of its own. Text from outside is escaped.
    pub fn say(&self, text: &str) {
        let line = format!("{}\n", sink::line(text));
        match &self.0 {
            Kind::Quiet => {}
            Kind::Log(_) => stream::err(&line),
            Kind::Live(bar) => bar.suspend(|| stream::err(&line)),
        }
    }

    /// A piece of the result itself, on standard output, above the live line. It is written also with `--quiet`.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn print(&self, text: &str) -> std::io::Result<()> {
        match &self.0 {
            Kind::Quiet | Kind::Log(_) => stream::out(text),
            Kind::Live(bar) => bar.suspend(|| stream::out(text)),
        }
    }

    /// What is being waited for now: replaced by the next on a terminal, said once in a log, where a text that
    /// differs from the last in its figures alone is the same.
    pub fn now(&self, text: &str) {
        let text = sink::line(text);
        match &self.0 {
            Kind::Quiet => {}
            Kind::Log(last) => {
                let subject = text.replace(|letter: char| letter.is_ascii_digit(), "");
                let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                if *last != subject {
                    *last = subject;
                    stream::err(&format!("{text}\n"));
                }
            }
            Kind::Live(bar) => {
                bar.set_message(text);
                if bar.is_hidden() {
                    bar.reset();
                    bar.set_draw_target(indicatif::ProgressDrawTarget::stderr());
                    bar.enable_steady_tick(TICK);
                }
            }
        }
    }

    /// Takes the live line away.
    pub fn clear(&self) {
        if let Kind::Live(bar) = &self.0 {
            bar.finish_and_clear();
            bar.set_draw_target(indicatif::ProgressDrawTarget::hidden());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_shared_between_threads() {
        const fn demand<T: Clone + Send + Sync>() {}
        demand::<Progress>();
    }

    #[test]
    fn log_says_once_what_differs_in_figures_alone() {
        let last = Arc::<Mutex<String>>::default();
        let progress = Progress(Kind::Log(Arc::clone(&last)));
        progress.now("waiting for r7: 3 of 5");
        assert_eq!(*last.lock().unwrap(), "waiting for r:  of ");
        progress.clone().now("waiting for r7: 4 of 5");
        progress.now("draining");
        assert_eq!(*last.lock().unwrap(), "draining");
    }
}
