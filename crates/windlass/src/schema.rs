//! `windlass schema`: the JSON Schema of `windlass.yml` and of each tool's document.

use std::process::ExitCode;

use clap::Parser;
use schemars::JsonSchema;
use serde_json::Value;
use windlass_ci::context::Context;
use windlass_ci::document::Document;
use windlass_ci::fail::{Failure, Result};
use windlass_ci::{tool, topics};

use crate::{approve, check, conformance, doctor, explain, notify};

/// Print the JSON Schema of windlass.yml or of a tool's document
#[derive(Debug, Parser)]
#[command(name = "schema", version)]
pub(crate) struct Arguments {
    /// What it describes: policy, or a tool's name
    #[arg(value_name = "WHAT", default_value = "policy")]
    what: String,
}

/// What has a schema, and what makes it.
type Described = (&'static str, fn() -> Value);

/// Everything that has a schema.
const SCHEMAS: &[Described] = &[
    ("policy", windlass_domain::policy::json_schema),
    ("announcement", announcement),
    ("approve", of::<approve::Own>),
    ("check", of::<check::Own>),
    ("conformance", of::<conformance::Own>),
    ("deploy", of::<windlass_target::document::Own>),
    ("doctor", of::<doctor::Own>),
    ("exec-driver", windlass_target::exec::protocol::json_schema),
    ("gate-check", of::<windlass_gate_check::Own>),
    ("health-verify", of::<windlass_health_verify::Own>),
    ("notify", of::<notify::Own>),
    ("rollback", of::<windlass_target::document::Own>),
    ("security-scan", of::<windlass_security_scan::Own>),
];

pub(crate) fn run(context: Context) -> ExitCode {
    match tool::arguments::<Arguments>(&context) {
        Ok(arguments) => tool::finish("schema", print(&arguments.what)),
        Err(code) => code,
    }
}

fn print(what: &str) -> Result<String> {
    let Some((_, schema)) = SCHEMAS.iter().find(|(name, _)| *name == what) else {
        let names = SCHEMAS.iter().map(|(name, _)| *name);
        let near = explain::nearest(what, names.clone()).map(|near| format!("did you mean {near:?}? "));
        let known = names.collect::<Vec<_>>().join(", ");
        return Err(Failure::invalid(&topics::USAGE, format!("nothing called {what:?} has a schema"))
            .hint(format!("{}known: {known}", near.unwrap_or_default())));
    };
    let text = serde_json::to_string_pretty(&schema()).expect("a schema has only string keys");
    Ok(format!("{text}\n"))
}

/// What a signed webhook is sent.
fn announcement() -> Value {
    let generator = schemars::SchemaGenerator::default();
    generator.into_root_schema_for::<windlass_domain::announcement::Announcement>().to_value()
}

/// The schema of the document whose own part is `T`.
fn of<T: JsonSchema>() -> Value {
    schemars::SchemaGenerator::default().into_root_schema_for::<Document<T>>().to_value()
}
