//! What the router counted, by revision.

use windlass_domain::release::Sequence;
use windlass_domain::rollout::Weights;

use super::page::{Family, Kind, Page, Series};
use crate::route::{BUCKETS, CODES, Sum};

static REQUESTS: Family = Family {
    name: "windlass_requests_total",
    kind: Kind::Counter,
    help: "Requests by class of the answer's code; aborted: the client went before there was one.",
};
static BAD: Family = Family {
    name: "windlass_requests_bad_total",
    kind: Kind::Counter,
    help: "Requests with a 5xx answer of the service, or whose connection it broke.",
};
static FAILED: Family = Family {
    name: "windlass_requests_failed_total",
    kind: Kind::Counter,
    help: "Requests for which there was no instance or no connection to one.",
};
static DURATION: Family = Family {
    name: "windlass_request_duration_seconds",
    kind: Kind::Histogram,
    help: "From a request's head to the end of its answer.",
};
static IN_FLIGHT: Family = Family {
    name: "windlass_in_flight",
    kind: Kind::Gauge,
    help: "Requests being answered, upgraded connections included.",
};
static UPGRADES: Family =
    Family { name: "windlass_upgrades_total", kind: Kind::Counter, help: "Connections that were upgraded." };
static RETRIES: Family = Family {
    name: "windlass_retries_total",
    kind: Kind::Counter,
    help: "Requests that were sent again because nothing of them had been sent.",
};
static CUT: Family = Family {
    name: "windlass_cut_total",
    kind: Kind::Counter,
    help: "Requests and upgraded connections that were cut off when the time to drain was over.",
};
static LATE: Family = Family {
    name: "windlass_late_total",
    kind: Kind::Counter,
    help: "Requests that took longer than the place allows.",
};
static FORCED: Family = Family {
    name: "windlass_forced_requests_total",
    kind: Kind::Counter,
    help: "Requests that testers sent to this revision; no other series of it has them.",
};
static RECEIVED: Family = Family {
    name: "windlass_received_bytes_total",
    kind: Kind::Counter,
    help: "Bytes of bodies and upgraded connections that came from clients.",
};
static SENT: Family = Family {
    name: "windlass_sent_bytes_total",
    kind: Kind::Counter,
    help: "Bytes of bodies and upgraded connections that went to clients.",
};
static WEIGHT: Family =
    Family { name: "windlass_weight", kind: Kind::Gauge, help: "The share of requests, from 0 to 1." };

/// `nowhere` counts the requests that no revision was there for.
pub(super) fn put(page: &mut Page, sums: &[(Sequence, Sum)], nowhere: &Sum, weights: &Weights) {
    let mut requests = page.family(&REQUESTS);
    for (revision, sum) in sums {
        for (code, count) in CODES.iter().zip(sum.codes) {
            requests.put(&[("revision", revision), ("code", code)], count);
        }
    }
    each(page, &BAD, sums, |sum| sum.bad);
    each(page, &FAILED, sums, |sum| sum.failed).put(&[("revision", &"none")], nowhere.failed);
    durations(page, sums);
    each(page, &IN_FLIGHT, sums, |sum| sum.in_flight);
    each(page, &UPGRADES, sums, |sum| sum.upgrades);
    each(page, &RETRIES, sums, |sum| sum.retries);
    each(page, &CUT, sums, |sum| sum.cut);
    each(page, &LATE, sums, |sum| sum.late);
    each(page, &FORCED, sums, |sum| sum.forced);
    each(page, &RECEIVED, sums, |sum| sum.received);
    each(page, &SENT, sums, |sum| sum.sent);
    let mut shares = page.family(&WEIGHT);
    for (revision, _) in sums {
        shares.put(&[("revision", revision)], f64::from(weights.of(*revision)) / f64::from(Weights::WHOLE));
    }
}

fn each<'a>(
    page: &'a mut Page,
    family: &'static Family,
    sums: &[(Sequence, Sum)],
    of: fn(&Sum) -> u64,
) -> Series<'a> {
    let mut series = page.family(family);
    for (revision, sum) in sums {
        series.put(&[("revision", revision)], of(sum));
    }
    series
}

fn durations(page: &mut Page, sums: &[(Sequence, Sum)]) {
    let mut series = page.family(&DURATION);
    for (revision, sum) in sums {
        let mut count = 0;
        for (end, bucket) in BUCKETS.iter().zip(sum.buckets) {
            count += bucket;
            series.put_as("_bucket", &[("revision", revision), ("le", end)], count);
        }
        count += sum.buckets[BUCKETS.len()];
        series.put_as("_bucket", &[("revision", revision), ("le", &"+Inf")], count);
        #[expect(clippy::cast_precision_loss, reason = "a sum of durations, in a format of floats")]
        let seconds = sum.micros as f64 / 1e6;
        series.put_as("_sum", &[("revision", revision)], seconds);
        series.put_as("_count", &[("revision", revision)], count);
    }
}
