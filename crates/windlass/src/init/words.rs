//! The words that a template leaves open, `@word@`, and how they are filled in.

use std::collections::BTreeMap;

use super::{secrets, stack};

/// What the words stand for.
pub(super) type Words = BTreeMap<String, String>;

/// Words that come from the stack and from this version; the others are a repository's.
const DERIVED: [&str; 4] = ["version", "needs", "build", "test"];

/// Fills in a template. Words that nobody knows stay as they are.
pub(super) fn fill(template: &str, words: &Words) -> String {
    let stack = words.get("stack").and_then(|name| stack::named(name));
    let mut text = secrets::hand_on(template, words.get(secrets::WORD).map_or("", String::as_str));
    text = put(&text, "version", env!("CARGO_PKG_VERSION"));
    if let Some(stack) = stack {
        text = put(&text, "needs", &stack.needs.join(" "));
        text = put(&text, "build", stack.build.trim_end());
        text = put(&text, "test", stack.test.trim_end());
    }
    words.iter().fold(text, |text, (name, value)| put(&text, name, value))
}

/// The repository's words that a template takes, and no others: what a file has to remember to be written again.
pub(super) fn taken(template: &str, words: &Words) -> Words {
    let without_own: Words = words
        .iter()
        .filter(|(name, _)| *name == "stack")
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let inner = fill(template, &without_own);
    let is_taken = |name: &str| inner.contains(&format!("@{name}@"));
    let has_stack = DERIVED[1..].iter().any(|name| template.contains(&format!("@{name}@")));
    let stays = |name: &str| match name {
        "stack" => has_stack,
        secrets::WORD => secrets::are_taken(template),
        _ => is_taken(name),
    };
    words.iter().filter(|(name, _)| stays(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Puts a value in place of a word; its further lines get the indentation of that place.
fn put(text: &str, name: &str, value: &str) -> String {
    let name = format!("@{name}@");
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let indent: String = line.chars().take_while(|letter| *letter == ' ').collect();
        out.push_str(&line.replace(&name, &value.replace('\n', &format!("\n{indent}"))));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(pairs: &[(&str, &str)]) -> Words {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn lines_of_a_value_keep_the_indentation_of_their_place() {
        assert_eq!(put("run: |\n    @build@\nend\n", "build", "one\ntwo"), "run: |\n    one\n    two\nend\n");
    }

    #[test]
    fn a_file_remembers_the_words_that_it_takes_also_through_its_stack() {
        let all = words(&[("stack", "rust"), ("name", "shop"), ("branch", "main"), ("app", "a")]);
        assert_eq!(taken("@build@\n", &all), words(&[("stack", "rust"), ("name", "shop")]));
        assert_eq!(taken("on @branch@, @version@\n", &all), words(&[("branch", "main")]));
        let filled = fill("@build@\n", &taken("@build@\n", &all));
        assert!(filled.contains("release/shop") && !filled.contains('@'), "{filled}");
    }
}
