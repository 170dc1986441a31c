//! The JSON Schema, the decoder and the page agree about the grammar.

use std::collections::BTreeSet;

use serde_json::Value;
use windlass_domain::policy::{METRICS, Policy, SHAPES, TOPICS, json_schema};

const CHECKED_IN: &str = include_str!("../../../docs/schema/windlass.schema.json");
const PAGE: &str = include_str!("../../../docs/windlass-yml.md");

const GOOD: [(&str, &str); 6] = [
    ("around.yml", include_str!("policies/good/around.yml")),
    ("design.yml", include_str!("policies/good/design.yml")),
    ("full.yml", include_str!("policies/good/full.yml")),
    ("long.yml", include_str!("policies/good/long.yml")),
    ("notify.yml", include_str!("policies/good/notify.yml")),
    ("short.yml", include_str!("policies/good/short.yml")),
];

fn valid(text: &str) -> bool {
    let instance: Value = serde_yaml::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    jsonschema::validator_for(&json_schema()).expect("the schema is one").is_valid(&instance)
}

#[test]
fn the_checked_in_schema_is_the_generated_one() {
    let checked_in: Value = serde_json::from_str(CHECKED_IN).expect("JSON");
    assert!(
        checked_in == json_schema(),
        "the grammar changed: run `cargo run -p windlass -- schema > docs/schema/windlass.schema.json`"
    );
}

#[test]
fn good_policies_satisfy_parser_and_schema() {
    for (name, text) in GOOD {
        assert!(Policy::parse(text).is_ok(), "{name}: {:?}", Policy::parse(text));
        assert!(valid(text), "{name}");
    }
}

/// A good policy, and what makes it bad: a text in it and its replacement.
#[test]
fn bad_shapes_are_refused_by_parser_and_schema() {
    let good = include_str!("policies/good/full.yml");
    let cases = [
        ("version: 1", "version: 2"),
        ("app: shop", "app: Shop"),
        ("app: shop", "apps: shop"),
        ("app: shop", "app:"),
        ("artifact: dist/", "artefact: dist/"),
        ("reads: 11..12", "reads: 11-12"),
        ("signs: [approval]", "signs: [approvals]"),
        ("ana@example.org", "ana"),
        ("gates: none", "gates: some"),
        ("gates: none", "gates: [none]"),
        ("evidence: unsigned", "evidence: maybe"),
        ("kind: host", "kind: hosts"),
        ("listen: 127.0.0.1:8080", "listen: localhost"),
        ("run: [bin/shop, --port, \"{port}\", 8080, true]", "run: []"),
        ("run: [bin/shop, --port, \"{port}\", 8080, true]", "run: bin/shop --port"),
        ("run: [bin/shop, --port, \"{port}\", 8080, true]", "run: [bin/shop, {port}]"),
        ("instances: 2", "instances: 0"),
        ("ready: { http: /healthz", "ready: { http: healthz"),
        ("every: 100ms", "every: 100"),
        ("LOG: info", "1LOG: info"),
        ("drain: 1m", "drain: 1.5m"),
        ("batch: 2", "steps: [5%]"),
        ("total: 30m", "all: 30m"),
        ("soak: 1h30m", "soak: 30m1h"),
        ("\"<= 10m\"", "\"<= 10\""),
        ("\">= 79.5%\"", "\">= 79.5\""),
        ("\">= 79.5%\"", "\"=> 79.5%\""),
        ("tests.duration", "tests.time"),
        ("advisory: true", "min_lines: 20"),
        ("weights: true", "weights: some"),
        ("steps: [0.5%, 50%]", "steps: [0.5, 50]"),
        ("bake: 10m }", "}"),
        ("status: 204", "status: 99"),
        ("{ tcp: \"127.0.0.1:5432\" }", "{ tcp: \"127.0.0.1:5432\", http: / }"),
        ("{ tcp: \"\" }", "{ every: 1s }"),
        ("errors: { at_most: 1%, worse_by: 2x }", "errors: {}"),
        ("worse_by: 1.3x", "worse_by: 1.3"),
        ("on_inconclusive: extend", "on_inconclusive: ask"),
        ("count: 2", "count: 0"),
        ("user:bob", "bob"),
        ("from: 2026-12-20,", "from: tomorrow,"),
        ("namespace: shop", "namespace: Shop"),
    ];
    refused(good, &cases);
    let around = [
        ("up: [bin/shop, migrate]", "up: []"),
        ("reversible: true, ", ""),
        ("timeout: 10m", "timeout: 10"),
        ("/etc/shop/db", "hunter2"),
        ("memory: 512MiB", "memory: 512"),
        ("cpu: 1.5", "cpu: 0"),
        ("cpu: 1.5", "cpu: many"),
        ("size: 20MiB", "size: 20Mb"),
        ("keep: 9", "keep: 1001"),
        ("certificate: /etc/shop/fullchain.pem, ", ""),
        ("connections: 500", "connections: 0"),
        ("access_log: true", "access_log: some"),
        ("sticky: { cookie: shop-revision }", "sticky: {}"),
        ("sticky: { cookie: shop-revision }", "sticky: { cookie: a, header: b }"),
        ("cookie: shop-revision", "cookie: \"shop revision\""),
        ("token: /etc/shop/testers, ", ""),
        ("{ pause: 30m }", "{ settle: false }"),
        ("batch: 1,", "batch: 0,"),
        ("settle: false, verify: false", "settle: perhaps"),
        ("before: shift", "before: lunch"),
        ("{ after: commit, ", "{ "),
        ("{ after: commit, ", "{ after: commit, before: shift, "),
        ("prove_rollback: true", "prove_rollback: staging"),
        ("releases: 5", "releases: 1001"),
        ("records: false", "records: some"),
        ("https://shop.example", "shop.example"),
        ("https://shop.example", "https://user:password@shop.example"),
    ];
    refused(include_str!("policies/good/around.yml"), &around);
    let notify = [
        ("slack: SLACK_URL", "slack: https://hooks.slack.com/services/T0/B0/X"),
        ("slack: SLACK_URL", "slack: slack_url"),
        ("slack: SLACK_URL", "slak: SLACK_URL"),
        ("teams: TEAMS_URL", "teams: TEAMS_URL\n    slack: SLACK_URL"),
        ("on: [stuck, open]", "on: []"),
        ("on: [stuck, open]", "on: [stuck, opened]"),
        ("environments: [production]", "environments: []"),
        (", secret: HOOK_SECRET", ""),
        ("file: deploy/hook.json", "path: deploy/hook.json"),
        ("smtp: mail.example.org:587", "smtp: mail.example.org"),
        ("tls: starttls", "tls: ssl"),
        ("from: windlass@example.org", "from: Windlass <windlass@example.org>"),
        ("ops@example.org", "ops"),
        ("      user: SMTP_USER\n", ""),
    ];
    refused(include_str!("policies/good/notify.yml"), &notify);
}

/// What neither the parser nor the schema takes once a text in a good policy is replaced.
fn refused(good: &str, cases: &[(&str, &str)]) {
    assert!(valid(good) && Policy::parse(good).is_ok());
    for (from, to) in cases {
        assert!(good.contains(from), "{from}");
        let bad = good.replacen(from, to, 1);
        assert!(Policy::parse(&bad).is_err(), "the parser takes `{to}` for `{from}`");
        assert!(!valid(&bad), "the schema takes `{to}` for `{from}`");
    }
}

#[test]
fn every_map_of_the_decoder_is_one_of_the_schema() {
    let mut described = BTreeSet::new();
    collect(&json_schema(), &mut described);
    for shape in SHAPES {
        let keys: BTreeSet<String> = shape.keys.iter().map(|key| (*key).to_owned()).collect();
        assert!(
            described.contains(&keys),
            "the schema has no map with the keys of {}: {keys:?}",
            shape.title
        );
    }
}

/// Every set of properties in `schema` that is closed.
fn collect(schema: &Value, found: &mut BTreeSet<BTreeSet<String>>) {
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        assert!(schema.get("additionalProperties") == Some(&Value::Bool(false)), "open: {properties:?}");
        found.insert(properties.keys().cloned().collect());
    }
    match schema {
        Value::Object(object) => object.values().for_each(|value| collect(value, found)),
        Value::Array(items) => items.iter().for_each(|value| collect(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_page_documents_every_key_and_metric() {
    let missing: Vec<String> = SHAPES
        .iter()
        .flat_map(|shape| shape.keys.iter().map(move |key| (shape.title, *key)))
        .filter(|(title, key)| !section(title).contains(&format!("| `{key}` |")))
        .map(|(title, key)| format!("{title}: {key}"))
        .chain(
            METRICS
                .iter()
                .filter(|one| !PAGE.contains(&format!("| `{}` |", one.name)))
                .map(|one| one.name.to_owned()),
        )
        .collect();
    assert!(missing.is_empty(), "docs/windlass-yml.md has no row for {missing:#?}");
}

/// The part of the page that a heading with the shape's title begins.
fn section(title: &str) -> &'static str {
    let heading = format!("## `{title}`\n");
    let Some(start) = PAGE.find(&heading) else { return "" };
    let rest = &PAGE[start + heading.len()..];
    rest.find("\n#").map_or(rest, |end| &rest[..end])
}

#[test]
fn topics_are_named_once_and_say_something() {
    let keys: BTreeSet<&str> = TOPICS.iter().map(|topic| topic.key).collect();
    assert_eq!(keys.len(), TOPICS.len());
    assert!(
        TOPICS.iter().all(|topic| topic.key.starts_with("policy.")
            && topic.means.len() > 30
            && !topic.next.is_empty())
    );
}
