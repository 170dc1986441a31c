//! The agents before this one that still have something in flight, as this one sees them.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use windlass_domain::release::Sequence;

use super::{Channel, FromNew, FromOld, WireLane};
use crate::locked::lock;
use crate::route::Lane;

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Formers {
    list: Mutex<Vec<Arc<Former>>>,
    table: Mutex<Option<(u64, Vec<WireLane>)>>,
}

/// One of them.
#[derive(Debug)]
struct Former {
    pid: u32,
    channel: Channel,
    orders: mpsc::UnboundedSender<FromNew>,
    seen: watch::Sender<Seen>,
    listening: Mutex<Option<JoinHandle<()>>>,
    sending: JoinHandle<()>,
}

/// What it said last.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    version: u64,
    /// Unknown until it has said so for the first time.
    in_flight: Option<BTreeMap<Sequence, u64>>,
    gone: bool,
}

impl Formers {
    /// Knows one more, by the channel to it.
    pub(crate) fn add(self: &Arc<Self>, pid: u32, channel: Channel) {
        let (orders, queue) = mpsc::unbounded_channel();
        let seen = watch::Sender::new(Seen { version: 0, in_flight: None, gone: false });
        let former = Arc::new_cyclic(|weak: &std::sync::Weak<Former>| {
            let sending = tokio::spawn(send_on(weak.clone(), queue));
            Former { pid, channel, orders, seen, listening: Mutex::default(), sending }
        });
        if let Some((version, lanes)) = lock(&self.table).clone() {
            let _ = former.orders.send(FromNew::Table { version, lanes });
        }
        self.hear(&former);
        lock(&self.list).push(former);
    }

    /// Begins to listen to one.
    fn hear(self: &Arc<Self>, former: &Arc<Former>) {
        let (of, who) = (Arc::clone(self), Arc::clone(former));
        let task = tokio::spawn(async move {
            loop {
                let said = match who.channel.receive::<FromOld>().await {
                    Ok(Some((said, _))) => said,
                    Ok(None) => break,
                    Err(error) => {
                        tracing::error!(pid = who.pid, %error, "cannot understand an agent that handed over");
                        break;
                    }
                };
                who.seen.send_modify(|seen| match said {
                    FromOld::InFlight { revisions } => seen.in_flight = Some(revisions.into_iter().collect()),
                    FromOld::Effective { version } => seen.version = version,
                    FromOld::Offer { .. } | FromOld::Yours => {}
                });
            }
            who.seen.send_modify(|seen| seen.gone = true);
            lock(&of.list).retain(|other| !Arc::ptr_eq(other, &who));
            tracing::info!(pid = who.pid, "an agent that handed over has ended");
        });
        *lock(&former.listening) = Some(task);
    }

    /// Their process numbers.
    pub(crate) fn pids(&self) -> Vec<u32> {
        lock(&self.list).iter().map(|former| former.pid).collect()
    }

    /// What they have in flight of a revision. One that has not said so yet counts as having something.
    pub(crate) fn in_flight(&self, revision: Sequence) -> u64 {
        let count = |former: &Arc<Former>| match &former.seen.borrow().in_flight {
            Some(revisions) => revisions.get(&revision).copied().unwrap_or_default(),
            None => 1,
        };
        lock(&self.list).iter().map(count).sum()
    }

    /// Tells them where requests go that still come in at them.
    pub(crate) fn publish(&self, version: u64, lanes: &[Lane]) {
        let lanes: Vec<WireLane> = lanes.iter().map(WireLane::from).collect();
        *lock(&self.table) = Some((version, lanes.clone()));
        for former in lock(&self.list).iter() {
            let _ = former.orders.send(FromNew::Table { version, lanes: lanes.clone() });
        }
    }

    /// Waits until none of them goes by an older table.
    pub(crate) async fn effective(&self, version: u64) {
        let list = lock(&self.list).clone();
        for former in list {
            // An error would mean that it is gone.
            let _ = former.seen.subscribe().wait_for(|seen| seen.gone || seen.version >= version).await;
        }
    }

    /// Has them close every connection on which the revision has something in flight.
    pub(crate) fn cut(&self, revision: Sequence) {
        for former in lock(&self.list).iter() {
            let _ = former.orders.send(FromNew::Cut { revision });
        }
    }

    /// Stops listening to them, so that another agent can, and returns the channels for it.
    pub(crate) fn pass_on(&self) -> io::Result<Vec<(u32, OwnedFd)>> {
        let list = lock(&self.list);
        for former in list.iter() {
            if let Some(task) = lock(&former.listening).take() {
                task.abort();
            }
        }
        list.iter().map(|former| Ok((former.pid, former.channel.fd().try_clone_to_owned()?))).collect()
    }

    /// Listens again, because nobody took them.
    pub(crate) fn resume(self: &Arc<Self>) {
        for former in lock(&self.list).clone() {
            self.hear(&former);
        }
    }

    /// Lets go of them, because another agent has them.
    pub(crate) fn forget(&self) {
        lock(&self.list).clear();
    }
}

impl Drop for Former {
    fn drop(&mut self) {
        self.sending.abort();
    }
}

async fn send_on(former: std::sync::Weak<Former>, mut queue: mpsc::UnboundedReceiver<FromNew>) {
    while let Some(order) = queue.recv().await {
        let Some(former) = former.upgrade() else { return };
        if former.channel.send(&order, &[]).await.is_err() {
            return;
        }
    }
}
