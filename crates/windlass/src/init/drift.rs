//! `init --check` and `init --upgrade`: what was changed in the files that `init` wrote, and what this version would write
//! otherwise.

use std::fmt::Write as _;
use std::path::Path;

use windlass_ci::fail::{Failure, Result};
use windlass_ci::{file, sink, topics};
use windlass_domain::outcome::Outcome;
use windlass_domain::policy::Policy;

use super::files::{self, COMMON, Owner, Standing, Template};
use super::system;
use super::{difference, secrets};

/// How a written file stands to this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Drift {
    /// As this version writes it.
    None,
    /// As another version wrote it, and this one writes it otherwise.
    Outdated,
    /// Changed by somebody, which it is meant for.
    Yours,
    /// Changed by somebody, though it is the same for everybody.
    Edited,
}

struct Found<'a> {
    template: Template<'a>,
    version: String,
    text: String,
    now: String,
    drift: Drift,
}

/// What was found, in words, and whether nothing is to be done.
///
/// # Errors
/// Invalid (2) when `init` wrote nothing here; unknown (3) when a file cannot be read.
pub(super) fn check(folder: &Path) -> Result<(String, Outcome)> {
    let systems = system::all();
    let found = look(folder, &systems)?;
    let mut text = String::new();
    for one in &found {
        let (path, version) = (one.template.path, sink::line(&one.version));
        let is_this = one.version == env!("CARGO_PKG_VERSION");
        match one.drift {
            Drift::None => line(&mut text, path, &format!("as {version} wrote it")),
            Drift::Yours => line(&mut text, path, &format!("yours: changed since {version} wrote it")),
            Drift::Outdated => {
                line(&mut text, path, &format!("as {version} wrote it; an upgrade changes:"));
                text.push_str(&difference::between(&one.text, &one.now));
            }
            Drift::Edited if is_this => {
                line(&mut text, path, &format!("edited since {version} wrote it:"));
                text.push_str(&difference::between(&one.now, &one.text));
            }
            Drift::Edited => {
                let what = "from what is there to what this version writes:";
                line(&mut text, path, &format!("edited since {version} wrote it; {what}"));
                text.push_str(&difference::between(&one.text, &one.now));
            }
        }
    }
    let has = |drift: Drift| found.iter().any(|one| one.drift == drift);
    if has(Drift::Outdated) {
        text.push_str("next: `windlass init --upgrade` writes anew what nobody edited\n");
    }
    if has(Drift::Edited) {
        text.push_str("next: keep what differs in windlass/build.sh, windlass/test.sh or windlass.yml, which are yours; or `windlass init --force`, which overwrites\n");
    }
    let drifted = has(Drift::Outdated) || has(Drift::Edited);
    Ok((text, if drifted { Outcome::Failed } else { Outcome::Passed }))
}

/// Writes anew what another version wrote and nobody edited.
///
/// # Errors
/// As [`check`], and unknown (3) when a file cannot be written.
pub(super) fn upgrade(folder: &Path, only_plan: bool) -> Result<String> {
    let systems = system::all();
    let mut text = String::new();
    for one in look(folder, &systems)? {
        let path = one.template.path;
        match one.drift {
            Drift::None => line(&mut text, path, "unchanged"),
            Drift::Yours => line(&mut text, path, "kept: it is yours"),
            Drift::Edited => line(&mut text, path, "kept: it was edited; `windlass init --check` shows how"),
            Drift::Outdated if only_plan => {
                line(&mut text, path, "would be written anew:");
                text.push_str(&difference::between(&one.text, &one.now));
            }
            Drift::Outdated => {
                file::write_whole(&folder.join(path), one.now.as_bytes()).map_err(|error| {
                    Failure::unknown(&topics::REPORT_FILE, format!("cannot write {path}")).because(error)
                })?;
                line(&mut text, path, &format!("written anew, by {}", env!("CARGO_PKG_VERSION")));
            }
        }
    }
    Ok(text)
}

fn line(text: &mut String, path: &str, what: &str) {
    writeln!(text, "{path:32} {what}").expect("writing to a string cannot fail");
}

/// The secrets that `notify` names today: those with which a pipeline was written may be others. Nothing where there is no
/// policy that can be read; `windlass check` says why.
fn secrets_of(folder: &Path) -> Result<Option<String>> {
    let (Standing::Marked { text, .. } | Standing::Foreign { text }) =
        files::standing(folder, COMMON[0].path)?
    else {
        return Ok(None);
    };
    Ok(Policy::parse(&text).ok().map(|policy| secrets::of(&policy)))
}

fn look<'a>(folder: &Path, systems: &'a [system::System]) -> Result<Vec<Found<'a>>> {
    let pipelines =
        systems.iter().flat_map(|one| one.files().into_iter().map(|path| files::pipeline(one, path)));
    let named = secrets_of(folder)?;
    let mut found = Vec::new();
    for template in COMMON.into_iter().chain(pipelines) {
        let Standing::Marked { text, mut mark } = files::standing(folder, template.path)? else { continue };
        match &named {
            Some(named) if named.is_empty() => drop(mark.words.remove(secrets::WORD)),
            Some(named) => drop(mark.words.insert(secrets::WORD.to_owned(), named.clone())),
            None => {}
        }
        let now = template.written(&mark.words);
        let text = text.replace("\r\n", "\n");
        let drift = match (mark.holds, template.owner) {
            (true, _) if text == now => Drift::None,
            (true, _) => Drift::Outdated,
            (false, Owner::You) => Drift::Yours,
            (false, Owner::Windlass) => Drift::Edited,
        };
        found.push(Found { template, version: mark.version, text, now, drift });
    }
    if found.is_empty() {
        return Err(Failure::invalid(&topics::USAGE, "no file here was written by `windlass init`")
            .hint("run `windlass init --plan` to see what it would write"));
    }
    Ok(found)
}
