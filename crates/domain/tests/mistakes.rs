//! The decision table of mistakes in `windlass.yml`: what is written, and what is said of it and where.

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
    1:1: `windlass.yml` needs a map, not a list (keys of windlass.yml: version, app, release, keys, environments)
    1:1: `windlass.yml` needs a map, not `just text` (keys of windlass.yml: version, app, release, keys, environments)
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
    insta::assert_snapshot!(release(&cases), @r#"
    no mistake
    3:10: `release` is an empty text (name a file, a folder, or an image by digest: `dist/`)
    3:1: `release` needs a map, not a list (keys of release: artifact, config, schema, reads)
    3:12: unknown key `artefact` in release (did you mean `artifact`? allowed: `artifact`, `config`, `schema`, `reads`)
    3:12: `reads` stands without `schema` (add `schema:`, the version that the release writes)
    3:31: `reads` runs backwards: `12..11` (write the oldest and the newest, both included: `11..12`)
    3:31: the release writes schema 12 and could not read it again (let `reads` contain 12)
    3:48: `reads` is said twice (keep the one under `schema`)
    3:20: `schema` needs a whole number, not `v12`
    3:31: `reads` needs a range of versions, not `old` (write the oldest and the newest, both included: `11..12`)
    3:25: `schema` has no `version` (add for example `version: 12`)
    3:24: `config` needs a text, not a list (name files or folders: `[deploy/config/]`)
    "#);
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

#[test]
fn gates_name_known_metrics() {
    let cases = [
        "gates: some",
        "gates: [tests.failed]",
        "gates:",
        "gates: {}",
        "gates: { coverage: '>= 80%' }",
        "gates: { coverage.line: '>= 80%' }",
        "gates: { speed: '>= 80' }",
        "gates: { tests.failed: { min_lines: 3, bound: '== 0' } }",
        "gates: { tests.failed: { advisory: yes } }",
        "gates: { coverage.new_lines: { bound: '>= 80%', min_lines: 0 } }",
        "gates: { tests.total: '>= 1', tests.total: '>= 2' }",
    ];
    insta::assert_snapshot!(environment(&cases), @r#"
    7:12: `gates` needs a map of conditions or the word `none`, not `some` (for example `tests.failed: "== 0"`)
    7:5: `gates` needs a map of conditions or the word `none`, not a list (for example `tests.failed: "== 0"`)
    7:5: `gates` is empty (write conditions, or `gates: none` where nothing is demanded)
    7:5: environment `dev` demands nothing (add conditions, or say so: `gates: none`)
    7:14: unknown metric `coverage` (known: coverage.lines, coverage.branches, coverage.functions, coverage.new_lines, coverage.lowest_file)
    7:14: unknown metric `coverage.line` (did you mean `coverage.lines`?)
    7:14: unknown metric `speed` (known: tests.total, tests.failed, tests.skipped, tests.flaky, tests.duration, coverage.lines, coverage.branches, coverage.functions, coverage.new_lines, coverage.lowest_file, vulnerabilities.critical, vulnerabilities.high, vulnerabilities.medium, vulnerabilities.low, secrets, findings.error, findings.warning)
    7:30: `min_lines` says nothing about `tests.failed` (it belongs to `coverage.new_lines`)
    7:14: `tests.failed` has no `bound` (add for example `bound: "== 0"`)
    7:40: `advisory` needs `true` or `false`, not `yes` (did you mean `true`?)
    7:64: `min_lines` needs a whole number from 1 to 1000000, not `0`
    7:35: duplicate key `tests.total` (it stands on line 7 already; keep one of the two)
    "#);
}

#[test]
fn bounds_have_signs_and_units() {
    let cases = [
        "gates: { coverage.lines: '>= 80' }",
        "gates: { coverage.lines: '80%' }",
        "gates: { coverage.lines: 80 }",
        "gates: { coverage.lines: '>= 180%' }",
        "gates: { coverage.lines: '>= 10m' }",
        "gates: { coverage.lines: '>=' }",
        "gates: { tests.failed: 0 }",
        "gates: { tests.failed: '= 0' }",
        "gates: { tests.failed: '≤ 3' }",
        "gates: { tests.failed: '<= 3%' }",
        "gates: { tests.failed: '<= -1' }",
        "gates: { tests.failed: '<= 1.5' }",
        "gates: { tests.failed: '<= NaN' }",
        "gates: { tests.duration: '<= 10' }",
        "gates: { tests.duration: '<= 1h ago' }",
        "gates: { secrets: [0] }",
    ];
    insta::assert_snapshot!(environment(&cases), @r#"
    7:30: `coverage.lines` is measured as a share such as `80%`, and `80` has no unit (did you mean `>= 80%`?)
    7:30: `coverage.lines` needs a bound, not `80%` (did you mean `">= 80%"`?)
    7:30: `coverage.lines` needs a bound, not `80` (did you mean `">= 80%"`?)
    7:30: `coverage.lines` cannot be bounded by `180%` (write for example `coverage.lines: ">= 80%"`)
    7:30: `coverage.lines` is measured as a share such as `80%`, not as `10m` (write for example `coverage.lines: ">= 80%"`)
    7:30: `coverage.lines` has a comparison without a value (write for example `coverage.lines: ">= 80%"`)
    7:28: `tests.failed` needs a bound, not `0` (did you mean `"== 0"`?)
    7:28: `tests.failed` needs a bound, not `= 0` (did you mean `"== 0"`?)
    7:28: `tests.failed` needs a bound, not `≤ 3` (did you mean `"<= 3"`?)
    7:28: `tests.failed` is measured as a whole number such as `0`, not as `3%` (did you mean `<= 3`?)
    7:28: `tests.failed` cannot be bounded by `-1` (write for example `tests.failed: "== 0"`)
    7:28: `tests.failed` cannot be bounded by `1.5` (write for example `tests.failed: "== 0"`)
    7:28: `tests.failed` cannot be compared with `NaN` (write for example `tests.failed: "== 0"`)
    7:30: `tests.duration` is measured as a time such as `10m`, and `10` has no unit (did you mean `<= 10m`?)
    7:30: `tests.duration` cannot be compared with `1h ago` (write for example `tests.duration: "<= 10m"`)
    7:14: `secrets` needs a bound, not a list (write for example `secrets: "== 0"`)
    "#);
}

#[test]
fn needs_name_other_environments() {
    let cases = [
        "needs: dev",
        "needs: [other]",
        "needs: [dve]",
        "needs:",
        "needs: []\n    soak: 5m",
        "soak: 30",
        "needs: [x, x]",
        "soak: half an hour",
        "needs: [[a]]",
    ];
    insta::assert_snapshot!(environment(&cases), @r#"
    8:12: environment `dev` needs itself (name one that comes before, or remove `needs`)
    8:13: `needs` names `other`, and no environment is called that (this file has no other)
    8:13: `needs` names `dve`, and no environment is called that (this file has no other)
    8:5: `needs` needs a list, not nothing (remove the key, or give it a value)
    9:5: `soak` stands without `needs` (say where it must have been live: `needs: [staging]`)
    8:5: `soak` stands without `needs` (say where it must have been live: `needs: [staging]`)
    8:11: `soak` is a time, and `30` has no unit (did you mean `30s` or `30m`?)
    8:13: `needs` names `x`, and no environment is called that (this file has no other)
    8:16: `x` is needed twice (keep one of the two)
    8:5: `soak` stands without `needs` (say where it must have been live: `needs: [staging]`)
    8:11: `soak` needs a time, not `half an hour` (a time is whole numbers with d, h, m, s or ms, large to small: `30s`, `1h30m`; at most ten years)
    8:13: `needs` needs a text, not a list (name an environment of this file)
    "#);
}

#[test]
fn approvals_can_be_given() {
    let cases = [
        "approval: 1",
        "approval: {}",
        "approval: { from: [] }",
        "approval: { from: [team: release] }",
        "approval: { from: release, count: 0 }",
        "approval: { from: ['key:ana'], max_age: 0s }",
        "approval: { from: ['user:a', 'user:a'] }",
        "approval: { from: ['user:a'], count: 2 }",
        "approval: { from: ['team:a'], not_author: no }",
    ];
    insta::assert_snapshot!(environment(&cases), @r#"
    8:15: `approval` needs a map that says whose agreement counts, not `1` (write `{ count: 1, from: ["team:release"] }`)
    8:5: `approval` has no `from` (add for example `from: ["team:release"]`)
    8:17: an approval from nobody can never be given (write `key:NAME`, `team:NAME` or `user:NAME`)
    8:24: `from` needs texts, not a map (did you mean `"team:release"`?)
    8:23: `release` names no approver (write `key:NAME`, `team:NAME` or `user:NAME`)
    8:39: `count` needs a whole number from 1 to 100, not `0`
    8:24: `approval` names the key `ana`, and `keys` has none called that (list it under `keys`)
    8:45: `max_age` must be longer than 0s
    8:34: `user:a` is named twice (keep one)
    8:5: 2 people must agree, and only 1 may (name more approvers, or lower `count`)
    8:47: `not_author` needs `true` or `false`, not `no` (did you mean `false`?)
    "#);
}

#[test]
fn freezes_begin_and_end() {
    let cases = [
        "freeze: december",
        "freeze: [{ from: 2026-12-20 }]",
        "freeze: { from: 2026-12-20, to: 2026-12-19 }",
        "freeze: { from: 2026-02-30, to: 20270104 }",
        "freeze: { from: 2026-12-20T18:00Z, to: 2026-12-20T25:00 }",
        "freeze: { from: 2026-12-20, to: 2027-01-04, timezone: Paris }",
        "freeze: { from: 2026-12-20, to: 2027-01-04, timezone: CET+1, reason: '' }",
    ];
    insta::assert_snapshot!(environment(&cases), @r#"
    8:13: `freeze` needs maps with `from` and `to`, not `december` (write `{ from: 2026-12-20, to: 2027-01-04 }`)
    8:14: `freeze` has no `to` (add for example `to: 2027-01-04`)
    8:37: the freeze ends before it begins (`from` comes first; a date under `to` is included)
    8:21: `from` needs a date or a moment, not `2026-02-30` (write `2026-12-20` for a day, or `2026-12-20T18:00` for a moment, in the freeze's `timezone`)
    8:37: `to` needs a date or a moment, not `20270104` (write `2026-12-20` for a day, or `2026-12-20T18:00` for a moment, in the freeze's `timezone`)
    8:21: `from` needs a date or a moment, not `2026-12-20T18:00Z` (write `2026-12-20` for a day, or `2026-12-20T18:00` for a moment, in the freeze's `timezone`)
    8:44: `to` needs a date or a moment, not `2026-12-20T25:00` (write `2026-12-20` for a day, or `2026-12-20T18:00` for a moment, in the freeze's `timezone`)
    8:59: unknown time zone `Paris` (write an IANA zone such as `Europe/Paris`, or `UTC`)
    8:59: unknown time zone `CET+1` (write an IANA zone such as `Europe/Paris`, or `UTC`)
    8:74: `reason` is an empty text (say why, in a sentence)
    "#);
}

#[test]
fn targets_are_of_a_known_kind() {
    let cases = [
        "",
        "target: host",
        "target: {}",
        "target: { kind: docker }",
        "target: { kind: Host }",
        "target: { kind: kubernetes }",
        "target: { kind: kubernetes, namespace: Shop, manifests: [], listen: x }",
        "target: { kind: exec }",
        "target: { kind: exec, command: run me, weights: yes }",
        "target: { kind: host }",
    ];
    insta::assert_snapshot!(target(&cases), @r#"
    4:3: `dev` has no `target` (add for example `target: { kind: host, listen: 127.0.0.1:8080, run: [bin/shop] }`)
    7:13: `target` needs a map with a `kind`, not `host` (kinds: host, kubernetes, exec)
    7:5: `target` has no `kind` (add `kind: host`, `kind: kubernetes` or `kind: exec`)
    7:21: `kind` cannot be `docker` (allowed: `host`, `kubernetes`, `exec`)
    7:21: `kind` cannot be `Host` (did you mean `host`? allowed: `host`, `kubernetes`, `exec`)
    7:5: `target` has no `namespace` (add for example `namespace: shop`)
    7:5: `target` has no `manifests` (add for example `manifests: deploy/k8s/`)
    7:44: `namespace` cannot be called `Shop` (a name is lower-case letters, digits and dashes, not a dash first, at most 63)
    7:50: `manifests` needs a text, not a list (name the folder of manifests)
    7:65: unknown key `listen` in a kubernetes target (allowed: `kind`, `namespace`, `manifests`, `context`)
    7:5: `target` has no `command` (add for example `command: [deploy/driver]`)
    7:36: `command` is one text with blanks in it; no shell takes it apart (write the program and its arguments as a list: `[bin/shop, --port, "{port}"]`)
    7:53: `weights` needs `true` or `false`, not `yes` (did you mean `true`?)
    7:5: `target` has no `listen` (add for example `listen: 127.0.0.1:8080`)
    7:5: `target` has no `run` (add for example `run: [bin/shop, --port, "{port}"]`)
    "#);
}

#[test]
fn a_host_target_is_whole() {
    let cases = [
        "target: { kind: host, listen: ':8080', run: [] }",
        "target: { kind: host, listen: 8080, run: [{port}] }",
        "target: { kind: host, listen: 127.0.0.1:99999, run: 'bin/shop --port 1' }",
        "target: { kind: host, listen: 127.0.0.1:0, run: [''], instances: 0 }",
        "target: { kind: host, listen: 127.0.0.1:0, run: [a], instances: 99999999999999999999 }",
        "target: { kind: host, listen: 127.0.0.1:0, run: [a], ready: healthz }",
        "target: { kind: host, listen: 127.0.0.1:0, run: [a], ready: { htp: /x, within: 0s } }",
        "target: { kind: host, listen: 127.0.0.1:0, run: [a], env: { 1A: b, C: , D: [e] } }",
        "target: { kind: host, listen: 127.0.0.1:0, run: [a], drain: 1.5m, stop: 10 sec, metrics: x }",
    ];
    insta::assert_snapshot!(target(&cases), @r#"
    7:35: `listen` is not an address: `:8080` (an IP address and a port; did you mean `127.0.0.1:8080`?)
    7:44: `run` is an empty command (write the program and its arguments as a list: `[bin/shop, --port, "{port}"]`)
    7:35: `listen` is not an address: `8080` (an IP address and a port; did you mean `127.0.0.1:8080`?)
    7:47: `run` needs a text, not a map (YAML reads braces as a map; quote the text: "{port}")
    7:35: `listen` is not an address: `127.0.0.1:99999` (write an IP address and a port, such as `127.0.0.1:8080`; port 0 picks a free one)
    7:57: `run` is one text with blanks in it; no shell takes it apart (write the program and its arguments as a list: `[bin/shop, --port, "{port}"]`)
    7:54: `run` is an empty text (write the program and its arguments as a list: `[bin/shop, --port, "{port}"]`)
    7:70: `instances` needs a whole number from 1 to 1000, not `0`
    7:69: `instances` needs a whole number from 1 to 1000, not `99999999999999999999`
    7:65: `ready` needs a path that begins with `/`, not `healthz` (write a path such as `/healthz`)
    7:67: unknown key `htp` in ready (did you mean `http`? allowed: `http`, `within`, `every`)
    7:84: `within` must be longer than 0s
    7:65: `1A` cannot be an environment variable (letters, digits and `_`, not a digit first)
    7:72: `C` needs a text, not nothing (quote an empty value: "")
    7:77: `D` needs a text, not a list (quote an empty value: "")
    7:65: `drain` needs a time, not `1.5m` (a time is whole numbers with d, h, m, s or ms, large to small: `30s`, `1h30m`; at most ten years)
    7:77: `stop` needs a time, not `10 sec` (a time is whole numbers with d, h, m, s or ms, large to small: `30s`, `1h30m`; at most ten years)
    7:94: `metrics` is not an address: `x` (write an IP address and a port, such as `127.0.0.1:8080`; port 0 picks a free one)
    "#);
}

#[test]
fn strategies_can_be_done() {
    let cases = [
        "strategy: canary",
        "strategy: big-bang",
        "strategy: {}",
        "strategy: { kind: canary }",
        "strategy: { kind: canary, steps: [], bake: 1m }",
        "strategy: { kind: canary, steps: [5%, 5%], bake: 1m }",
        "strategy: { kind: canary, steps: [0%, 50%, 100%], bake: 1m }",
        "strategy: { kind: canary, steps: [0.001%], bake: 1m }",
        "strategy: { kind: canary, steps: [10, half], bake: 10 }",
        "strategy: { kind: canary, steps: [5%, 50%], bake: 90m }",
        "strategy: { kind: rolling, steps: [5%], batch: 0 }",
        "strategy: { kind: blue-green, bake: soon }",
    ];
    insta::assert_snapshot!(environment(&cases), @r#"
    8:15: a canary needs its steps and how long each bakes (write `{ kind: canary, steps: [5%, 25%, 50%], bake: 10m }`)
    8:15: `strategy` cannot be `big-bang` (allowed: `rolling`, `blue-green`, `canary`)
    8:5: `strategy` has no `kind` (add `kind: rolling`, `kind: blue-green` or `kind: canary`)
    8:5: `strategy` has no `steps` (add for example `steps: [5%, 25%, 50%]`)
    8:5: `strategy` has no `bake` (add for example `bake: 10m`)
    8:31: a canary without steps (write for example `steps: [5%, 25%, 50%]`)
    8:43: canary steps must rise, and 5% follows 5% (write them from small to large)
    8:39: a canary step of `0%` is not between 0% and 100% (leave it out: 100% follows by itself, and 0% judges nothing)
    8:48: a canary step of `100%` is not between 0% and 100% (leave it out: 100% follows by itself, and 0% judges nothing)
    8:39: a canary step of `0.001%` is not between 0% and 100% (leave it out: 100% follows by itself, and 0% judges nothing)
    8:39: `steps` is a share, and `10` has no unit (did you mean `10%`?)
    8:43: `steps` needs a share from 0% to 100%, not `half` (write for example `5%` or `0.5%`)
    8:56: `bake` is a time, and `10` has no unit (did you mean `10s` or `10m`?)
    8:5: the strategy bakes for 3h, and the rollout is reverted after 2h (bake shorter, or raise `clocks.total`)
    8:32: unknown key `steps` in a rolling strategy (allowed: `kind`, `batch`, `bake`)
    8:52: `batch` needs a whole number from 1 to 1000, not `0`
    8:41: `bake` needs a time, not `soon` (a time is whole numbers with d, h, m, s or ms, large to small: `30s`, `1h30m`; at most ten years)
    "#);
}

#[test]
fn checks_of_a_running_release_can_fail() {
    let cases = [
        "verify: yes",
        "verify: { probe: [] }",
        "verify: { probes: healthz }",
        "verify: { probes: [{ expect: 200 }] }",
        "verify: { probes: [{ tcp: 'db', expect: 200 }] }",
        "verify: { probes: [{ command: [x], http: /x }] }",
        "verify: { probes: [{ http: /x, expect: { status: 99, contains: '' }, failures: 0 }] }",
        "verify: { errors: 1 }",
        "verify: { errors: { worse_by: 2 } }",
        "verify: { latency: { worse_by: 1x } }",
        "verify: { latency: {} }",
        "verify: { warm_up: { requests: -1 }, restarts: none }",
        "verify: { on_inconclusive: ask, no_data: ok }",
    ];
    insta::assert_snapshot!(environment(&cases), @r#"
    8:13: `verify` needs a map, not `yes` (keys of verify: probes, errors, latency, restarts, within, warm_up, on_inconclusive, no_data)
    8:15: unknown key `probe` in verify (did you mean `probes`? allowed: `probes`, `errors`, `latency`, `restarts`, `within`, `warm_up`, `on_inconclusive`, `no_data`)
    8:23: `probes` is neither a path nor a URL: `healthz` (write a path such as `/healthz`, or a whole URL)
    8:24: a probe that does nothing (add one of `http: /healthz`, `tcp: 127.0.0.1:5432` or `command: [check]`)
    8:26: this probe has no status (only an `http` probe is answered with a status)
    8:31: `tcp` is not an address: `db` (write `host:port`, or "" for the service itself)
    8:37: this probe has no status (only an `http` probe is answered with a status)
    8:40: a probe does one thing (keep one of `http: /healthz`, `tcp: 127.0.0.1:5432` or `command: [check]`; write another probe for the other)
    8:54: `status` needs a whole number from 100 to 599, not `99`
    8:68: `contains` is an empty text (write the text that must be there)
    8:84: `failures` needs a whole number from 1 to 1000, not `0`
    8:23: `errors` is a share, and `1` has no unit (did you mean `1%`?)
    8:35: `worse_by` is a factor, and `2` has no unit (did you mean `2x`?)
    8:36: `worse_by` must be above 1x: `1x` would call an equal release worse (write for example `2x` or `1.3x`)
    8:15: `latency` has no `worse_by` (add for example `worse_by: 1.3x`)
    8:36: `requests` needs a whole number, not `-1`
    8:52: `restarts` needs a whole number from 0 to 1000000, not `none`
    8:32: `on_inconclusive` cannot be `ask` (allowed: `hold`, `extend`, `fail`, `pass`)
    8:46: `no_data` cannot be `ok` (allowed: `inconclusive`, `fail`, `ignore`)
    "#);
}

#[test]
fn clocks_and_the_rest_are_in_range() {
    let cases = [
        "clocks: { step: 3h }",
        "clocks: { total: 1m }",
        "clocks: { progress: 0s }",
        "clocks: 5m",
        "keep: many",
        "keep: 3\n    keep: 4",
        "evidence: none",
        "evidense: unsigned",
        "approvals: 1",
    ];
    insta::assert_snapshot!(environment(&cases), @r#"
    8:21: `step` of 3h could never end before `total` of 2h (let `total` be the longest of the three)
    no mistake
    8:25: `progress` must be longer than 0s
    8:13: `clocks` needs a map, not `5m` (keys of clocks: step, progress, total)
    8:11: `keep` needs a whole number from 0 to 1000, not `many`
    9:5: duplicate key `keep` (it stands on line 8 already; keep one of the two)
    7:15: `evidence` cannot be `none` (allowed: `signed`, `unsigned`)
    8:5: unknown key `evidense` in an environment (did you mean `evidence`? allowed: `needs`, `soak`, `gates`, `evidence`, `approval`, `freeze`, `target`, `strategy`, `verify`, `clocks`, `keep`)
    8:5: unknown key `approvals` in an environment (did you mean `approval`? allowed: `needs`, `soak`, `gates`, `evidence`, `approval`, `freeze`, `target`, `strategy`, `verify`, `clocks`, `keep`)
    "#);
}
