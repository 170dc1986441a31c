//! Those who were not told: what of it shows, and where. It changes no outcome.

use std::fmt::Write as _;

use windlass_ci::fail::Result;
use windlass_ci::report::{Annotation, Level, Report};
use windlass_ci::sink;
use windlass_domain::announcement::Moment;
use windlass_domain::outcome::Reason;
use windlass_target::document::Own;

/// Why a listener could not be told. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unheard {
    /// Why, in a sentence.
    why: String,
    /// What mends it, where anything does.
    next: Option<String>,
    /// Whether that is as it should be, or somebody should look at it.
    level: Level,
}

impl Unheard {
    /// A listener that could not be told though it should have been.
    pub fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), next: None, level: Level::Warning }
    }

    /// A listener that cannot be told in a run of this kind, and nobody need mend it.
    pub fn expected(why: impl Into<String>) -> Self {
        Self { level: Level::Notice, ..Self::new(why) }
    }

    /// What mends it.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }
}

/// A listener that was not told, and what it did not hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Untold {
    pub(crate) name: String,
    pub(crate) moments: Vec<Moment>,
    pub(crate) why: Unheard,
}

impl Untold {
    fn line(&self) -> String {
        let moments: Vec<String> = self.moments.iter().map(|moment| format!("`{}`", moment.word())).collect();
        format!("{} was not told {}: {}", self.name, moments.join(", "), self.why.why)
    }
}

/// One entry for each listener and reason, however many moments it missed.
fn together(mut untold: Vec<Untold>) -> Vec<Untold> {
    untold.sort_by(|one, other| (&one.name, &one.moments).cmp(&(&other.name, &other.moments)));
    let mut all: Vec<Untold> = Vec::new();
    for one in untold {
        match all.iter_mut().find(|known| known.name == one.name && known.why == one.why) {
            Some(known) => known.moments.extend(one.moments),
            None => all.push(one),
        }
    }
    all
}

/// The result, with a word for each who was not told.
pub(crate) fn shown(result: Result<Report<Own>>, untold: Vec<Untold>) -> Result<Report<Own>> {
    let untold = together(untold);
    match result {
        Ok(mut report) => {
            untold.iter().for_each(|one| show(&mut report, one));
            Ok(report)
        }
        Err(failure) => Err(untold.iter().fold(failure, |failure, one| {
            let failure = failure.hint(one.line());
            one.why.next.iter().fold(failure, |failure, next| failure.hint(next))
        })),
    }
}

fn show(report: &mut Report<Own>, one: &Untold) {
    let why = one.line();
    let written = "writing to a string cannot fail";
    writeln!(report.text, "  {:<9} {}", "not told", sink::line(&why)).expect(written);
    writeln!(report.markdown, "\n- {}", sink::prose(&why)).expect(written);
    let mut reason = Reason::new("announcement").place(one.name.clone()).why(why.clone());
    if let Some(next) = &one.why.next {
        writeln!(report.text, "  {:<9} {}", "next", sink::line(next)).expect(written);
        writeln!(report.markdown, "  Next: {}", sink::prose(next)).expect(written);
        reason = reason.next(next.clone());
    }
    report.annotations.push(Annotation {
        level: one.why.level,
        title: format!("{} was not told", one.name),
        message: why,
        path: None,
        line: None,
    });
    report.reasons.push(reason);
}

#[cfg(test)]
mod tests {
    use windlass_domain::outcome::Outcome;

    use super::*;

    fn untold(moment: Moment, why: Unheard) -> Untold {
        Untold { name: "GitHub deployments".into(), moments: vec![moment], why }
    }

    #[test]
    fn one_reason_for_several_moments_is_one_line_with_what_mends_it_to_copy() {
        let why = Unheard::new("status 403").next("add `permissions: { deployments: write }`");
        let all = vec![untold(Moment::Live, why.clone()), untold(Moment::Started, why)];
        let report = shown(Ok(Report::new(Outcome::Passed)), all).unwrap();
        let told = "- GitHub deployments was not told `started`, `live`: status 403\n";
        assert!(report.markdown.contains(told), "{}", report.markdown);
        let next = "Next: add `permissions: { deployments: write }`\n";
        assert!(report.markdown.contains(next), "{}", report.markdown);
        assert_eq!(report.reasons.len(), 1);
        assert_eq!(report.reasons[0].next, "add `permissions: { deployments: write }`");
        assert_eq!(report.annotations[0].level, Level::Warning);
    }

    #[test]
    fn what_is_as_it_should_be_is_no_warning() {
        let all = vec![untold(Moment::Live, Unheard::expected("a fork's token only reads"))];
        let report = shown(Ok(Report::new(Outcome::Passed)), all).unwrap();
        assert_eq!(report.annotations[0].level, Level::Notice);
        assert!(!report.markdown.contains("Next"), "{}", report.markdown);
    }
}
