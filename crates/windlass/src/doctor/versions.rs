//! `versions`: the tools that lie beside this one are of the same version.
//!
//! Only those beside it: a program called `deploy` elsewhere may be anybody's, and is not started to find out.

use std::path::Path;
use std::process::{Command, Stdio};

use super::Line;
use super::facts::Facts;

const TOOLS: [&str; 7] =
    ["gate-check", "security-scan", "deploy", "health-verify", "rollback", "windlassd", "windlass"];

pub(super) async fn judge(_: &Facts<'_>) -> Vec<Line> {
    let own = env!("CARGO_PKG_VERSION");
    let mut lines = Vec::new();
    let folder = std::env::current_exe().ok().and_then(|path| path.parent().map(Path::to_path_buf));
    for tool in TOOLS {
        let Some(path) = folder.as_ref().map(|folder| folder.join(tool)).filter(|path| path.is_file()) else {
            continue;
        };
        match version(&path) {
            Some(version) if version == own => {}
            Some(version) => lines.push(Line::wrong(
                format!("{} is version {version}, and this is {own}", path.display()),
                format!("put {tool} of version {own} there: all of one release belong together"),
            )),
            None => lines.push(Line::unknown(
                format!("{} does not say its version", path.display()),
                format!("put {tool} of version {own} there"),
            )),
        }
    }
    match version(Path::new("git")) {
        Some(_) => {}
        None => lines.push(Line::wrong(
            "there is no git: the order of commits and their authors cannot be told",
            "install git",
        )),
    }
    if lines.is_empty() {
        lines.push(Line::good(format!("windlass {own}, and what lies beside it")));
    }
    lines
}

/// The last word of the first line of `--version`, where it looks like a version.
fn version(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let word = text.lines().next()?.split_whitespace().last()?;
    (output.status.success() && word.starts_with(|letter: char| letter.is_ascii_digit()))
        .then(|| word.to_owned())
}
