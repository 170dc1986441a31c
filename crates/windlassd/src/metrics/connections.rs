//! What the router counted of connections, and of requests that no revision saw.

use super::page::{Family, Kind, Page};
use crate::route::DoorSum;

static OPEN: Family =
    Family { name: "windlass_connections", kind: Kind::Gauge, help: "Client connections that are open." };
static ACCEPTED: Family = Family {
    name: "windlass_connections_total",
    kind: Kind::Counter,
    help: "Client connections that were accepted.",
};
static EXCESS: Family = Family {
    name: "windlass_connections_excess_total",
    kind: Kind::Counter,
    help: "Client connections that were turned away because there were too many.",
};
static EXPIRED: Family = Family {
    name: "windlass_connections_expired_total",
    kind: Kind::Counter,
    help: "Client connections that were ended because nothing came or went for too long.",
};
static REFUSED: Family = Family {
    name: "windlass_requests_refused_total",
    kind: Kind::Counter,
    help: "Requests that were refused because of what they were, before any revision saw them.",
};
static HANDSHAKES: Family = Family {
    name: "windlass_tls_handshakes_failed_total",
    kind: Kind::Counter,
    help: "TLS handshakes that failed.",
};
static NOT_RELOADED: Family = Family {
    name: "windlass_reload_errors_total",
    kind: Kind::Counter,
    help: "Times that the certificate or the testers' token had changed and could not be used.",
};

pub(super) fn put(page: &mut Page, door: DoorSum) {
    page.family(&OPEN).put(&[], door.open);
    page.family(&ACCEPTED).put(&[], door.accepted);
    page.family(&EXCESS).put(&[], door.excess);
    page.family(&EXPIRED).put(&[], door.expired);
    page.family(&REFUSED).put(&[], door.refused);
    page.family(&HANDSHAKES).put(&[], door.handshakes);
    page.family(&NOT_RELOADED).put(&[], door.not_reloaded);
}
