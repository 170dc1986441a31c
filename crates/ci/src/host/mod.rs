//! CI systems: how each takes annotations, summaries, outputs and masks.

use std::io;
use std::path::{Path, PathBuf};

use windlass_domain::secret::Secret;

use crate::args::CiChoice;
use crate::context::Context;
use crate::report::{Annotation, Level};

mod github;
mod gitlab;
mod plain;

/// A CI system's conventions. One file each; [`detect`] is the registry.
pub trait Host: Send + Sync {
    /// Its name: `github`, `gitlab`, `none`.
    fn name(&self) -> &'static str;
    /// Commands that mark places, for standard error; escaped, at most ten a level with the rest counted. The
    /// worst of a level are expected first.
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
    /// The commands that make the system hide a value in its log, for standard error. Empty where the system has
    /// none, or is not really there: then they would show what they should hide.
    fn mask(&self, secret: &Secret<String>) -> String;
    /// The commands around a foldable part of the log, for standard error: begin and end.
    fn group(&self, title: &str) -> (String, String);
    /// Who runs this, for the ledger: a job's URL and the actor, or user and host.
    fn who(&self) -> String;
    /// The page of this run, where the system has one.
    fn run(&self) -> Option<String>;
    /// The commit that is being released, in full, where the system says it.
    fn commit(&self) -> Option<String>;
}

/// Where a tool's own files go, for systems that take outputs from a file of ours.
#[derive(Clone, Debug)]
pub struct Place {
    /// The tool.
    pub tool: &'static str,
    /// The folder of reports.
    pub folder: PathBuf,
}

/// Finds the CI system, or takes the chosen one; outputs of a system that has no file for them go to
/// `.windlass/windlass.env` in the working folder.
#[must_use]
pub fn detect(choice: CiChoice, context: &Context) -> Box<dyn Host> {
    detect_at(choice, context, &Place { tool: "windlass", folder: context.folder.join(".windlass") })
}

/// Finds the CI system, or takes the chosen one, for a tool whose reports go to `place`.
#[must_use]
pub fn detect_at(choice: CiChoice, context: &Context, place: &Place) -> Box<dyn Host> {
    let is_set = |name| context.var(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    match choice {
        CiChoice::Github => Box::new(github::Github::new(context)),
        CiChoice::Gitlab => Box::new(gitlab::Gitlab::new(context, place)),
        CiChoice::None => Box::new(plain::Plain::new(context)),
        CiChoice::Auto if is_set("GITHUB_ACTIONS") => Box::new(github::Github::new(context)),
        CiChoice::Auto if is_set("GITLAB_CI") => Box::new(gitlab::Gitlab::new(context, place)),
        CiChoice::Auto => Box::new(plain::Plain::new(context)),
    }
}

/// The most annotations of one level: GitHub drops what goes beyond ten a step, without a word.
const MOST: usize = 10;

/// The annotations that are shown, level by level; where a level has too many, nine and one that counts the rest.
fn shown(annotations: &[Annotation]) -> Vec<Annotation> {
    let mut shown = Vec::new();
    for level in [Level::Error, Level::Warning, Level::Notice] {
        let all: Vec<&Annotation> = annotations.iter().filter(|one| one.level == level).collect();
        if all.len() <= MOST {
            shown.extend(all.into_iter().cloned());
            continue;
        }
        shown.extend(all.iter().take(MOST - 1).map(|one| (*one).clone()));
        shown.push(Annotation {
            level,
            title: format!("{} more", all.len() - (MOST - 1)),
            message: "the report has all of them".to_owned(),
            path: None,
            line: None,
        });
    }
    shown
}

/// A commit as a system's variable gives it: 40 or 64 hexadecimal digits, or nothing.
fn commit(context: &Context, variable: &str) -> Option<String> {
    let text = context.var(variable)?.trim().to_ascii_lowercase();
    (matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(text)
}

/// A path that a variable names, relative to the working folder.
fn file(context: &Context, variable: &str) -> Option<PathBuf> {
    context.var(variable).map(|path| context.folder.join(Path::new(path)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    pub(super) fn context(vars: &[(&str, &str)]) -> Context {
        Context {
            args: Vec::new(),
            vars: vars
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect::<BTreeMap<_, _>>(),
            folder: PathBuf::from("/project"),
            started: jiff::Timestamp::UNIX_EPOCH,
            stdout_is_terminal: false,
            stderr_is_terminal: false,
        }
    }

    #[test]
    fn system_is_found_by_its_variable_and_a_choice_goes_first() {
        let table = [
            (CiChoice::Auto, "GITHUB_ACTIONS", "github"),
            (CiChoice::Auto, "GITLAB_CI", "gitlab"),
            (CiChoice::Auto, "CI", "none"),
            (CiChoice::None, "GITHUB_ACTIONS", "none"),
            (CiChoice::Gitlab, "GITHUB_ACTIONS", "gitlab"),
            (CiChoice::Github, "CI", "github"),
        ];
        for (choice, variable, expected) in table {
            assert_eq!(
                detect(choice, &context(&[(variable, "true")])).name(),
                expected,
                "{choice:?} {variable}"
            );
        }
        assert_eq!(detect(CiChoice::Auto, &context(&[("GITHUB_ACTIONS", "false")])).name(), "none");
    }

    #[test]
    fn eleven_of_a_level_become_nine_and_a_count() {
        let one = |level, title: &str| Annotation {
            level,
            title: title.to_owned(),
            message: String::new(),
            path: None,
            line: None,
        };
        let mut many: Vec<Annotation> =
            (0..12).map(|number| one(Level::Error, &number.to_string())).collect();
        many.extend((0..10).map(|number| one(Level::Notice, &number.to_string())));
        let titles: Vec<String> = shown(&many).into_iter().map(|one| one.title).collect();
        assert_eq!(titles.len(), 20);
        assert_eq!(titles[8..10], ["8", "3 more"]);
        assert_eq!(titles[19], "9");
    }
}
