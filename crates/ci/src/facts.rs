//! A verdict and its facts, for a terminal and for a summary.

use std::fmt::Write as _;

use windlass_domain::outcome::{Outcome, Reason};

use crate::sink;

/// A verdict in one sentence, then facts by name, then reasons.
#[derive(Clone, Debug)]
pub struct Facts {
    /// How it ended.
    pub outcome: Outcome,
    /// The verdict in one sentence.
    pub verdict: String,
    /// Names and values; empty values are left out.
    pub facts: Vec<(&'static str, String)>,
    /// What to do next: a command to copy.
    pub next: Option<String>,
}

impl Facts {
    /// For a terminal.
    #[must_use]
    pub fn text(&self, reasons: &[Reason]) -> String {
        let style = match self.outcome {
            Outcome::Passed => anstyle::AnsiColor::Green.on_default(),
            Outcome::Held | Outcome::Unknown | Outcome::Refused => anstyle::AnsiColor::Yellow.on_default(),
            Outcome::Failed | Outcome::Invalid | Outcome::Stuck => anstyle::AnsiColor::Red.on_default(),
        }
        .bold();
        let mut text = format!("{style}{}{style:#}: {}\n", self.outcome, sink::line(&self.verdict));
        for (name, value) in self.facts.iter().filter(|(_, value)| !value.is_empty()) {
            writeln!(text, "  {name:<9} {}", sink::line(value)).expect("writing to a string cannot fail");
        }
        for reason in reasons {
            text.push_str(&reason_text(reason));
        }
        if let Some(next) = &self.next {
            writeln!(text, "  {:<9} {}", "next", sink::line(next)).expect("writing to a string cannot fail");
        }
        text
    }

    /// For a summary, in Markdown.
    #[must_use]
    pub fn markdown(&self, title: &str, reasons: &[Reason]) -> String {
        let mut text =
            format!("## {title}: {}\n\n{}\n\n| | |\n|---|---|\n", self.outcome, sink::prose(&self.verdict));
        for (name, value) in self.facts.iter().filter(|(_, value)| !value.is_empty()) {
            writeln!(text, "| {name} | {} |", sink::markdown(value))
                .expect("writing to a string cannot fail");
        }
        for reason in reasons {
            let told = [&reason.what, &reason.observed, &reason.required, &reason.place, &reason.why];
            let told: Vec<String> =
                told.iter().filter(|part| !part.is_empty()).map(|part| sink::prose(part)).collect();
            writeln!(text, "\n- {}", told.join(" — ")).expect("writing to a string cannot fail");
            if !reason.next.is_empty() && self.next.as_ref() != Some(&reason.next) {
                writeln!(text, "  Next: {}", sink::prose(&reason.next))
                    .expect("writing to a string cannot fail");
            }
        }
        if let Some(next) = &self.next {
            writeln!(text, "\nNext:\n\n```\n{}\n```", sink::line(next).replace('`', "'"))
                .expect("writing to a string cannot fail");
        }
        text
    }
}

/// A reason for a terminal: what, observed, required, where, why, next.
#[must_use]
pub fn reason_text(reason: &Reason) -> String {
    let mut text = format!("  {}\n", sink::line(&reason.what));
    let parts = [
        ("observed", &reason.observed),
        ("required", &reason.required),
        ("where", &reason.place),
        ("why", &reason.why),
        ("next", &reason.next),
    ];
    for (name, value) in parts.iter().filter(|(_, value)| !value.is_empty()) {
        writeln!(text, "    {name:<9} {}", sink::line(value)).expect("writing to a string cannot fail");
    }
    text
}
