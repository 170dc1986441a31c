//! The forge of a run: found by its variables or the remote, and asked only where somebody wants to know.

use std::path::Path;

use windlass_ci::session::{Located, Session};
use windlass_forge::{Fault, Forge, Patience, Place, connect};

/// The forge of this run, and a client of it.
///
/// # Errors
/// Offline; not set, where there is none or no token for it.
pub fn forge(session: &Session, folder: &Path, patience: Patience) -> Result<Box<dyn Forge>, Fault> {
    if session.common.offline {
        return Err(Fault::Offline);
    }
    connect(&place(session, folder)?, patience)
}

/// Where the forge of this run is; nobody is asked.
///
/// # Errors
/// Not set, where nothing names one.
pub fn place(session: &Session, folder: &Path) -> Result<Place, Fault> {
    Place::find(&session.context.vars, remote(folder).as_deref())
}

/// The address of the remote `origin`, as the repository's own configuration has it.
fn remote(folder: &Path) -> Option<String> {
    let root = folder.ancestors().find(|folder| folder.join(".git").exists())?;
    let config = std::fs::read_to_string(root.join(".git/config")).ok()?;
    let mut lines = config.lines().map(str::trim);
    lines.by_ref().find(|line| *line == "[remote \"origin\"]")?;
    lines.take_while(|line| !line.starts_with('[')).find_map(|line| {
        line.strip_prefix("url")?.trim_start().strip_prefix('=').map(|url| url.trim().to_owned())
    })
}

/// Whether a record or a vote is worth asking for at all: the folder of a policy, and a forge that can be asked.
pub(crate) fn is_there(session: &Session, located: &Located) -> bool {
    !session.common.offline && place(session, &located.folder).is_ok_and(|place| place.token.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remote_is_origins_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join(".git")).unwrap();
        std::fs::create_dir_all(folder.path().join("deploy")).unwrap();
        let config = "[remote \"fork\"]\n\turl = git@github.com:me/shop.git\n[remote \"origin\"]\n\tfetch = x\n\turl = git@github.com:shop/shop.git\n[branch \"main\"]\n\turl = no\n";
        std::fs::write(folder.path().join(".git/config"), config).unwrap();
        assert_eq!(remote(&folder.path().join("deploy")).as_deref(), Some("git@github.com:shop/shop.git"));
        std::fs::write(
            folder.path().join(".git/config"),
            "[remote \"origin\"]\n[branch \"main\"]\n\turl = no\n",
        )
        .unwrap();
        assert_eq!(remote(folder.path()), None);
    }
}
