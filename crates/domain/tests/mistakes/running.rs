//! Where an environment runs and how a release enters it: target, strategy, checks, clocks.

use super::{environment, target};

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
        "target: { kind: host, listen: 127.0.0.1:0, run: [a], hosts: [web1, -oProxyCommand=x, web1], memory: 5, cpu: 0 }",
        "target: { kind: host, listen: 127.0.0.1:0, run: [a], hosts: [], logs: 5MiB, limits: { header: 0B, idle: 0s } }",
        "target: { kind: host, listen: 127.0.0.1:0, run: [a], env: { A: b }, secrets: { A: /a } }",
        "target: { kind: host, listen: 127.0.0.1:0, run: [a], secrets: { A: hunter2 } }",
        "target: { kind: host, listen: 127.0.0.1:0, run: [a], tls: {}, sticky: { header: Host }, testers: { token: t, header: 'a b' } }",
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
    7:72: `-oProxyCommand=x` cannot be a host (write destinations as ssh knows them: `[web1, deploy@web2.example.org]`)
    7:90: `web1` is listed twice (keep one)
    7:105: `memory` is a size, and `5` has no unit (write for example `64KiB`, `10MB` or `512MiB`)
    7:113: `cpu` needs a number of cores from 0.001 to 1024, not `0` (write for example `1.5`)
    7:58: `hosts` is an empty list (leave it out for this machine)
    7:75: `logs` needs a map, not `5MiB` (keys of logs: size, age, keep)
    7:99: `header` needs a size above 0B, not `0B` (write for example `64KiB`, `10MB` or `512MiB`)
    7:109: `idle` must be longer than 0s
    7:73: `A` stands under `env` and under `secrets` (keep one of the two)
    7:58: the secret `A` is not named by the full path of a file on the host (write `secrets: { DB_PASSWORD: /etc/shop/db }`)
    7:58: `tls` has no `certificate` (add for example `certificate: /etc/shop/fullchain.pem`)
    7:58: `tls` has no `key` (add for example `key: /etc/shop/privkey.pem`)
    7:85: `Host` has a meaning of its own (choose a header of the application)
    7:122: `header` is not a name that HTTP allows: `a b` (letters, digits and dashes, at most 64)
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
        "strategy: custom",
        "strategy: { kind: custom, steps: [] }",
        "strategy: { kind: custom, steps: [{ verify: true }, { weight: 0% }, { weight: 5%, verify: false, bake: 1m }] }",
        "strategy: { kind: custom, steps: [{ weight: 50% }, { weight: 5% }] }",
        "strategy: { kind: custom, steps: [{ weight: 50%, bake: 1h, pause: 90m }] }",
    ];
    insta::assert_snapshot!(environment(&cases), @r"
    8:15: a canary needs its steps and how long each bakes (write `{ kind: canary, steps: [5%, 25%, 50%], bake: 10m }`)
    8:15: `strategy` cannot be `big-bang` (allowed: `rolling`, `blue-green`, `canary`, `custom`)
    8:5: `strategy` has no `kind` (add `kind: rolling`, `kind: blue-green`, `kind: canary` or `kind: custom`)
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
    8:15: a custom strategy needs its steps (write `{ kind: custom, steps: [{ weight: 10%, bake: 5m }, { pause: 10m }, { weight: 100% }] }`)
    8:31: a strategy without steps (write `{ kind: custom, steps: [{ weight: 10%, bake: 5m }, { pause: 10m }, { weight: 100% }] }`)
    8:39: a step that changes nothing and waits for nothing (give it a `weight`, a `batch` or a `pause`)
    8:67: a step of 0% sends the new nothing (leave `weight` out, or raise it)
    8:73: a step bakes and is not judged (write `pause` to wait without judging)
    8:56: shares may not fall, and 5% follows 50% (write them from small to large)
    8:5: the strategy bakes for 2h30m, and the rollout is reverted after 2h (bake shorter, or raise `clocks.total`)
    ");
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
        "keep: { releases: 1, warm: 3 }",
        "hooks: { before: shift, run: [a] }",
        "hooks: [{ run: [a] }]",
        "hooks: [{ before: stage, after: stage, run: a b }]",
        "hooks: [{ before: lunch, run: [a], timeout: 0s }]",
        "prove_rollback: yes",
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
    8:32: 3 cannot stay warm where 2 stay at all (raise `releases`, or lower `warm`)
    no mistake
    8:13: a hook stands at no phase (write `before:` or `after:` and a phase: stage, migrate, shift, commit, retire, revert)
    8:30: a hook stands both before and after a phase (write `before:` or `after:` and a phase: stage, migrate, shift, commit, retire, revert)
    8:49: `run` is one text with blanks in it; no shell takes it apart (write the program and its arguments as a list: `[bin/shop, --port, "{port}"]`)
    8:23: `before` cannot be `lunch` (allowed: `stage`, `migrate`, `shift`, `commit`, `retire`, `revert`)
    8:49: `timeout` must be longer than 0s
    8:21: `prove_rollback` needs `true` or `false`, not `yes` (did you mean `true`?)
    7:15: `evidence` cannot be `none` (allowed: `signed`, `unsigned`)
    8:5: unknown key `evidense` in an environment (did you mean `evidence`? allowed: `needs`, `soak`, `gates`, `evidence`, `approval`, `freeze`, `target`, `strategy`, `verify`, `clocks`, `hooks`, `prove_rollback`, `keep`, `forge`)
    8:5: unknown key `approvals` in an environment (did you mean `approval`? allowed: `needs`, `soak`, `gates`, `evidence`, `approval`, `freeze`, `target`, `strategy`, `verify`, `clocks`, `hooks`, `prove_rollback`, `keep`, `forge`)
    "#);
}

#[test]
fn a_canary_needs_a_target_that_can_split_traffic() {
    const CANARY: &str = "strategy: { kind: canary, steps: [5%], bake: 1m }";
    let cases = [
        format!("target: {{ kind: exec, command: a }}\n    {CANARY}"),
        format!("target: {{ kind: exec, command: a, weights: false }}\n    {CANARY}"),
        format!("target: {{ kind: exec, command: a, weights: true }}\n    {CANARY}"),
        "target: { kind: exec, command: a }\n    strategy: blue-green".to_owned(),
    ];
    insta::assert_snapshot!(target(&cases.each_ref().map(String::as_str)), @r"
    8:5: the strategy splits requests by weight, and this exec target can only flip (say `weights: true` where its command can split traffic, or use `strategy: blue-green`)
    8:5: the strategy splits requests by weight, and this exec target can only flip (say `weights: true` where its command can split traffic, or use `strategy: blue-green`)
    no mistake
    no mistake
    ");
}
