//! The JSON Schema of `windlass.yml`: the grammar as its authors write it, short forms and long.
//!
//! The types here are never read into: they exist so that schemars describes them, for editors and for people. Tests
//! hold their keys to the decoder's, and the checked-in copy to what is generated.
#![expect(dead_code, reason = "the fields are described, not read")]

mod environment;
mod form;
mod gates;
mod notify;
mod target;
mod verify;

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use schemars::{JsonSchema, Schema};
use serde_json::Value;

use self::environment::Environment;
use self::form::{Command, Email, Name, OneOrMore, Text, Time, Word};
use self::notify::Notification;
use super::EvidenceKind;

/// The JSON Schema (2020-12) of `windlass.yml`. References between environments, rising steps and the like are
/// beyond a schema: `windlass check` judges those.
#[must_use]
pub fn json_schema() -> Value {
    let generator = SchemaSettings::draft2020_12().with_transform(NeverNull).into_generator();
    generator.into_root_schema_for::<Root>().to_value()
}

/// An absent key and an empty value are not the same: the decoder refuses the latter, and so does the schema.
#[derive(Clone, Debug)]
struct NeverNull;

impl Transform for NeverNull {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        let Some(object) = schema.as_object_mut() else { return };
        if let Some(Value::Array(types)) = object.get_mut("type") {
            types.retain(|kind| kind != "null");
            if let [only] = types.as_slice() {
                let only = only.clone();
                object.insert("type".to_owned(), only);
            }
        }
        if let Some(Value::Array(forms)) = object.get_mut("anyOf") {
            forms.retain(|form| form.get("type").is_none_or(|kind| kind != "null"));
            if let [Value::Object(only)] = forms.as_slice() {
                let only = only.clone();
                object.remove("anyOf");
                for (key, value) in only {
                    object.entry(key).or_insert(value);
                }
            }
        }
    }
}

/// What each environment demands of a release, where it runs and how it enters.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, title = "windlass.yml")]
struct Root {
    /// The version of the grammar.
    #[schemars(extend("const" = 1))]
    version: u32,
    /// The name of the application.
    app: Name,
    /// What is released: the artifact, or more.
    release: Option<ReleaseForm>,
    /// The public keys whose signatures count, by name.
    #[schemars(extend("propertyNames" = { "pattern": form::NAME }))]
    keys: Option<BTreeMap<String, KeyForm>>,
    /// The environments, in the order in which releases go through them.
    #[schemars(extend("propertyNames" = { "pattern": form::NAME }, "minProperties" = 1))]
    environments: BTreeMap<String, Environment>,
    /// Who is told of a release's way.
    notify: Option<OneOrMore<Notification>>,
}

/// The artifact alone, or the long form.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum ReleaseForm {
    /// A file, a folder, or an image by digest; relative to windlass.yml.
    Short(Text),
    Long(Release),
}

/// What is released, and what comes back with it.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Release {
    /// A file, a folder, or an image by digest; relative to windlass.yml.
    artifact: Option<Text>,
    /// Files and folders of configuration, staged and restored with the artifact; relative to windlass.yml.
    config: Option<OneOrMore<Text>>,
    /// The data schema that the release writes.
    schema: Option<SchemaForm>,
    /// The schema versions that it reads, both ends included, such as 11..12.
    reads: Option<Reads>,
    /// How it brings the data to that schema.
    migrate: Option<Migrate>,
}

/// How a release brings the data to the schema that it writes: once, before the first request.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Migrate {
    /// The program and its arguments, run in the staged artifact's folder with the release's environment.
    up: Command,
    /// Whether the release before still works afterwards. If not, there is no way back.
    reversible: bool,
    /// How long it may take.
    #[schemars(extend("default" = "5m"))]
    timeout: Option<Time>,
}

/// The version alone, or the long form.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum SchemaForm {
    /// The version that the release writes.
    Short(u64),
    Long(DataSchema),
}

/// The data schema that a release writes and those that it reads.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct DataSchema {
    /// The version that the release writes.
    version: u64,
    /// The versions that it reads, both ends included, such as 11..12.
    reads: Option<Reads>,
}

/// A range of schema versions, or one.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Reads {
    /// One version.
    One(u64),
    /// The oldest and the newest, both included.
    Range(#[schemars(extend("pattern" = r"^[0-9]+\s*\.\.\s*[0-9]+$"))] String),
}

/// The file of a public key alone, or the long form.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum KeyForm {
    /// The file of the public key. It signs everything but approvals.
    Short(Word),
    Long(Key),
}

/// A public key and what its signature may vouch for.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Key {
    /// A PEM file with the public key, relative to windlass.yml, or the PEM itself.
    public: Word,
    /// The kinds of evidence it may sign; by default everything but approvals.
    signs: Option<OneOrMore<EvidenceKind>>,
    /// The e-mail address of the person who holds it.
    owner: Option<Email>,
}
