//! How a release takes over: three names for lists of weights.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Percent, Span};

/// How a release takes over. `domain::rollout::plan` compiles it to steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Strategy {
    /// Instance by instance, weight following the instances; the old stays warm until the end.
    Rolling {
        /// How many instances at a time, default 1.
        batch: u16,
        /// How long each batch is watched, default 0s.
        bake: Span,
    },
    /// All instances of the new beside the old, then one flip.
    BlueGreen {
        /// How long the new is watched before the old is stopped, default 0s.
        bake: Span,
    },
    /// A rising share of requests, each step verified.
    Canary {
        /// The shares, rising, each above 0% and below 100%; 100% follows by itself.
        steps: Vec<Percent>,
        /// How long each step is watched.
        bake: Span,
    },
}
