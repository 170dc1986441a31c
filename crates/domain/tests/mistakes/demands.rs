//! What an environment demands: gates, bounds, needs, approvals, freezes.

use super::environment;

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
    7:14: unknown metric `speed` (known: tests.total, tests.failed, tests.skipped, tests.flaky, tests.duration, coverage.lines, coverage.branches, coverage.functions, coverage.new_lines, coverage.lowest_file, vulnerabilities.critical, vulnerabilities.high, vulnerabilities.medium, vulnerabilities.low, secrets, findings.error, findings.warning, rollback.proved)
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
