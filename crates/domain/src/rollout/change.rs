//! What a release changes: each thing that differs from the one before, by name.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::release::Release;

/// One thing that differs. A secret is told by name and version, never by its value: a release does not know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// What: `artifact`, `config`, `secret DB_PASSWORD`, `schema`, `commit`, or the path of a driver parameter such as
    /// `ready.within`.
    pub what: String,
    /// What it was; absent where it was not there.
    pub old: Option<String>,
    /// What it is to be; absent where it goes away.
    pub new: Option<String>,
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let told = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        write!(f, "{}: {} → {}", self.what, told(&self.old), told(&self.new))
    }
}

impl Change {
    /// All that differs between the release before, if any, and this one.
    #[must_use]
    pub fn between(old: Option<&Release>, new: &Release) -> Vec<Self> {
        let before = old.map(facts).unwrap_or_default();
        let after = facts(new);
        let mut names: Vec<&String> = before.iter().chain(&after).map(|(name, _)| name).collect();
        let mut told = std::collections::BTreeSet::new();
        names.retain(|name| told.insert(*name));
        let of = |facts: &[(String, String)], name: &str| {
            facts.iter().find(|(one, _)| one == name).map(|(_, value)| value.clone())
        };
        names
            .into_iter()
            .map(|name| Self { what: name.clone(), old: of(&before, name), new: of(&after, name) })
            .filter(|change| change.old != change.new)
            .collect()
    }
}

/// What a release is made of, by name, in the order in which people ask for it.
fn facts(release: &Release) -> Vec<(String, String)> {
    let mut facts = vec![("artifact".to_owned(), release.artifact.to_string())];
    facts.extend(release.config.map(|config| ("config".to_owned(), config.to_string())));
    facts.extend(release.commit.iter().map(|commit| ("commit".to_owned(), commit.clone())));
    facts.extend(release.schema.map(|schema| {
        let (writes, from, to) = (schema.writes, schema.reads_from, schema.reads_to);
        ("schema".to_owned(), format!("writes {writes}, reads {from} to {to}"))
    }));
    let secrets = release.secrets.iter();
    facts.extend(secrets.map(|secret| (format!("secret {}", secret.name), secret.version.clone())));
    let mut parameters = BTreeMap::new();
    flatten("", &release.parameters, &mut parameters);
    facts.extend(parameters);
    facts
}

/// A JSON value's leaves by their paths; a list of plain values is one leaf, as people write it.
fn flatten(path: &str, value: &Value, into: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(entries) => {
            for (name, value) in entries {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(&path, value, into);
            }
        }
        Value::Null => {}
        Value::String(text) => {
            into.insert(path.to_owned(), text.clone());
        }
        Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
            into.insert(path.to_owned(), value.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::digest::Digest;
    use crate::release::{Schema, SecretVersion, Sequence};

    fn release(parameters: Value) -> Release {
        Release {
            sequence: Sequence(1),
            app: "shop".into(),
            artifact: Digest::of(b"one"),
            config: None,
            secrets: vec![SecretVersion { name: "DB".into(), version: "v1".into() }],
            schema: None,
            parameters,
            commit: None,
        }
    }

    #[test]
    fn only_what_differs_is_told_and_a_secret_by_its_version() {
        let old = release(
            json!({ "run": ["a", "b"], "env": { "X": "1" }, "ready": { "within": 4000 }, "cpu": null }),
        );
        let mut new = release(json!({ "run": ["a", "c"], "env": { "Y": "1" }, "ready": { "within": 4000 } }));
        new.secrets[0].version = "v2".into();
        new.schema = Some(Schema { writes: 2, reads_from: 1, reads_to: 2 });
        let told: Vec<String> = Change::between(Some(&old), &new).iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "secret DB: v1 → v2",
                "env.X: 1 → nothing",
                r#"run: ["a","b"] → ["a","c"]"#,
                "schema: nothing → writes 2, reads 1 to 2",
                "env.Y: nothing → 1",
            ]
        );
        assert_eq!(Change::between(Some(&old), &old), []);
    }

    #[test]
    fn everything_of_a_first_release_is_new() {
        let changes = Change::between(None, &release(json!({ "instances": 2 })));
        assert!(changes.iter().all(|change| change.old.is_none()), "{changes:?}");
        assert_eq!(
            changes.iter().map(|one| one.what.as_str()).collect::<Vec<_>>(),
            ["artifact", "secret DB", "instances"]
        );
    }
}
