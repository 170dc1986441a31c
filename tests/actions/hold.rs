//! Files that are written from something else: held against it, or written again with `WINDLASS_BLESS=1`.

use std::fs;
use std::path::PathBuf;

/// Asks that each file is what it should be; `test` is the name that `cargo test --test` takes.
pub(crate) fn hold(files: &[(PathBuf, String)], test: &str) {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test has no context; this is the one variable that it reads"
    )]
    let bless = std::env::var("WINDLASS_BLESS").is_ok_and(|value| value == "1");
    for (path, text) in files {
        if bless {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let there = fs::read_to_string(path).unwrap_or_default();
        assert!(there == *text, "{}: run WINDLASS_BLESS=1 cargo test --test {test}", path.display());
    }
}
