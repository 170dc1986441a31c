//! Files that name dependencies in formats which this version does not read: each is a gap, never clean.

use crate::finding::Kind;
use crate::gap::Gap;
use crate::topics;
use crate::tree::{Sort, Tree};

/// File names of lock files, and whose they are.
const LOCK_FILES: [(&str, &str); 30] = [
    ("bun.lock", "bun"),
    ("bun.lockb", "bun"),
    ("Cartfile.resolved", "Carthage"),
    ("composer.lock", "Composer"),
    ("conan.lock", "Conan"),
    ("deno.lock", "Deno"),
    ("Gemfile.lock", "Bundler"),
    ("gems.locked", "Bundler"),
    ("go.sum", "Go"),
    ("gradle.lockfile", "Gradle"),
    ("buildscript-gradle.lockfile", "Gradle"),
    ("mix.lock", "Mix"),
    ("rebar.lock", "Rebar"),
    ("npm-shrinkwrap.json", "npm"),
    ("package-lock.json", "npm"),
    ("packages.lock.json", "NuGet"),
    ("Package.resolved", "Swift"),
    ("pdm.lock", "PDM"),
    ("Pipfile.lock", "Pipenv"),
    ("pnpm-lock.yaml", "pnpm"),
    ("Podfile.lock", "CocoaPods"),
    ("poetry.lock", "Poetry"),
    ("pom.xml", "Maven"),
    ("pubspec.lock", "Dart"),
    ("pylock.toml", "Python"),
    ("requirements.txt", "pip"),
    ("stack.yaml.lock", "Stack"),
    ("cabal.project.freeze", "Cabal"),
    ("uv.lock", "uv"),
    ("yarn.lock", "Yarn"),
];

/// One gap for each such file of the tree.
pub(super) fn gaps(tree: &Tree) -> impl Iterator<Item = Gap> {
    tree.entries.iter().filter(|entry| entry.sort != Sort::Folder).filter_map(|entry| {
        let name = entry.path.file_name()?.to_str()?;
        let (_, whose) = LOCK_FILES.iter().find(|(known, _)| *known == name)?;
        let why = format!("this version does not read the lock files of {whose}");
        Some(Gap::new(Kind::Dependency, &topics::LOCK_UNSUPPORTED, &entry.name, why))
    })
}
