//! The decision table of mistakes in `windlass.yml`: what is written, and what is said of it and where.

mod demands;
mod running;
mod telling;

use windlass_domain::policy::{Policy, Problem};

/// What is said of each text, one line a mistake.
fn told(texts: &[&str]) -> String {
    let mut told = String::new();
    for text in texts {
        match Policy::parse(text) {
            Ok(_) => told.push_str("no mistake\n"),
            Err(problems) => problems.iter().for_each(|problem| told.push_str(&line(problem))),
        }
    }
    told
}

fn line(Problem { line, column, message, hint, .. }: &Problem) -> String {
    let hint = hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("{line}:{column}: {message}{hint}\n")
}

fn within(before: &str, cases: &[&str], after: &str) -> String {
    let texts: Vec<String> =
        cases.iter().map(|case| format!("version: 1\napp: shop\n{before}{case}\n{after}")).collect();
    told(&texts.iter().map(String::as_str).collect::<Vec<_>>())
}

/// `cases` as the eighth line of a policy, in its only environment; gates and evidence as the sixth and seventh.
fn environment(cases: &[&str]) -> String {
    const TARGET: &str = "environments:\n  dev:\n    target: { kind: host, listen: 127.0.0.1:0, run: [a] }\n";
    cases
        .iter()
        .map(|case| {
            let unless =
                |key: &str, line: &str| if case.starts_with(key) { String::new() } else { line.to_owned() };
            let evidence = unless("evidence", "    evidence: unsigned\n");
            let gates = unless("gates", "    gates: none\n");
            within(&format!("{TARGET}{evidence}{gates}    "), &[case], "")
        })
        .collect()
}

/// `cases` as the seventh line of a policy, as the target of its only environment.
fn target(cases: &[&str]) -> String {
    within("environments:\n  dev:\n    gates: none\n    evidence: unsigned\n    ", cases, "")
}

/// `cases` as the third line of a policy whose environment accepts unsigned evidence.
fn release(cases: &[&str]) -> String {
    const REST: &str =
        "environments: { dev: { gates: none, evidence: unsigned, target: { kind: exec, command: a } } }\n";
    within("", cases, REST)
}

/// `cases` as the third line of a policy whose environment wants signed evidence.
fn keys(cases: &[&str]) -> String {
    within("", cases, "environments: { dev: { gates: none, target: { kind: exec, command: a } } }\n")
}

#[test]
fn a_file_that_is_no_policy_is_told_so() {
    let cases = [
        "",
        "\n# only a comment\n",
        "- a\n- b\n",
        "just text\n",
        "version: 1\n\tapp: shop\n",
        "version: 1\napp: [shop\n",
        "version: 1\n---\nversion: 1\n",
        "a: \"unclosed\n",
        "version: 1\napp: \0\n",
        "version: !!set {a}\napp: x\n",
    ];
    insta::assert_snapshot!(told(&cases), @r#"
    1:1: the policy is empty (run `windlass init` to write one)
    1:1: the policy is empty (run `windlass init` to write one)
    1:1: `windlass.yml` needs a map, not a list (keys of windlass.yml: version, app, release, keys, environments, notify)
    1:1: `windlass.yml` needs a map, not `just text` (keys of windlass.yml: version, app, release, keys, environments, notify)
    2:1: not readable as YAML: a tab indents this line (YAML is indented by spaces only)
    2:6: not readable as YAML: unclosed bracket '['
    3:1: not readable as YAML: a second document begins here (a policy is one document: remove `---` and what follows)
    1:4: not readable as YAML: unclosed quote
    2:6: a NUL byte: this is not a text file (save the file as UTF-8 text)
    1:16: not readable as YAML: unsupported tag `!!set`
    "#);
}

#[test]
fn the_head_of_the_file_is_read_first() {
    let cases = [
        "version: 2\napp: Shop\nfoo: 1\n",
        "version: one\napp: shop\nenvironments: {}\n",
        "app: shop\nenvironments:\n",
        "version: 1\napp: My_Shop\nenvironments: [dev]\n",
        "version: 1\napp:\nenvironments: { Dev: { gates: none } }\n",
        "<<: {}\n? [a]\n: b\nversion: 1\napp: x\nenvironments: ~\n",
    ];
    insta::assert_snapshot!(told(&cases), @r#"
    1:10: version 2 of the grammar is not known (this Windlass knows `version: 1`)
    1:10: `version` needs the number 1, not `one` (write `version: 1`)
    3:1: no environment is listed (add at least one, for example `dev:`)
    1:1: `windlass.yml` has no `version` (add for example `version: 1`)
    2:1: `environments` needs a map, not nothing (write for example `environments: { dev: { gates: none, target: … } }`)
    2:6: `app` cannot be called `My_Shop` (a name is lower-case letters, digits and dashes, not a dash first, at most 63)
    3:1: `environments` needs a map, not a list (write for example `environments: { dev: { gates: none, target: … } }`)
    2:1: `app` needs a text, not nothing (write a name such as `my-shop`)
    3:17: an environment cannot be called `Dev` (a name is lower-case letters, digits and dashes, not a dash first, at most 63)
    3:17: `Dev` has no `target` (add for example `target: { kind: host, listen: 127.0.0.1:8080, run: [bin/shop] }`)
    3:17: environment `Dev` wants signed evidence, and no key is listed (list a public key under `keys` (`windlass keygen` makes one), or write `evidence: unsigned`)
    1:1: unknown key `<<` in windlass.yml (merge keys are not part of the grammar; write the keys out)
    2:3: a key in windlass.yml is not a text (keys are words)
    6:1: `environments` needs a map, not nothing (write for example `environments: { dev: { gates: none, target: … } }`)
    "#);
}

#[test]
fn a_release_can_read_what_it_writes() {
    let cases = [
        "release: {}",
        "release: ''",
        "release: [dist/]",
        "release: { artefact: dist/ }",
        "release: { reads: 11..12 }",
        "release: { schema: 12, reads: 12..11 }",
        "release: { schema: 12, reads: 9..11 }",
        "release: { schema: { version: 12, reads: 12 }, reads: 12 }",
        "release: { schema: v12 }",
        "release: { schema: 12, reads: old }",
        "release: { config: [] , schema: { reads: 1..2 } }",
        "release: { config: [a, [b]] }",
    ];
    insta::assert_snapshot!(release(&cases), @r"
    no mistake
    3:10: `release` is an empty text (name a file, a folder, or an image by digest: `dist/`)
    3:1: `release` needs a map, not a list (keys of release: artifact, config, schema, reads, migrate)
    3:12: unknown key `artefact` in release (did you mean `artifact`? allowed: `artifact`, `config`, `schema`, `reads`, `migrate`)
    3:12: `reads` stands without `schema` (add `schema:`, the version that the release writes)
    3:31: `reads` runs backwards: `12..11` (write the oldest and the newest, both included: `11..12`)
    3:31: the release writes schema 12 and could not read it again (let `reads` contain 12)
    3:48: `reads` is said twice (keep the one under `schema`)
    3:20: `schema` needs a whole number, not `v12`
    3:31: `reads` needs a range of versions, not `old` (write the oldest and the newest, both included: `11..12`)
    3:25: `schema` has no `version` (add for example `version: 12`)
    3:24: `config` needs a text, not a list (name files or folders: `[deploy/config/]`)
    ");
}

#[test]
fn keys_vouch_for_something() {
    let cases = [
        "keys: {}",
        "keys: keys/release.pub",
        "keys: { Ana: a.pub }",
        "keys: { ana: { signs: [approval] } }",
        "keys: { ana: { public: a.pub, signs: [] } }",
        "keys: { ana: { public: a.pub, signs: test } }",
        "keys: { ana: { public: a.pub, owner: Ana <ana@x.org> } }",
        "keys: { ana: { public: '' } }",
    ];
    insta::assert_snapshot!(keys(&cases), @r#"
    4:17: environment `dev` wants signed evidence, and no key is listed (list a public key under `keys` (`windlass keygen` makes one), or write `evidence: unsigned`)
    3:7: `keys` needs a map, not `keys/release.pub` (write for example `keys: { release: keys/release.pub }`)
    3:9: a key cannot be called `Ana` (a name is lower-case letters, digits and dashes, not a dash first, at most 63)
    3:9: `ana` has no `public` (add for example `public: keys/release.pub`)
    3:31: a key that signs nothing vouches for nothing (name kinds of evidence, or remove `signs`)
    3:38: `signs` cannot be `test` (did you mean `tests`? allowed: `tests`, `scan`, `gate`, `deploy`, `health`, `rollback`, `approval`)
    3:38: `owner` needs an e-mail address, not `Ana <ana@x.org>` (write an e-mail address as commits have it: `ana@example.org`)
    3:24: `public` is an empty text (name the file of the public key, or write its PEM: `keys/release.pub`)
    "#);
}
