//! The agent's own metrics: what it is, and what it uses itself.

use super::page::{Family, Kind, Page};
use crate::agent::Agent;
use crate::process::Stat;
use crate::supervise::{memory, open_files};

static INFO: Family =
    Family { name: "windlass_agent_info", kind: Kind::Gauge, help: "The agent, by its version; always 1." };
static EPOCH: Family = Family {
    name: "windlass_epoch",
    kind: Kind::Gauge,
    help: "The last epoch of the fence that was given out.",
};
static STARTED: Family = Family {
    name: "process_start_time_seconds",
    kind: Kind::Gauge,
    help: "When the agent started, in seconds since 1970; its counters began at 0 then.",
};
static CPU: Family = Family {
    name: "process_cpu_seconds_total",
    kind: Kind::Counter,
    help: "Processor time that the agent took.",
};
static MEMORY: Family = Family {
    name: "process_resident_memory_bytes",
    kind: Kind::Gauge,
    help: "Memory of the agent: its proportional share of what is resident.",
};
static FILES: Family =
    Family { name: "process_open_fds", kind: Kind::Gauge, help: "Open file descriptors of the agent." };

static LOST: Family = Family {
    name: "windlass_access_log_lost_total",
    kind: Kind::Counter,
    help: "Lines of the access log that were lost because its writer was behind or its disk full.",
};

pub(super) fn put(page: &mut Page, agent: &Agent) {
    page.family(&INFO).put(&[("version", &env!("CARGO_PKG_VERSION"))], 1);
    page.family(&EPOCH).put(&[], agent.epoch().0);
    page.family(&STARTED).put(&[], agent.started().as_duration().as_secs_f64());
    let me = std::process::id();
    if let Some(stat) = Stat::of(me) {
        page.family(&CPU).put(&[], stat.time().as_secs_f64());
    }
    page.family(&MEMORY).put(&[], memory(me));
    page.family(&FILES).put(&[], open_files(me));
    page.family(&LOST).put(&[], agent.lost_lines());
}
