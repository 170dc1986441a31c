//! Whose file is it: the names in reports held against the names that git knows.

use std::collections::HashMap;

/// The files that git knows, by their last component.
pub(super) struct Tracked<'a> {
    by_name: HashMap<&'a str, Vec<&'a str>>,
}

/// Which tracked file a report's name means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Match<'a> {
    /// Exactly this one.
    One(&'a str),
    /// Any of these.
    Ambiguous(Vec<&'a str>),
    /// None: a generated file, or one of another repository.
    Nothing,
}

impl<'a> Tracked<'a> {
    pub(super) fn new(files: &'a [String]) -> Self {
        let mut by_name: HashMap<&str, Vec<&str>> = HashMap::new();
        for file in files {
            by_name.entry(last(file)).or_default().push(file);
        }
        Self { by_name }
    }

    /// Finds the file that `name` means; relative names may be relative to any of `sources`.
    pub(super) fn find(&self, name: &str, sources: &[String]) -> Match<'a> {
        let name = name.trim_start_matches("./");
        let Some(candidates) = self.by_name.get(last(name)) else { return Match::Nothing };
        if let Some(same) = candidates.iter().find(|file| **file == name) {
            return Match::One(same);
        }
        let absolute = name.starts_with('/') || name.get(1..2) == Some(":");
        let within = |whole: &str| {
            // The longest: src/a.rs rather than a.rs.
            candidates.iter().filter(|file| is_suffix(file, whole)).max_by_key(|file| file.len()).copied()
        };
        if absolute {
            return within(name).map_or(Match::Nothing, Match::One);
        }
        let mut found: Vec<&str> = sources
            .iter()
            .filter_map(|source| within(&format!("{}/{name}", source.trim_end_matches('/'))))
            .filter(|file| is_suffix(name, file))
            .collect();
        if found.is_empty() {
            found = candidates.iter().filter(|file| is_suffix(name, file)).copied().collect();
        }
        found.sort_unstable();
        found.dedup();
        match found.as_slice() {
            [] => Match::Nothing,
            [one] => Match::One(one),
            _ => Match::Ambiguous(found),
        }
    }
}

/// Whether `whole` ends in `suffix`, component by component.
fn is_suffix(suffix: &str, whole: &str) -> bool {
    whole.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
}

fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_reports_find_their_files() {
        let files: Vec<String> =
            ["src/a.py", "lib/src/a.py", "a.py", "tests/b.py", "web/b.py", "c.py"].map(Into::into).into();
        let tracked = Tracked::new(&files);
        let source = |one: &str| vec![one.to_owned()];
        let cases: [(&str, Vec<String>, Match<'_>); 9] = [
            ("src/a.py", vec![], Match::One("src/a.py")),
            ("/build/lib/src/a.py", vec![], Match::One("lib/src/a.py")),
            ("C:/work/src/a.py", vec![], Match::One("src/a.py")),
            ("b.py", vec![], Match::Ambiguous(vec!["tests/b.py", "web/b.py"])),
            ("b.py", source("/build/web"), Match::One("web/b.py")),
            ("b.py", source("/elsewhere"), Match::Ambiguous(vec!["tests/b.py", "web/b.py"])),
            ("./c.py", vec![], Match::One("c.py")),
            ("xc.py", vec![], Match::Nothing),
            ("/usr/lib/d.py", vec![], Match::Nothing),
        ];
        for (name, sources, expected) in cases {
            assert_eq!(tracked.find(name, &sources), expected, "{name} in {sources:?}");
        }
    }
}
