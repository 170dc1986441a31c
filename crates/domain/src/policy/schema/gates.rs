//! `gates` in the schema: one property a registered metric, its bound in the metric's unit.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use crate::policy::metric::{METRICS, Metric, Unit};

/// The word `none`, or conditions by metric.
pub(super) struct Gates;

impl JsonSchema for Gates {
    fn schema_name() -> Cow<'static, str> {
        "Gates".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let properties: Map<String, Value> =
            METRICS.iter().map(|metric| (metric.name.to_owned(), condition(metric))).collect();
        json_schema!({
            "description": "The word none, or conditions: a metric and its bound.",
            "anyOf": [
                { "const": "none", "description": "The environment demands nothing of reports and scans." },
                { "type": "object", "additionalProperties": false, "properties": properties },
            ],
        })
    }
}

fn condition(metric: &Metric) -> Value {
    let bound = json!({ "type": "string", "pattern": pattern(metric.unit), "examples": [metric.example] });
    let mut properties = Map::new();
    let mut long = bound.clone();
    long["description"] = "What the metric's value must satisfy.".into();
    properties.insert("bound".to_owned(), long);
    if metric.name == "coverage.new_lines" {
        let description = "With fewer changed lines than this the condition is not applicable, and says so.";
        properties.insert(
            "min_lines".to_owned(),
            json!({ "type": "integer", "minimum": 1, "maximum": 1_000_000, "description": description }),
        );
    }
    let advisory = "Whether a miss is only advised of.";
    properties.insert(
        "advisory".to_owned(),
        json!({ "type": "boolean", "default": false, "description": advisory }),
    );
    json!({
        "description": metric.means,
        "anyOf": [
            bound,
            {
                "type": "object",
                "additionalProperties": false,
                "required": ["bound"],
                "properties": properties,
            },
        ],
    })
}

fn pattern(unit: Unit) -> String {
    let value = match unit {
        Unit::Number => "[0-9]+",
        Unit::Percent => r"[0-9]+(\.[0-9]+)?\s*%",
        Unit::Duration => "(?=[0-9])([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?",
        Unit::Bytes => r"[0-9]+\s*([kMG]B|[KMG]iB|B)",
    };
    format!(r"^\s*(==|!=|>=|<=|>|<)\s*{value}\s*$")
}
