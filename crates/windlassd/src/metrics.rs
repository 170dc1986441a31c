//! Metrics in the Prometheus text format, version 0.0.4. Their names are a contract: `health-verify` reads them.

use std::fmt::Write as _;

use windlass_domain::release::Sequence;

use crate::agent::Agent;
use crate::route::{BUCKETS, CODES, Sum};

/// All metrics.
pub(crate) fn text(agent: &Agent) -> String {
    let mut page = Page(String::with_capacity(8 * 1024));
    let sums = agent.fleet.sums();
    page.head("windlass_agent_info", "gauge", "The agent, by its version; always 1.");
    page.line("windlass_agent_info", &format!("version=\"{}\"", env!("CARGO_PKG_VERSION")), 1);
    page.head("windlass_epoch", "gauge", "The last epoch of the fence that was given out.");
    page.line("windlass_epoch", "", agent.epoch().0);
    requests(&mut page, &sums, &agent.router.nowhere().sum());
    durations(&mut page, &sums);
    flows(&mut page, &sums);
    instances(&mut page, agent);
    page.0
}

fn requests(page: &mut Page, sums: &[(Sequence, Sum)], nowhere: &Sum) {
    page.head(
        "windlass_requests_total",
        "counter",
        "Requests by revision and class of the answer's code; aborted: the client went before there was one.",
    );
    for (revision, sum) in sums {
        for (code, count) in CODES.iter().zip(sum.codes) {
            page.line("windlass_requests_total", &format!("revision=\"{revision}\",code=\"{code}\""), count);
        }
    }
    page.head(
        "windlass_requests_bad_total",
        "counter",
        "Requests with a 5xx answer of the service, or whose connection it broke.",
    );
    for (revision, sum) in sums {
        page.of("windlass_requests_bad_total", *revision, sum.bad);
    }
    page.head(
        "windlass_requests_failed_total",
        "counter",
        "Requests for which there was no instance or no connection to one.",
    );
    for (revision, sum) in sums {
        page.of("windlass_requests_failed_total", *revision, sum.failed);
    }
    page.line("windlass_requests_failed_total", "revision=\"none\"", nowhere.failed);
}

fn durations(page: &mut Page, sums: &[(Sequence, Sum)]) {
    const NAME: &str = "windlass_request_duration_seconds";
    page.head(NAME, "histogram", "From a request's head to the end of its answer.");
    for (revision, sum) in sums {
        let mut count = 0;
        for (end, bucket) in BUCKETS.iter().zip(sum.buckets) {
            count += bucket;
            page.line(
                "windlass_request_duration_seconds_bucket",
                &format!("revision=\"{revision}\",le=\"{end}\""),
                count,
            );
        }
        count += sum.buckets[BUCKETS.len()];
        page.line(
            "windlass_request_duration_seconds_bucket",
            &format!("revision=\"{revision}\",le=\"+Inf\""),
            count,
        );
        #[expect(clippy::cast_precision_loss, reason = "a sum of durations, in a format of floats")]
        let seconds = sum.micros as f64 / 1e6;
        page.of("windlass_request_duration_seconds_sum", *revision, seconds);
        page.of("windlass_request_duration_seconds_count", *revision, count);
    }
}

fn flows(page: &mut Page, sums: &[(Sequence, Sum)]) {
    page.head("windlass_in_flight", "gauge", "Requests being answered, upgraded connections included.");
    for (revision, sum) in sums {
        page.of("windlass_in_flight", *revision, sum.in_flight);
    }
    page.head("windlass_upgrades_total", "counter", "Connections that were upgraded.");
    for (revision, sum) in sums {
        page.of("windlass_upgrades_total", *revision, sum.upgrades);
    }
    page.head(
        "windlass_retries_total",
        "counter",
        "Requests that were sent again because nothing of them had been sent.",
    );
    for (revision, sum) in sums {
        page.of("windlass_retries_total", *revision, sum.retries);
    }
}

fn instances(page: &mut Page, agent: &Agent) {
    let revisions = agent.fleet.state();
    let weights = agent.fleet.weights();
    page.head("windlass_weight", "gauge", "The share of requests, from 0 to 1.");
    for revision in &revisions {
        page.of("windlass_weight", revision.revision, f64::from(weights.of(revision.revision)) / 10_000.0);
    }
    page.head("windlass_instance_ready", "gauge", "Whether the instance is ready.");
    for revision in &revisions {
        for instance in &revision.instances {
            let labels = format!("revision=\"{}\",index=\"{}\"", revision.revision, instance.index);
            page.line("windlass_instance_ready", &labels, u8::from(instance.ready));
        }
    }
    page.head("windlass_instance_restarts_total", "counter", "How often the instance ended by itself.");
    for revision in &revisions {
        for instance in &revision.instances {
            let labels = format!("revision=\"{}\",index=\"{}\"", revision.revision, instance.index);
            page.line("windlass_instance_restarts_total", &labels, instance.restarts);
        }
    }
}

struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn of(&mut self, name: &str, revision: Sequence, value: impl std::fmt::Display) {
        self.line(name, &format!("revision=\"{revision}\""), value);
    }

    fn line(&mut self, name: &str, labels: &str, value: impl std::fmt::Display) {
        let _ = if labels.is_empty() {
            writeln!(self.0, "{name} {value}")
        } else {
            writeln!(self.0, "{name}{{{labels}}} {value}")
        };
    }
}
