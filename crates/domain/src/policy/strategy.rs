//! How a release takes over: three names for lists of steps, and a list of one's own.

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
    /// The author's own list.
    Custom {
        /// The steps, in order; if the last of them leaves the old a share, 100% follows by itself.
        steps: Vec<CustomStep>,
    },
}

/// One step of a list of one's own: more requests or more instances for the new, then settling, judging, waiting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CustomStep {
    /// The share of requests that the new gets; absent in a step that only waits or starts instances.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<Percent>,
    /// How many instances more, or with several hosts how many hosts more, take the new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<u16>,
    /// Whether to wait until the shift is in effect and what it leaves has drained, default true.
    pub settle: bool,
    /// Whether the new is judged, default true where the environment says how, or where the step bakes.
    pub verify: bool,
    /// The least time that it is watched while it is judged, default 0s.
    pub bake: Span,
    /// How long to wait at the end of the step, watching nothing, default 0s.
    pub pause: Span,
}
