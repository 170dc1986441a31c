//! `verify` in the schema.

use schemars::JsonSchema;

use super::form::{Command, Factor, OneOrMore, Share, Text, Time, Url};
use crate::policy::{NoData, OnInconclusive};

/// How a running release is judged.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Verify {
    /// Active checks of the service through its router.
    probes: Option<OneOrMore<ProbeForm>>,
    /// The share of failed requests.
    errors: Option<ErrorsForm>,
    /// The share of slow requests.
    latency: Option<LatencyForm>,
    /// How often an instance may restart while it is judged.
    #[schemars(range(max = 1_000_000), extend("default" = 0))]
    restarts: Option<u32>,
    /// How long judging may take.
    #[schemars(extend("default" = "10m"))]
    within: Option<Time>,
    /// What is left out at the start of judging.
    #[schemars(extend("default" = "0s"))]
    warm_up: Option<WarmUpForm>,
    /// What happens when the time is over without a verdict.
    #[schemars(extend("default" = "hold"))]
    on_inconclusive: Option<OnInconclusive>,
    /// What a metric without data means. Never a pass.
    #[schemars(extend("default" = "inconclusive"))]
    no_data: Option<NoData>,
}

/// The path alone, or the long form.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum ProbeForm {
    /// A path of the service, or a whole URL, that must answer 2xx.
    Short(Url),
    Long(Probe),
}

/// One active check; it does one of http, tcp and command.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["http"] }, { "required": ["tcp"] }, { "required": ["command"] }]))]
struct Probe {
    /// GET of a path of the service, or of a whole URL.
    http: Option<Url>,
    /// A TCP connection to host:port, or to the service itself when it is empty.
    #[schemars(extend("pattern" = r"^([^\s/]+:[0-9]{1,5})?$"))]
    tcp: Option<String>,
    /// A command that must exit 0; {url} is filled in.
    command: Option<Command>,
    /// What must be answered.
    expect: Option<ExpectForm>,
    /// How long one try may take.
    #[schemars(extend("default" = "5s"))]
    timeout: Option<Time>,
    /// The time between two tries.
    #[schemars(extend("default" = "1s"))]
    every: Option<Time>,
    /// How many tries in a row must fail before the service does.
    #[schemars(range(min = 1, max = 1000), extend("default" = 3))]
    failures: Option<u32>,
}

/// The status alone, or the long form.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum ExpectForm {
    /// The HTTP status.
    Short(#[schemars(range(min = 100, max = 599))] u16),
    Long(Expect),
}

/// What a probe must be answered.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Expect {
    /// The HTTP status; absent means any 2xx.
    #[schemars(range(min = 100, max = 599))]
    status: Option<u16>,
    /// A text that the body, or the command's output, must contain.
    contains: Option<Text>,
}

/// The absolute bound alone, or the long form.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum ErrorsForm {
    /// The most that is acceptable, absolutely.
    Short(Share),
    Long(Errors),
}

/// The share of failed requests: 5xx answers, and connections that the service broke.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
struct Errors {
    /// The most that is acceptable, absolutely.
    at_most: Option<Share>,
    /// How many times the old revision's share is unacceptable; needs a traffic split.
    worse_by: Option<Factor>,
}

/// The factor alone, or the long form.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum LatencyForm {
    /// How many times the old revision's share of slow requests is unacceptable.
    Short(Factor),
    Long(Latency),
}

/// The share of requests slower than the old revision's own quantiles.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Latency {
    /// How many times the old revision's share of slow requests is unacceptable.
    worse_by: Factor,
}

/// The time alone, or the long form.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum WarmUpForm {
    /// The time.
    Short(Time),
    Long(WarmUp),
}

/// What is left out at the start of judging: whichever of the two ends later.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct WarmUp {
    /// The time.
    #[schemars(extend("default" = "0s"))]
    time: Option<Time>,
    /// The number of requests to the new revision.
    #[schemars(extend("default" = 0))]
    requests: Option<u64>,
}
