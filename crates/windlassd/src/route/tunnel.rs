//! Upgraded connections: bytes both ways until one end closes, or the revision's drain time is over.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::task::AbortHandle;
use windlass_domain::release::Sequence;

use super::flight::Flight;

/// One worker's tunnels.
#[derive(Debug, Default)]
pub(super) struct Tunnels {
    next: Cell<u64>,
    open: RefCell<HashMap<u64, (Sequence, AbortHandle)>>,
}

impl Tunnels {
    /// Joins a client and a service. The flight ends with the tunnel.
    pub(super) fn join(
        self: &Rc<Self>,
        revision: Sequence,
        client: OnUpgrade,
        service: OnUpgrade,
        flight: Flight,
    ) {
        let id = self.next.replace(self.next.get() + 1);
        let tunnels = Rc::clone(self);
        let task = tokio::task::spawn_local(async move {
            let _open = Open { tunnels, id, _flight: flight };
            let (Ok(client), Ok(service)) = (client.await, service.await) else { return };
            let _ =
                tokio::io::copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(service)).await;
        });
        self.open.borrow_mut().insert(id, (revision, task.abort_handle()));
    }

    /// Closes those of one revision.
    pub(super) fn cut(&self, revision: Sequence) {
        for (of, task) in self.open.borrow().values() {
            if *of == revision {
                task.abort();
            }
        }
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.open.borrow().is_empty()
    }
}

struct Open {
    tunnels: Rc<Tunnels>,
    id: u64,
    _flight: Flight,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.tunnels.open.borrow_mut().remove(&self.id);
    }
}
