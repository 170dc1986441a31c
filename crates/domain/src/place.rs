//! Where a host target keeps its files: pure path arithmetic.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The root of a host target: `root:` of the policy, relative to the policy's folder, or else
/// `windlass/<app>/<environment>` in the user's state folder (`XDG_STATE_HOME`, or `.local/state` in `HOME`).
/// `None` when neither is known. Never in a CI workspace by default.
#[must_use]
pub fn host_root(
    vars: &BTreeMap<String, String>,
    app: &str,
    environment: &str,
    root: Option<&str>,
    policy_folder: &Path,
) -> Option<PathBuf> {
    if let Some(root) = root {
        return Some(match (root.strip_prefix("~/"), vars.get("HOME")) {
            (Some(rest), Some(home)) => Path::new(home).join(rest),
            (Some(_), None) => return None,
            (None, _) => policy_folder.join(root),
        });
    }
    let state = match (vars.get("XDG_STATE_HOME"), vars.get("HOME")) {
        (Some(state), _) if Path::new(state).is_absolute() => PathBuf::from(state),
        (_, Some(home)) => Path::new(home).join(".local/state"),
        (_, None) => return None,
    };
    Some(state.join("windlass").join(app).join(environment))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_the_policys_or_in_the_state_folder() {
        let home = BTreeMap::from([("HOME".to_owned(), "/home/ana".to_owned())]);
        let root = |vars: &BTreeMap<_, _>, root| host_root(vars, "shop", "dev", root, Path::new("/src"));
        assert_eq!(root(&home, None), Some("/home/ana/.local/state/windlass/shop/dev".into()));
        assert_eq!(root(&home, Some("state")), Some("/src/state".into()));
        assert_eq!(root(&home, Some("/var/lib/shop")), Some("/var/lib/shop".into()));
        assert_eq!(root(&home, Some("~/shop")), Some("/home/ana/shop".into()));
        assert_eq!(root(&BTreeMap::new(), None), None);
    }
}
