//! The agent: what the control socket's requests act on. One mutation happens at a time.

use std::ffi::OsString;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use windlass_domain::fence::{Epoch, Lease};
use windlass_domain::journal::Head;
use windlass_target::host::control::{
    AgentState, Append, Appended, AskedSecrets, Claim, Configure, KnownSecrets, Place, Rejected,
    ReleaseLease, Shutdown,
};
use windlass_target::host::secrets::{self, Key};

use crate::access::Access;
use crate::clock::{self, now};
use crate::doors::Doors;
use crate::fence::{Gate, NotClaimed};
use crate::handover::{Channel, Formers, NotDone, Writes};
use crate::ledger::{self, Ledger, NotAppended};
use crate::locked::lock;
use crate::metrics::Standing;
use crate::process::Process;
use crate::root::{Lock, Root, named, read_json, write_json};
use crate::route::{Leave, Router, Settings};
use crate::supervise::{Adopted, Fleet, Hold};

/// Everything that the agent is.
pub(crate) struct Agent {
    pub(crate) root: Root,
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) router: Arc<Router>,
    gate: Mutex<Gate>,
    ledger: Mutex<Ledger>,
    place: Mutex<Settled>,
    /// Held by the one mutation that is under way.
    pub(crate) turn: tokio::sync::Mutex<()>,
    /// Calls off the mutation that is under way or waits.
    pub(crate) current: Mutex<Option<watch::Sender<bool>>>,
    /// Held by the handover that is under way.
    pub(crate) handing: tokio::sync::Mutex<()>,
    pub(crate) lock: Lock,
    /// What the next agent is started with, beside the root.
    pub(crate) flags: Vec<OsString>,
    writes: watch::Sender<Writes>,
    ending: Mutex<Option<End>>,
    ended: tokio::sync::Notify,
    metrics: watch::Sender<Option<SocketAddr>>,
    started: Timestamp,
    access: Mutex<Option<Arc<Access>>>,
    /// What the ledger said when it was last asked.
    pub(crate) known: tokio::sync::Mutex<Option<Arc<Standing>>>,
    pub(crate) doors: Doors,
}

/// What an agent is made of, beside its files.
pub(crate) struct Parts {
    pub(crate) root: Root,
    pub(crate) lock: Lock,
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) router: Arc<Router>,
    pub(crate) doors: Doors,
    pub(crate) flags: Vec<OsString>,
}

/// Why the agent ends.
#[derive(Debug)]
pub(crate) enum End {
    /// It was told to.
    Shutdown(Shutdown),
    /// The agent at the other end of this channel has taken over.
    HandedOver(Channel),
}

/// The place and the addresses that were found for it (`agent.json`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Settled {
    place: Option<Place>,
    listening: Option<SocketAddr>,
    metrics: Option<SocketAddr>,
}

impl Agent {
    /// Reads everything from the root; nothing listens yet.
    pub(crate) fn open(parts: Parts) -> io::Result<Arc<Self>> {
        let Parts { root, lock, fleet, router, doors, flags } = parts;
        let ledger = Ledger::open(&root, now())?;
        let gate = Gate::open(&root, clock::boot(), ledger.epoch(), clock::read())?;
        let place: Settled = read_json(&root.agent())?.unwrap_or_default();
        Ok(Arc::new(Self {
            root,
            fleet,
            router,
            gate: Mutex::new(gate),
            ledger: Mutex::new(ledger),
            place: Mutex::new(place),
            turn: tokio::sync::Mutex::new(()),
            current: Mutex::new(None),
            handing: tokio::sync::Mutex::default(),
            lock,
            flags,
            writes: watch::Sender::new(Writes::Ours),
            ending: Mutex::default(),
            ended: tokio::sync::Notify::new(),
            metrics: watch::Sender::new(None),
            started: now(),
            access: Mutex::default(),
            known: tokio::sync::Mutex::default(),
            doors,
        }))
    }

    /// Listens where the last agent of this root did.
    pub(crate) fn resume_place(&self) -> io::Result<()> {
        let settled = lock(&self.place).clone();
        if let Some(address) = settled.listening {
            self.doors.listen(&self.router, address).map_err(|error| cannot_listen(address, error))?;
        }
        self.metrics.send_replace(settled.metrics);
        for address in self.doors.unserved() {
            tracing::warn!(%address, "the service manager listens here, and no `listen:` of the policy names it");
        }
        Ok(())
    }

    /// Listens by what another agent had, in the place that it settled.
    pub(crate) fn take_listeners(
        &self,
        router: Vec<TcpListener>,
        metrics: Option<TcpListener>,
    ) -> io::Result<()> {
        self.router.listen_by(router)?;
        self.doors.set_metrics(metrics);
        self.metrics.send_replace(lock(&self.place).metrics);
        Ok(())
    }

    /// The access log, where the place has one.
    fn access_log(&self, place: &Place) -> io::Result<Option<Arc<Access>>> {
        if !place.access_log {
            return Ok(None);
        }
        let mut access = lock(&self.access);
        if access.is_none() {
            let path = self.root.access_log();
            let opened = Access::open(&path).map_err(|error| named(error, "cannot open", &path))?;
            *access = Some(Arc::new(opened));
        }
        Ok(access.clone())
    }

    /// How many lines of the access log were lost.
    pub(crate) fn lost_lines(&self) -> u64 {
        lock(&self.access).as_ref().map_or(0, |access| access.lost())
    }

    /// Treats requests as the place has it.
    pub(crate) fn resume_settings(&self) -> io::Result<()> {
        if let Some(place) = &lock(&self.place).place {
            let settings =
                Settings::resume(place).map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))?;
            self.router.set(settings.logged_to(self.access_log(place)?));
            self.router.look();
        }
        Ok(())
    }

    /// Begins to act on processes and files.
    pub(crate) async fn begin(&self, adopted: Adopted) {
        self.fleet.begin(adopted).await;
    }

    /// The agents before this one that still have something in flight.
    pub(crate) fn formers(&self) -> &Arc<Formers> {
        &self.fleet.formers
    }

    /// Whether this agent may write. Where that is open, or another has taken over, nothing is done, and the caller
    /// asks again. Nothing waits between this and what it allows, so that both are one.
    pub(crate) fn ours(&self) -> Result<(), NotDone> {
        match *self.writes.borrow() {
            Writes::Ours => Ok(()),
            Writes::Offered | Writes::Theirs => Err(NotDone::AskAgain),
        }
    }

    /// Whether what this agent knows is still so.
    pub(crate) fn knows(&self) -> Result<(), NotDone> {
        if *self.writes.borrow() == Writes::Theirs { Err(NotDone::AskAgain) } else { Ok(()) }
    }

    /// Lets nobody, or this agent again, write files and start processes.
    pub(crate) async fn hold(&self, writes: Writes) {
        self.writes.send_replace(writes);
        let hold = match writes {
            Writes::Ours => Hold::Free,
            Writes::Offered => Hold::Held,
            Writes::Theirs => Hold::Gone,
        };
        self.fleet.rein(hold).await;
    }

    /// Another agent has everything: this one ends.
    pub(crate) async fn handed_over(&self, channel: Channel, pid: u32) {
        self.hold(Writes::Theirs).await;
        self.formers().forget();
        self.doors.manager().tell(&format!("MAINPID={pid}"));
        self.end(End::HandedOver(channel));
    }

    /// Where metrics shall be served.
    pub(crate) fn metrics_address(&self) -> watch::Receiver<Option<SocketAddr>> {
        self.metrics.subscribe()
    }

    /// Waits until there is a reason to end.
    pub(crate) async fn ending(&self) -> End {
        loop {
            if let Some(end) = lock(&self.ending).take() {
                return end;
            }
            self.ended.notified().await;
        }
    }

    /// Waits for the end of a handover that is under way; from then on there is none. Where another agent has taken
    /// over, that is the reason to end, whatever was the first.
    pub(crate) async fn no_handover(&self, end: End) -> (End, tokio::sync::MutexGuard<'_, ()>) {
        let handing = self.handing.lock().await;
        (lock(&self.ending).take().unwrap_or(end), handing)
    }

    /// Ends the agent.
    pub(crate) fn end(&self, end: End) {
        lock(&self.ending).get_or_insert(end);
        self.ended.notify_one();
    }

    /// What it sees.
    pub(crate) fn state(&self) -> AgentState {
        let now = clock::read();
        let settled = lock(&self.place).clone();
        let gate = lock(&self.gate);
        AgentState {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            place: settled.place,
            listening: settled.listening.map(|address| address.to_string()),
            metrics: settled.metrics.map(|address| address.to_string()),
            weights: self.fleet.weights(),
            revisions: self.fleet.state(),
            epoch: gate.epoch(),
            lease: gate.lease(now),
            head: ledger::lock(&self.ledger).head(),
            now: now.wall,
            formers: self.formers().pids(),
            managed: self.doors.manager().is_there(),
        }
    }

    /// The last epoch given out.
    pub(crate) fn epoch(&self) -> Epoch {
        lock(&self.gate).epoch()
    }

    /// The versions that secrets have now.
    pub(crate) async fn secrets(&self, asked: AskedSecrets) -> Result<KnownSecrets, Rejected> {
        let root = self.root.path().to_owned();
        let look = move || {
            let key = Key::of(&root).map_err(|error| fault(&error))?;
            secrets::versions(&key, &asked.secrets).map_err(|why| Rejected::Judged { why, log: Vec::new() })
        };
        let looked = tokio::task::spawn_blocking(look).await;
        let versions = looked
            .map_err(|error| Rejected::Fault { why: format!("reading secrets broke off: {error}") })??;
        Ok(KnownSecrets { versions })
    }

    /// When this agent started.
    pub(crate) const fn started(&self) -> Timestamp {
        self.started
    }

    /// The journal's head; `None` where it is damaged.
    pub(crate) fn head(&self) -> Option<Head> {
        let ledger = ledger::lock(&self.ledger);
        ledger.damage().is_none().then(|| ledger.head())
    }

    /// The journal's bytes.
    pub(crate) fn journal(&self) -> Result<Vec<u8>, Rejected> {
        ledger::lock(&self.ledger).bytes().map_err(|error| fault(&error))
    }

    /// Gives the fence, or renews it. A new epoch calls off what an older one has under way.
    pub(crate) fn claim(&self, claim: &Claim, holder: Option<Process>) -> Result<Lease, NotDone> {
        self.ours()?;
        let mut gate = lock(&self.gate);
        let before = gate.epoch();
        let lease = gate.claim(claim, holder, clock::read()).map_err(|error| match error {
            NotClaimed::Refused(refusal) => Rejected::Fence { refusal },
            NotClaimed::Io(error) => fault(&error),
        })?;
        if lease.epoch > before {
            tracing::info!(epoch = lease.epoch.0, who = lease.owner.who, "the fence was claimed");
            self.call_off();
        }
        Ok(lease)
    }

    /// Takes the fence back.
    pub(crate) fn release(&self, release: &ReleaseLease) -> Result<(), NotDone> {
        self.ours()?;
        Ok(lock(&self.gate).release(release.epoch, clock::read()).map_err(|error| fault(&error))?)
    }

    /// Whether a mutation under this epoch may happen now.
    pub(crate) fn admit(&self, epoch: Epoch) -> Result<(), Rejected> {
        lock(&self.gate).admit(epoch, clock::read()).map_err(|refusal| Rejected::Fence { refusal })?;
        match ledger::lock(&self.ledger).damage() {
            Some(why) => Err(Rejected::Fault { why: why.to_owned() }),
            None => Ok(()),
        }
    }

    /// Whether a step that was asked for under this head of the journal may happen now: late ones may not, also under
    /// the newest epoch.
    pub(crate) fn admit_after(&self, epoch: Epoch, after: Option<Head>) -> Result<(), Rejected> {
        self.admit(epoch)?;
        let head = ledger::lock(&self.ledger).head();
        match after {
            Some(after) if after != head => Err(Rejected::Head { head }),
            Some(_) | None => Ok(()),
        }
    }

    /// Appends to the journal. The fence is held meanwhile, so that no claim comes between.
    pub(crate) fn append(&self, append: Append) -> Result<Appended, NotDone> {
        self.ours()?;
        let gate = lock(&self.gate);
        let now = clock::read();
        gate.admit(append.epoch, now).map_err(|refusal| Rejected::Fence { refusal })?;
        let head = ledger::lock(&self.ledger)
            .append(append.after, append.events, append.epoch, &append.by, now.wall)
            .map_err(|error| match error {
                NotAppended::Moved(head) => Rejected::Head { head },
                NotAppended::Fault(why) => Rejected::Fault { why },
            })?;
        drop(gate);
        Ok(Appended { head })
    }

    /// Takes its place. The same place again changes nothing.
    pub(crate) async fn configure(&self, configure: Configure) -> Result<AgentState, NotDone> {
        self.admit(configure.epoch)?;
        let called_off = self.take_turn();
        let turn = self.turn.lock().await;
        self.ours()?;
        self.admit(configure.epoch)?;
        if *called_off.borrow() {
            return Err(superseded().into());
        }
        let before = lock(&self.place).clone();
        if before.place.as_ref() != Some(&configure.place) || before.listening.is_none() {
            let settings =
                Settings::open(&configure.place).map_err(|why| Rejected::Judged { why, log: Vec::new() })?;
            let access = self.access_log(&configure.place).map_err(|error| fault(&error))?;
            let settled = self.settle(&before, configure.place).map_err(|error| fault(&error))?;
            self.router.set(settings.logged_to(access));
            write_json(&self.root.agent(), &settled).map_err(|error| fault(&error))?;
            *lock(&self.place) = settled;
        }
        drop(turn);
        Ok(self.state())
    }

    fn settle(&self, before: &Settled, place: Place) -> io::Result<Settled> {
        let asked = resolve(&place.listen)?;
        let same = before.place.as_ref().is_some_and(|before| before.listen == place.listen);
        let listening = match before.listening {
            Some(address) if same => address,
            Some(_) | None => {
                self.doors.listen(&self.router, asked).map_err(|error| cannot_listen(asked, error))?
            }
        };
        let same = before.place.as_ref().is_some_and(|before| before.metrics == place.metrics);
        let metrics = match (&place.metrics, before.metrics) {
            (None, _) => None,
            (Some(_), Some(address)) if same => Some(address),
            (Some(address), _) => {
                let asked = resolve(address)?;
                // Port 0 is settled here, and kept.
                let listener =
                    self.doors.listen_for_metrics(asked).map_err(|error| cannot_listen(asked, error))?;
                Some(listener.local_addr()?)
            }
        };
        if metrics.is_none() {
            self.doors.set_metrics(None);
        }
        self.metrics.send_replace(metrics);
        Ok(Settled { place: Some(place), listening: Some(listening), metrics })
    }

    /// Calls off whatever is under way, and registers the caller as what is next.
    pub(crate) fn take_turn(&self) -> watch::Receiver<bool> {
        let (sender, called_off) = watch::channel(false);
        if let Some(before) = lock(&self.current).replace(sender) {
            before.send_replace(true);
        }
        called_off
    }

    fn call_off(&self) {
        if let Some(before) = lock(&self.current).take() {
            before.send_replace(true);
        }
    }

    /// Stops accepting and ends the router; instances are stopped only where that was asked.
    pub(crate) async fn close(&self, shutdown: &Shutdown) {
        self.router.unlisten();
        self.call_off();
        let _turn = self.turn.lock().await;
        self.router.stop(LEAVE).await;
        if shutdown.stop_instances {
            for revision in self.fleet.revisions() {
                self.fleet.stop(revision).await;
            }
            self.fleet.leave();
        }
    }
}

/// How long connections may take to end when the agent does.
const LEAVE: Leave = Leave { parting: Duration::from_secs(1), grace: Duration::from_secs(5) };

/// What a mutation says that another one of the same or a later run took the place of.
pub(crate) fn superseded() -> Rejected {
    Rejected::Fault { why: "called off: a later request took its place".to_owned() }
}

pub(crate) fn fault(error: &io::Error) -> Rejected {
    Rejected::Fault { why: error.to_string() }
}

fn cannot_listen(address: SocketAddr, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
}

fn resolve(address: &str) -> io::Result<SocketAddr> {
    let invalid = |why: String| {
        io::Error::new(io::ErrorKind::InvalidInput, format!("cannot listen on {address:?}: {why}"))
    };
    let mut addresses = address.to_socket_addrs().map_err(|error| invalid(error.to_string()))?;
    addresses.next().ok_or_else(|| invalid("it names no address".to_owned()))
}
