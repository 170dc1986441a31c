//! The questions that `init` asks on a terminal: at most four, each with what was found as its answer.

use std::io::BufRead;

use windlass_ci::fail::{Failure, Result};
use windlass_ci::{sink, stream, topics};

use super::system;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answers {
    /// The application's name.
    pub(super) app: String,
    /// The command that starts it, as a YAML list or one word.
    pub(super) run: String,
    /// The path that answers 200.
    pub(super) health: String,
    /// The CI system's name, or `none`.
    pub(super) ci: String,
}

/// Asks the four.
///
/// # Errors
/// Invalid (2) when the input ends, or the last of three answers is none that can be taken.
pub(super) fn all(found: &Answers, input: &mut impl BufRead) -> Result<Answers> {
    let is_name = |text: &str| {
        let letters = text
            .chars()
            .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-');
        (!text.is_empty() && letters && !text.starts_with('-') && text.len() <= 40)
            .then_some(())
            .ok_or("lower-case letters, digits and dashes")
    };
    let is_path = |text: &str| {
        let plain = text.chars().all(|letter| letter.is_ascii_alphanumeric() || "/-_.~".contains(letter));
        (text.starts_with('/') && plain).then_some(()).ok_or("a path such as /healthz")
    };
    let systems = system::names().join(", ");
    let is_system = |text: &str| {
        (text == "none" || system::names().contains(&text)).then_some(()).ok_or("one of those, or none")
    };
    Ok(Answers {
        app: question("name of the application", &found.app, input, is_name)?,
        run: question("command that starts it, in the built folder", &found.run, input, |_| Ok(()))?,
        health: question("path that answers 200 when it is healthy", &found.health, input, is_path)?,
        ci: question(&format!("CI system: {systems}, or none"), &found.ci, input, is_system)?,
    })
}

fn question(
    what: &str,
    default: &str,
    input: &mut impl BufRead,
    check: impl Fn(&str) -> std::result::Result<(), &'static str>,
) -> Result<String> {
    let unanswered = |why: &str| Failure::invalid(&topics::USAGE, format!("no answer to {what:?}: {why}"));
    let mut why = "";
    for _ in 0..3 {
        stream::err(&format!("{what} [{}]: ", sink::line(default)));
        let mut line = String::new();
        let read = input.read_line(&mut line);
        let length =
            read.map_err(|error| Failure::unknown(&topics::USAGE, "cannot read the answer").because(error))?;
        if length == 0 {
            return Err(unanswered("the input ended").hint("`windlass init --yes` asks nothing"));
        }
        let answer = if line.trim().is_empty() { default } else { line.trim() };
        match check(answer) {
            Ok(()) => return Ok(answer.to_owned()),
            Err(allowed) => {
                why = allowed;
                stream::err(&format!("  {} is not it: {allowed}\n", sink::line(answer)));
            }
        }
    }
    Err(unanswered(why))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found() -> Answers {
        Answers { app: "shop".into(), run: "[bin/shop]".into(), health: "/healthz".into(), ci: "none".into() }
    }

    #[test]
    fn an_empty_line_takes_what_was_found_and_a_wrong_answer_is_asked_again() {
        assert_eq!(all(&found(), &mut "\n\n\n\n".as_bytes()).unwrap(), found());
        let told =
            all(&found(), &mut "Shop!\nstore\n[bin/x]\nhealth\n/up\ntravis\njenkins\n".as_bytes()).unwrap();
        let expected = Answers {
            app: "store".into(),
            run: "[bin/x]".into(),
            health: "/up".into(),
            ci: "jenkins".into(),
        };
        assert_eq!(told, expected);
    }

    #[test]
    fn an_input_that_ends_or_is_wrong_three_times_is_no_answer() {
        for input in ["", "\n\n", "A\nB\nC\n\n\n\n"] {
            let failure = all(&found(), &mut input.as_bytes()).unwrap_err();
            assert_eq!(failure.outcome.code(), 2, "{input:?}");
        }
    }
}
