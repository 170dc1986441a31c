//! One agent's end is the next one's beginning: handing listeners, lock and instances over to another program.
//!
//! The agent that runs starts the new one with one end of a [`Channel`] as its standard input, and both go through
//! this, in this order:
//!
//! | | who | says | and |
//! |---|---|---|---|
//! | 1 | old | | waits for the step under way, then changes no file and starts no process any more |
//! | 2 | old | [`FromOld::Offer`] | with the descriptors of lock, control socket and every listener |
//! | 3 | new | [`FromNew::Ready`] | has read every file and started its workers; has written and accepted nothing |
//! | 4 | old | [`FromOld::Yours`] | |
//! | 5 | new | [`FromNew::Mine`] | from here on it writes, starts and accepts |
//! | 6 | old | | stops accepting, answers what is under way, and ends |
//!
//! Exactly one of them writes at any time. Where the new one ends before 5, the old one goes on as if nothing had
//! been; where the old one ends before 4, the new one has the lock or gets it, and begins as after a crash. The
//! listeners' queues are never closed, so that no connection is lost in them.
//!
//! After 6 the channel carries what routes and drains across both: the new one tells the old one its table and what
//! to cut, the old one says what it still has in flight. A successor's successor is given these channels too.

mod channel;
mod formers;
mod give;
mod leave;
mod take;
mod whose;

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use windlass_domain::release::Sequence;

pub(crate) use self::channel::Channel;
pub(crate) use self::formers::Formers;
pub(crate) use self::give::{flags, give};
pub(crate) use self::leave::leave;
pub(crate) use self::take::{Inheritance, Taken, take};
pub(crate) use self::whose::{NotDone, Writes};
use crate::route::Lane;

/// What is said here changes with this number; an agent takes only what it knows.
const FORMAT: u32 = 1;

/// What the old agent says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub(crate) enum FromOld {
    /// What there is to take over.
    Offer {
        /// [`FORMAT`].
        format: u32,
        /// Its version.
        version: String,
        /// What each descriptor of the message is, in their order.
        held: Vec<Held>,
        /// The last name that it gave to a start of an instance: names go on from there.
        upstreams: u64,
    },
    /// It is the new one's now.
    Yours,
    /// What it still has in flight, upgraded connections included, by revision; those with none are left out.
    InFlight {
        /// How many. (Pairs, since numbers are no keys in a document of several kinds.)
        revisions: Vec<(Sequence, u64)>,
    },
    /// Requests that still come in go by the table with this number.
    Effective {
        /// The number that the new agent gave it.
        version: u64,
    },
}

/// A descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Held {
    /// The root's lock.
    Lock,
    /// The control socket's listener.
    Control,
    /// The metrics' listener.
    Metrics,
    /// One of the router's listeners.
    Router,
    /// One that the service manager gave and nobody asked for yet.
    Given,
    /// The channel to an agent before the old one that still has something in flight, by its process number.
    Former(u32),
}

/// What the new agent says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub(crate) enum FromNew {
    /// It could begin.
    Ready {
        /// Its version.
        version: String,
    },
    /// It has begun.
    Mine,
    /// Where requests that still come in at the old one go from now on.
    Table {
        /// Its number.
        version: u64,
        /// The revisions that get requests.
        lanes: Vec<WireLane>,
    },
    /// Every connection on which this revision has something in flight shall be closed.
    Cut {
        /// The revision.
        revision: Sequence,
    },
}

/// A [`Lane`], as the other agent is told of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WireLane {
    revision: Sequence,
    weight: u16,
    upstreams: Vec<(u64, SocketAddr)>,
}

impl From<&Lane> for WireLane {
    fn from(lane: &Lane) -> Self {
        let upstreams = lane.upstreams.iter().map(|upstream| (upstream.id, upstream.address)).collect();
        Self { revision: lane.revision, weight: lane.weight, upstreams }
    }
}
