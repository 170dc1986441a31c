//! Whatever bytes stand in `windlass.yml`: an answer with places, never a panic, never a wait.

use proptest::prelude::*;
use windlass_domain::policy::{Policy, Problem};

const GOOD: &str = include_str!("policies/good/full.yml");

/// The mistakes of `text`, if any, after checking that they are well placed.
fn check(text: &str) -> Vec<Problem> {
    let problems = match Policy::parse(text) {
        Ok(_) => return Vec::new(),
        Err(problems) => problems,
    };
    assert!(!problems.is_empty(), "refused without a reason: {text:?}");
    for problem in &problems {
        assert!(text.get(problem.span.clone()).is_some(), "{problem:?}");
        let lines = text[..problem.span.start].matches('\n').count();
        assert_eq!(problem.line, lines + 1, "{problem:?}");
        assert!(problem.column >= 1 && !problem.message.is_empty(), "{problem:?}");
    }
    assert!(problems.is_sorted_by_key(|problem| problem.span.start));
    problems
}

fn refused_as_yaml(text: &str) -> String {
    let problems = check(text);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(problems[0].topic.key, "policy.syntax", "{problems:?}");
    problems[0].message.clone()
}

#[test]
fn an_alias_bomb_is_refused() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..9 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    refused_as_yaml(&text);
}

#[test]
fn deep_nesting_is_refused() {
    refused_as_yaml(&format!("app: {}{}\n", "[".repeat(100_000), "]".repeat(100_000)));
    refused_as_yaml(&format!("app: {}\n", "{a: ".repeat(50_000)));
    let blocks: String = (0..500).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    refused_as_yaml(&blocks);
}

#[test]
fn ten_megabytes_are_refused_unread() {
    assert!(refused_as_yaml(&"x".repeat(10_000_000)).contains("10000000 bytes"));
    refused_as_yaml(&"a: b\n".repeat(150_000));
}

#[test]
fn many_mistakes_are_all_told_in_time() {
    let keys: String = (0..4_000).map(|number| format!("key{number}: x\n")).collect();
    assert_eq!(check(&keys).len(), 4_000 + 3);
    let environments: String = (0..1_000).map(|number| format!("  e{number}: {{}}\n")).collect();
    let problems = check(&format!("version: 1\napp: a\nenvironments:\n{environments}"));
    assert!(problems[0].message.contains("too many"), "{problems:?}");
}

#[test]
fn a_byte_order_mark_and_crlf_change_nothing_but_the_digest() {
    let plain = Policy::parse(GOOD).expect("good");
    for text in [
        format!("\u{feff}{GOOD}"),
        GOOD.replace('\n', "\r\n"),
        format!("\u{feff}{}", GOOD.replace('\n', "\r\n")),
    ] {
        let policy = Policy::parse(&text).unwrap_or_else(|problems| panic!("{problems:?}"));
        assert_ne!(policy.digest, plain.digest);
        assert_eq!(Policy { digest: plain.digest, ..policy }, plain);
    }
    let marked = check("\u{feff}verson: 1\r\napp: a\r\nenvironments: 1\r\n");
    let places: Vec<_> = marked.iter().map(|one| (one.line, one.column)).collect();
    assert_eq!(places, [(1, 1), (1, 1), (3, 15)]);
}

#[test]
fn a_self_reference_is_refused() {
    check("version: 1\napp: a\nenvironments: &e { dev: *e }\n").first().expect("a mistake");
}

#[test]
fn columns_count_characters() {
    let problems = check("{ \"ä€🚀\": 1, version: 1, app: ab, environments: x }");
    let places: Vec<_> = problems.iter().map(|one| (one.line, one.column)).collect();
    assert_eq!(places, [(1, 3), (1, 48)]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_answered(text in "\\PC{0,200}") {
        check(&text);
    }

    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_yaml_like_text_is_answered(text in "([a-z]{1,4}|version: 1|app: |[-:?&*!|>%@#'\"{}\\[\\], \t\r\n]|\n  ){0,60}") {
        check(&text);
    }

    #[test]
    fn any_change_of_a_good_policy_is_answered(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..6_usize, "\\PC{0,3}|[-:{}\\[\\],'\"\n\t ]{0,3}"), 1..6)
    ) {
        let mut characters: Vec<char> = GOOD.chars().collect();
        for (at, removed, inserted) in edits {
            let at = at.index(characters.len());
            let end = (at + removed).min(characters.len());
            characters.splice(at..end, inserted.chars());
        }
        check(&characters.into_iter().collect::<String>());
    }
}
