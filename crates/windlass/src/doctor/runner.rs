//! `runner`: this machine's limits. Evidence, reports and staged releases need space; the agent needs open files.

use std::path::Path;

use super::Line;
use super::facts::Facts;

/// The least free space, in bytes.
const SPACE: u64 = 1024 * 1024 * 1024;
/// The least open files: each connection of the agent's router takes two.
const FILES: u64 = 1024;

pub(super) async fn judge(facts: &Facts<'_>) -> Vec<Line> {
    let folder = facts.located.as_ref().map_or(&facts.session.context.folder, |located| &located.folder);
    vec![space(folder, free(folder)), files(limit())]
}

/// The free space of a folder's disk for us, in bytes.
fn free(folder: &Path) -> Result<u64, String> {
    let disk = rustix::fs::statvfs(folder).map_err(|error| error.to_string())?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// The most files that a process may open; nothing where there is no limit.
fn limit() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

fn space(folder: &Path, free: Result<u64, String>) -> Line {
    let mib = |bytes: u64| bytes / 1024 / 1024;
    match free {
        Ok(free) if free >= SPACE => {
            Line::good(format!("{} MiB are free in {}", mib(free), folder.display()))
        }
        Ok(free) => Line::wrong(
            format!(
                "{} MiB are free in {}, and a release may need {}",
                mib(free),
                folder.display(),
                mib(SPACE)
            ),
            "free space, or lower `keep` in windlass.yml",
        ),
        Err(why) => Line::unknown(
            format!("cannot ask for the free space of {}: {why}", folder.display()),
            "look at it with `df`",
        ),
    }
}

fn files(limit: Option<u64>) -> Line {
    match limit {
        None => Line::good("files may be opened without limit"),
        Some(files) if files >= FILES => Line::good(format!("{files} files may be open at once")),
        Some(files) => Line::wrong(
            format!("only {files} files may be open at once: the agent's router would refuse connections"),
            format!("raise it with `ulimit -n {FILES}`, or `LimitNOFILE=` in the unit"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Health;
    use super::*;

    #[test]
    fn too_little_is_wrong_and_what_cannot_be_asked_is_unknown() {
        let folder = Path::new("/project");
        assert_eq!(space(folder, Ok(SPACE)).health, Health::Good);
        assert_eq!(space(folder, Ok(SPACE - 1)).health, Health::Wrong);
        assert_eq!(space(folder, Err("gone".into())).health, Health::Unknown);
        assert_eq!(files(None).health, Health::Good);
        assert_eq!(files(Some(FILES)).health, Health::Good);
        assert_eq!(files(Some(FILES - 1)).health, Health::Wrong);
        assert!(free(Path::new("/")).is_ok() && free(Path::new("/nowhere/at/all")).is_err());
    }
}
