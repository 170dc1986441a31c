//! Several hosts as one environment, reached over the system's `ssh`.
//!
//! The ledger and the fence of record are the first host's. The others hold the same lease of their own, so that each
//! agent judges for itself what may change it, and a copy of the ledger, so that they can tell what is live when the
//! first is lost.

mod agent;
mod fences;
mod fetch;
mod joining;
mod link;
mod machine;
mod merge;
mod parcel;
mod quote;
mod remote;
mod ssh;
mod standing;
mod tar;
mod untar;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::Value;
use tokio::task::JoinSet;
use windlass_domain::causes::chain;
use windlass_domain::fence::{Lease, Owner};
use windlass_domain::journal::{Entry, Event, Head, History};
use windlass_domain::policy::Span;
use windlass_domain::release::{SecretVersion, Sequence};
use windlass_domain::rollout::Step;

use self::agent::Program;
use self::remote::{Remote, Setting};
use self::ssh::Ssh;
use self::standing::{Standing, is_on_the_way_back};
use crate::driver::{Capabilities, Driver, DriverError, HostLook, Look, Metrics, Package, Seen, Tallies};
use crate::host::control::Place;

/// Several hosts. What is not the first one's alone happens on all of them at a time.
pub struct Hosts {
    members: Vec<Member>,
    standing: Mutex<Standing>,
}

/// One host, by the name that the policy gives it.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) driver: Arc<dyn Driver>,
}

/// What came of a verb on one host, by its place in the list.
type Each<T> = Vec<(usize, Result<T, DriverError>)>;

impl Hosts {
    /// The hosts of a target over `ssh`. `program` is the running program, by which the agent's is found; `clock` is the
    /// longest that a step may take.
    #[must_use]
    pub fn over_ssh(
        names: &[String],
        root: Option<&str>,
        place: Place,
        clock: Span,
        program: &Path,
        vars: &BTreeMap<String, String>,
    ) -> Self {
        let setting = Setting {
            ssh: Ssh::of(vars),
            program: Program::find(program, vars),
            root: root.map(str::to_owned),
            place,
            clock,
        };
        let remote = |name: &String| Member {
            name: name.clone(),
            driver: Arc::new(Remote::new(name, &setting)) as Arc<dyn Driver>,
        };
        Self::of(names.iter().map(remote).collect())
    }

    /// Hosts that are reached already, by their drivers.
    pub(crate) fn of(members: Vec<Member>) -> Self {
        let standing = Mutex::new(Standing::of(members.len()));
        Self { members, standing }
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn first(&self) -> &Arc<dyn Driver> {
        &self.members[0].driver
    }

    /// The places of the hosts that still take part.
    fn present(&self) -> Vec<usize> {
        let standing = self.standing();
        (0..self.members.len()).filter(|at| !standing.left_out.contains_key(at)).collect()
    }

    /// Does the same on several hosts at a time, and waits for all of them, or until `enough` says so.
    async fn each<T, W>(
        &self,
        places: &[usize],
        work: impl Fn(usize, Arc<dyn Driver>) -> W,
        enough: fn(&Result<T, DriverError>) -> bool,
    ) -> Each<T>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, DriverError>> + Send + 'static,
    {
        let mut set = JoinSet::new();
        for at in places {
            let (at, doing) = (*at, work(*at, Arc::clone(&self.members[*at].driver)));
            set.spawn(async move { (at, doing.await) });
        }
        let mut each = Vec::new();
        while let Some(ended) = set.join_next().await {
            let Ok((at, result)) = ended else { continue };
            let is_enough = enough(&result);
            each.push((at, result.map_err(|error| self.named(at, error))));
            if is_enough {
                break;
            }
        }
        each.sort_by_key(|(at, _)| *at);
        each
    }

    /// The same, of which all must succeed.
    async fn all<T, W>(
        &self,
        places: &[usize],
        work: impl Fn(usize, Arc<dyn Driver>) -> W,
    ) -> Result<Vec<T>, DriverError>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, DriverError>> + Send + 'static,
    {
        let each = self.each(places, work, Result::is_err).await;
        each.into_iter().map(|(_, result)| result).collect()
    }

    /// An error with the name of the host that it is about, where it does not bear it yet.
    fn named(&self, at: usize, error: DriverError) -> DriverError {
        let name = &self.members[at].name;
        match error {
            DriverError::Judged { why, log } => DriverError::Judged { why: format!("{name}: {why}"), log },
            // By the whole word: the name of a host may be as short as a letter of the message.
            DriverError::Unreachable { attempt, source }
                if !format!("{attempt} ").contains(&format!("host {name} ")) =>
            {
                DriverError::Unreachable { attempt: format!("on the host {name}: {attempt}"), source }
            }
            error @ (DriverError::Unreachable { .. } | DriverError::Fence(_) | DriverError::Head(_)) => error,
        }
    }

    /// The hosts that a step is for.
    fn places(&self, step: &Step) -> Result<Vec<usize>, DriverError> {
        let present = self.present();
        let on = match step {
            // Once for all of them: the data is one.
            Step::Migrate { .. } => return Ok(vec![0]),
            Step::Stage { on, .. } | Step::AwaitReady { on, .. } | Step::Shift { on, .. } => on,
            _ => return Ok(present),
        };
        if let Some(unknown) = on.iter().find(|name| self.members.iter().all(|member| member.name != **name))
        {
            return Err(DriverError::Judged {
                why: format!(
                    "the plan names the host {unknown}, which the target has not any more: put it back into `hosts:`"
                ),
                log: Vec::new(),
            });
        }
        Ok(present.into_iter().filter(|at| on.is_empty() || on.contains(&self.members[*at].name)).collect())
    }

    /// On the way back no host waits for another: one that cannot be put back is left out, and told at the end.
    fn leave_out(&self, each: Each<String>) -> Result<Vec<(usize, String)>, DriverError> {
        let mut notes = Vec::new();
        for (at, result) in each {
            match result {
                Ok(note) => notes.push((at, note)),
                Err(error @ (DriverError::Fence(_) | DriverError::Head(_))) => return Err(error),
                Err(error) => {
                    let why = chain(&error);
                    if self.present().len() == 1
                        || at == 0 && matches!(error, DriverError::Unreachable { .. })
                    {
                        return Err(error);
                    }
                    self.standing().left_out.insert(at, why);
                }
            }
        }
        Ok(notes)
    }

    /// What the run that puts everything back must not call done.
    fn judge_the_way_back(&self) -> Result<(), DriverError> {
        let standing = self.standing();
        let Some((at, why)) = standing.left_out.first_key_value() else { return Ok(()) };
        let more = standing.left_out.len() - 1;
        let more = if more == 0 { String::new() } else { format!("; so were {more} more") };
        let name = &self.members[*at].name;
        Err(DriverError::Judged {
            why: format!(
                "all other hosts are as before, and {name} was left out ({why}){more}: keep requests from it, put it \
                 right, or take it out of `hosts:`, then deploy again"
            ),
            log: Vec::new(),
        })
    }
}

/// The step as one host is asked for it.
fn own(step: &Step) -> Step {
    let mut step = step.clone();
    if let Step::Stage { on, .. } | Step::AwaitReady { on, .. } | Step::Shift { on, .. } = &mut step {
        on.clear();
    }
    step
}

#[async_trait]
impl Driver for Hosts {
    fn capabilities(&self) -> Capabilities {
        self.first().capabilities()
    }

    fn place(&self) -> String {
        let names: Vec<&str> = self.members.iter().map(|member| member.name.as_str()).collect();
        format!("{} by ssh", names.join(", "))
    }

    fn metrics(&self) -> Option<Metrics> {
        let sockets = self.present().into_iter().map(|at| match self.members[at].driver.metrics()? {
            Metrics::UnixSocket(socket) => Some(vec![socket]),
            Metrics::Several(sockets) => Some(sockets),
        });
        sockets.collect::<Option<Vec<_>>>().map(|sockets| Metrics::Several(sockets.concat()))
    }

    fn supply(&self, revision: Sequence, package: Package) {
        self.standing().supplied.insert(revision);
        for member in &self.members {
            member.driver.supply(revision, package.clone());
        }
    }

    /// All must answer, or nothing begins. Only a rollout that is on its way back goes on without one that does not.
    async fn wake(&self) -> Result<Option<String>, DriverError> {
        let wake = |_: usize, driver: Arc<dyn Driver>| async move { driver.wake().await };
        let all: Vec<usize> = (0..self.members.len()).collect();
        let mut silent = BTreeMap::new();
        let mut refused = None;
        let mut notes = Vec::new();
        for (at, result) in self.each(&all, wake, |_| false).await {
            match result {
                Ok(note) => notes.extend(note),
                Err(error) => {
                    silent.insert(at, chain(&error));
                    refused.get_or_insert(error);
                }
            }
        }
        let note = (!notes.is_empty()).then(|| notes.join("; "));
        let Some(refused) = refused else { return Ok(note) };
        if silent.contains_key(&0) {
            return Err(refused);
        }
        let history = crate::fenced::history(&**self.first()).await?;
        if !history.open().is_some_and(is_on_the_way_back) {
            return Err(refused);
        }
        self.standing().left_out = silent;
        Ok(note)
    }

    /// The history is that of the first host that can be looked at.
    async fn look(&self) -> Result<Look, DriverError> {
        let look = |_: usize, driver: Arc<dyn Driver>| async move { driver.look().await };
        let all: Vec<usize> = (0..self.members.len()).collect();
        let mut record: Option<(usize, History)> = None;
        let (mut seen, mut counted, mut awake, mut hosts) = (Vec::new(), Vec::new(), true, Vec::new());
        let mut refused = None;
        for (at, result) in self.each(&all, look, |_| false).await {
            let name = self.members[at].name.clone();
            match result {
                Ok(look) => {
                    let ledger = match &record {
                        None => None,
                        Some((first, history)) => {
                            standing::drift(history, &look.history, &self.members[*first].name)
                        }
                    };
                    if record.is_none() {
                        record = Some((at, look.history));
                    }
                    awake &= look.is_awake;
                    seen.push((name.clone(), look.seen.clone()));
                    hosts.push(HostLook { name, seen: Ok((look.seen, look.is_awake)), ledger });
                    counted.push(look.tallies);
                }
                Err(error) => {
                    hosts.push(HostLook { name, seen: Err(chain(&error)), ledger: None });
                    refused.get_or_insert(error);
                }
            }
        }
        match (record, merge::seen(seen), refused) {
            (Some((_, history)), Some(seen), _) => {
                Ok(Look { history, seen, is_awake: awake, tallies: merge::tallies(counted), hosts })
            }
            (_, _, Some(error)) => Err(error),
            (_, _, None) => Err(DriverError::Unreachable {
                attempt: "the target has no host".to_owned(),
                source: "`hosts:` is empty".into(),
            }),
        }
    }

    async fn tallies(&self) -> Result<Option<Tallies>, DriverError> {
        let tallies = |_: usize, driver: Arc<dyn Driver>| async move { driver.tallies().await };
        Ok(merge::tallies(self.all(&self.present(), tallies).await?))
    }

    /// Each host tells versions by a key of its own, so that all of them together are one version.
    async fn secrets(&self, parameters: &Value) -> Result<Vec<SecretVersion>, DriverError> {
        let secrets = |_: usize, driver: Arc<dyn Driver>| {
            let parameters = parameters.clone();
            async move { driver.secrets(&parameters).await }
        };
        Ok(merge::secrets(&self.all(&self.present(), secrets).await?))
    }

    async fn observe(&self) -> Result<Seen, DriverError> {
        let observe = |_: usize, driver: Arc<dyn Driver>| async move { driver.observe().await };
        let present = self.present();
        let seen = self.all(&present, observe).await?;
        let named = present.iter().map(|at| self.members[*at].name.clone()).zip(seen).collect();
        merge::seen(named).ok_or_else(|| DriverError::Unreachable {
            attempt: "cannot look at the target".to_owned(),
            source: "none of its hosts takes part".into(),
        })
    }

    async fn claim(&self, owner: &Owner, ttl: Span) -> Result<Lease, DriverError> {
        self.take(owner, ttl).await
    }

    async fn renew(&self, lease: &Lease, ttl: Span) -> Result<Lease, DriverError> {
        self.renew_all(lease, ttl).await
    }

    async fn release(&self, lease: &Lease) -> Result<(), DriverError> {
        let leases = self.leases(lease)?;
        let none = vec![None; self.members.len()];
        self.standing().leases = none;
        self.give_back(&leases).await;
        Ok(())
    }

    async fn apply(&self, lease: &Lease, step: &Step) -> Result<String, DriverError> {
        let leases = self.leases(lease)?;
        let places = self.places(step)?;
        let _files = self.bring_for(step, &places).await?;
        let step = own(step);
        let apply = |at: usize, driver: Arc<dyn Driver>| {
            let (lease, step) = (leases[at].clone(), step.clone());
            async move {
                match lease {
                    Some(lease) => driver.apply(&lease, &step).await,
                    None => Err(standing::no_lease()),
                }
            }
        };
        let going_back = self.standing().going_back;
        let notes = if going_back {
            let each = self.each(&places, apply, |_| false).await;
            let notes = self.leave_out(each)?;
            if matches!(step, Step::Withdraw { .. }) {
                self.judge_the_way_back()?;
            }
            notes
        } else {
            places.iter().copied().zip(self.all(&places, apply).await?).collect()
        };
        let note = |(at, note): &(usize, String)| format!("{}: {note}", self.members[*at].name);
        Ok(notes.iter().map(note).collect::<Vec<_>>().join("; "))
    }

    async fn read(&self) -> Result<Vec<Entry>, DriverError> {
        self.first().read().await.map_err(|error| self.named(0, error))
    }

    async fn append(
        &self,
        lease: &Lease,
        after: Head,
        by: &str,
        events: Vec<Event>,
    ) -> Result<Head, DriverError> {
        let leases = self.leases(lease)?;
        let first = leases[0].clone().ok_or_else(standing::no_lease)?;
        let head = self.first().append(&first, after, by, events.clone()).await;
        let head = head.map_err(|error| self.named(0, error))?;
        let heads = {
            let mut standing = self.standing();
            standing.follow(&events);
            standing.heads.clone()
        };
        let copies: Vec<usize> = self.present().into_iter().filter(|at| heads[*at].is_some()).collect();
        let copy = |at: usize, driver: Arc<dyn Driver>| {
            let (lease, head, by, events) = (leases[at].clone(), heads[at], by.to_owned(), events.clone());
            async move {
                let (Some(lease), Some(head)) = (lease, head) else { return Err(standing::no_lease()) };
                driver.append(&lease, head, &by, events).await
            }
        };
        // A copy that cannot be kept does not stop what the ledger of record says; the next run brings it up to date.
        for (at, result) in self.each(&copies, copy, |_| false).await {
            self.standing().heads[at] = result.ok();
        }
        Ok(head)
    }
}
