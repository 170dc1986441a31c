//! The instances: whether they are ready, how often they ended, and what they use.

use std::time::Duration;

use windlass_domain::release::Sequence;
use windlass_target::host::control::{InstanceState, RevisionState};

use super::page::{Family, Kind, Page};

static READY: Family = Family {
    name: "windlass_instance_ready",
    kind: Kind::Gauge,
    help: "1 where the instance is ready, else 0.",
};
static RESTARTS: Family = Family {
    name: "windlass_instance_restarts_total",
    kind: Kind::Counter,
    help: "How often the instance ended by itself.",
};
static START: Family = Family {
    name: "windlass_instance_start_seconds",
    kind: Kind::Gauge,
    help: "From the instance's start to when it was first ready.",
};
static MEMORY: Family = Family {
    name: "windlass_instance_memory_bytes",
    kind: Kind::Gauge,
    help: "Memory of the instance and of what it started.",
};
static CPU: Family = Family {
    name: "windlass_instance_cpu_seconds_total",
    kind: Kind::Counter,
    help: "Processor time that the instance and what it started took.",
};
static FILES: Family = Family {
    name: "windlass_instance_open_fds",
    kind: Kind::Gauge,
    help: "Open file descriptors of the instance and of what it started.",
};

pub(super) fn put(page: &mut Page, revisions: &[RevisionState]) {
    each(page, &READY, revisions, |instance| Some(if instance.ready { 1.0 } else { 0.0 }));
    each(page, &RESTARTS, revisions, |instance| Some(f64::from(instance.restarts)));
    each(page, &START, revisions, |instance| instance.ready_after_ms.map(seconds));
    #[expect(clippy::cast_precision_loss, reason = "the format is one of floats")]
    each(page, &MEMORY, revisions, |instance| instance.usage.map(|usage| usage.memory_bytes as f64));
    each(page, &CPU, revisions, |instance| instance.usage.map(|usage| seconds(usage.cpu_ms)));
    #[expect(clippy::cast_precision_loss, reason = "the format is one of floats")]
    each(page, &FILES, revisions, |instance| instance.usage.map(|usage| usage.open_files as f64));
}

fn each(
    page: &mut Page,
    family: &'static Family,
    revisions: &[RevisionState],
    of: fn(&InstanceState) -> Option<f64>,
) {
    let mut series = page.family(family);
    for RevisionState { revision, instances, .. } in revisions {
        for instance in instances {
            if let Some(value) = of(instance) {
                series.put(&labels(revision, &instance.index), value);
            }
        }
    }
}

fn labels<'a>(revision: &'a Sequence, index: &'a u16) -> [(&'static str, &'a dyn std::fmt::Display); 2] {
    [("revision", revision), ("index", index)]
}

fn seconds(millis: u64) -> f64 {
    Duration::from_millis(millis).as_secs_f64()
}
