//! The fence as it lies on this host: persisted before it is answered, bound to the process that claimed it, and
//! measured by a clock that nobody can set.

use std::io;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use windlass_domain::fence::{Epoch, Fence, Lease, Refusal};
use windlass_target::host::control::Claim;

use crate::clock::Reading;
use crate::process::Process;
use crate::root::{Root, read_json, write_json};

/// The longest lease: a claimer that asks for more gets this, so that none holds a target for weeks.
const LONGEST: i64 = 15 * 60 * 1000;

/// The fence and who claimed it.
///
/// Inside, the end of a lease is counted from the start of the machine, as [`steady`] says: a wall clock that jumps
/// neither ends a lease nor makes it last. Whatever leaves this file, to callers or to the disk, has wall time.
#[derive(Debug)]
pub(crate) struct Gate {
    root: Root,
    boot: Option<String>,
    fence: Fence,
    held: Option<Held>,
}

/// What is known of a lease beside what the domain knows.
#[derive(Clone, Debug)]
struct Held {
    /// The process at the other end of the socket when it was claimed; unknown across a PID namespace.
    holder: Option<Process>,
    /// How long it was given for, in milliseconds.
    ttl: i64,
    /// Its end as it was told when it was given: told again as long as the wall clock was not set.
    ends: Timestamp,
}

/// `fence.json`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Kept {
    /// With the lease's end in wall time, for people and for an agent that cannot use `until`.
    fence: Fence,
    holder: Option<Process>,
    #[serde(default)]
    until: Option<Until>,
}

/// The lease's end by the clock that nobody can set.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Until {
    /// Which start of the machine it is counted from.
    boot: Option<String>,
    /// In milliseconds since then.
    at_ms: i64,
    /// How long the lease was given for, in milliseconds: it never lasts longer, whatever became of the clocks.
    ttl_ms: i64,
}

/// Why the fence was not given.
#[derive(Debug)]
pub(crate) enum NotClaimed {
    /// It is another's.
    Refused(Refusal),
    /// It could not be written down, so it was not given.
    Io(io::Error),
}

impl Gate {
    /// Reads the fence. An unreadable one is an error: it is never taken for a free one. No epoch up to `floor`, the
    /// last one in the ledger, is given out again, even where the file is gone.
    pub(crate) fn open(root: &Root, boot: Option<String>, floor: Epoch, now: Reading) -> io::Result<Self> {
        let kept: Kept = read_json(&root.fence())?.unwrap_or_default();
        let mut gate = Self { root: root.clone(), boot, fence: kept.fence, held: None };
        if let Some(lease) = &mut gate.fence.lease {
            let wall = lease.expires.duration_since(now.wall).as_millis();
            let wall = i64::try_from(wall).unwrap_or(LONGEST);
            let (left, ttl) = match &kept.until {
                Some(until) if until.boot.is_some() && until.boot == gate.boot => {
                    (until.at_ms.saturating_sub(millis(now)), until.ttl_ms)
                }
                // The machine was started anew, so only the wall clock is left to tell.
                Some(until) => (wall, until.ttl_ms),
                None => (wall, LONGEST),
            };
            let ttl = ttl.clamp(1, LONGEST);
            gate.held = Some(Held { holder: kept.holder, ttl, ends: lease.expires });
            lease.expires = later(steady(now), left.min(ttl));
        }
        if gate.fence.epoch < floor {
            tracing::warn!(
                epoch = floor.0,
                "the fence knew less than the ledger: its epochs go on from there"
            );
            gate.fence = Fence { epoch: floor, lease: None };
            gate.held = None;
        }
        Ok(gate)
    }

    /// The last epoch given out.
    pub(crate) const fn epoch(&self) -> Epoch {
        self.fence.epoch
    }

    /// The lease in force.
    pub(crate) fn lease(&self, now: Reading) -> Option<Lease> {
        let lease = self.fence.lease.clone().filter(|lease| lease.expires > steady(now))?;
        (!self.holder_is_gone()).then(|| in_wall_time(lease, self.held.as_ref(), now))
    }

    /// Grants or renews. A lease whose claimer's process is gone is void at once.
    pub(crate) fn claim(
        &mut self,
        claim: &Claim,
        holder: Option<Process>,
        now: Reading,
    ) -> Result<Lease, NotClaimed> {
        let mut fence = self.fence.clone();
        if self.holder_is_gone() {
            fence.release(fence.epoch);
        }
        let ttl = i64::try_from(claim.ttl_ms).unwrap_or(LONGEST).clamp(1, LONGEST);
        let expires = later(steady(now), ttl);
        let granted = match claim.renews {
            Some(epoch) => fence.renew(&claim.owner, epoch, steady(now), expires),
            None => fence.claim(&claim.owner, steady(now), expires),
        };
        let lease = granted.map_err(|refusal| NotClaimed::Refused(self.told(refusal, now)))?;
        let held = Held { holder, ttl, ends: as_wall(lease.expires, None, now) };
        self.keep(fence, Some(held), now).map_err(NotClaimed::Io)?;
        Ok(in_wall_time(lease, self.held.as_ref(), now))
    }

    /// Whether a mutation under this epoch may happen now.
    pub(crate) fn admit(&self, epoch: Epoch, now: Reading) -> Result<(), Refusal> {
        self.fence.admit(epoch, steady(now)).map_err(|refusal| self.told(refusal, now))
    }

    /// Gives the lease back. Giving back what is not held any more changes nothing.
    pub(crate) fn release(&mut self, epoch: Epoch, now: Reading) -> io::Result<()> {
        let mut fence = self.fence.clone();
        fence.release(epoch);
        if fence == self.fence {
            return Ok(());
        }
        self.keep(fence, None, now)
    }

    fn told(&self, refusal: Refusal, now: Reading) -> Refusal {
        let held = self.held.as_ref();
        match refusal {
            Refusal::Held { by } => Refusal::Held { by: in_wall_time(by, held, now) },
            Refusal::Expired { at } => Refusal::Expired { at: as_wall(at, held, now) },
            stale @ Refusal::Stale { .. } => stale,
        }
    }

    fn holder_is_gone(&self) -> bool {
        let holder = self.held.as_ref().and_then(|held| held.holder);
        self.fence.lease.is_some() && holder.is_some_and(|holder| !holder.is_alive())
    }

    fn keep(&mut self, fence: Fence, held: Option<Held>, now: Reading) -> io::Result<()> {
        let until = fence.lease.as_ref().zip(held.as_ref()).map(|(lease, held)| Until {
            boot: self.boot.clone(),
            at_ms: lease.expires.as_millisecond(),
            ttl_ms: held.ttl,
        });
        let lease = fence.lease.clone().map(|lease| in_wall_time(lease, held.as_ref(), now));
        let kept = Kept {
            fence: Fence { epoch: fence.epoch, lease },
            holder: held.as_ref().and_then(|held| held.holder),
            until,
        };
        write_json(&self.root.fence(), &kept)?;
        self.fence = fence;
        self.held = held;
        Ok(())
    }
}

/// The moment, as the fence inside counts it: from the start of the machine.
fn steady(now: Reading) -> Timestamp {
    Timestamp::UNIX_EPOCH.checked_add(now.uptime).unwrap_or(Timestamp::MAX)
}

fn millis(now: Reading) -> i64 {
    i64::try_from(now.uptime.as_millis()).unwrap_or(i64::MAX)
}

fn later(from: Timestamp, millis: i64) -> Timestamp {
    from.checked_add(SignedDuration::from_millis(millis)).unwrap_or(Timestamp::MAX)
}

fn in_wall_time(lease: Lease, held: Option<&Held>, now: Reading) -> Lease {
    Lease { expires: as_wall(lease.expires, held, now), ..lease }
}

fn as_wall(counted: Timestamp, held: Option<&Held>, now: Reading) -> Timestamp {
    let wall = now.wall.checked_add(counted.duration_since(steady(now))).unwrap_or(Timestamp::MAX);
    match held {
        Some(held) if held.ends.duration_since(wall).abs() < SignedDuration::from_secs(1) => held.ends,
        Some(_) | None => wall,
    }
}

#[cfg(test)]
mod tests {
    use windlass_domain::fence::Owner;

    use super::*;

    /// A folder that is gone when the test is over, and a machine whose clocks the test sets.
    struct Machine {
        folder: tempfile::TempDir,
        boot: Option<String>,
        now: Reading,
    }

    impl Machine {
        fn new() -> Self {
            Self {
                folder: tempfile::tempdir().unwrap(),
                boot: Some("first".into()),
                now: Reading {
                    wall: "2026-11-26T12:00:00Z".parse().unwrap(),
                    uptime: SignedDuration::from_secs(1000),
                },
            }
        }

        /// An agent of this machine is started, also again.
        fn gate(&self) -> Gate {
            self.gate_above(Epoch(0))
        }

        fn gate_above(&self, floor: Epoch) -> Gate {
            let root = Root::open(self.folder.path()).unwrap();
            Gate::open(&root, self.boot.clone(), floor, self.now).unwrap()
        }

        fn passes(&mut self, seconds: i64) {
            self.jumps(seconds);
            self.now.uptime = self.now.uptime.checked_add(SignedDuration::from_secs(seconds)).unwrap();
        }

        /// Somebody sets the wall clock.
        fn jumps(&mut self, seconds: i64) {
            self.now.wall = self.now.wall.checked_add(SignedDuration::from_secs(seconds)).unwrap();
        }

        fn reboots(&mut self) {
            self.boot = Some("second".into());
            self.now.uptime = SignedDuration::from_secs(3);
        }
    }

    fn claim(run: &str) -> Claim {
        Claim { owner: Owner { run: run.into(), who: run.into() }, ttl_ms: 15_000, renews: None }
    }

    fn take(gate: &mut Gate, run: &str, now: Reading) -> Option<Epoch> {
        gate.claim(&claim(run), None, now).ok().map(|lease| lease.epoch)
    }

    const HOUR: i64 = 3600;

    #[test]
    fn a_wall_clock_that_jumps_neither_ends_a_lease_nor_makes_it_last() {
        for jump in [HOUR, -HOUR, 10 * 365 * 24 * HOUR, -40 * 365 * 24 * HOUR] {
            let mut machine = Machine::new();
            let mut gate = machine.gate();
            let epoch = take(&mut gate, "a", machine.now).expect("free");
            machine.jumps(jump);
            machine.passes(14);
            assert_eq!(take(&mut gate, "b", machine.now), None, "stolen by a jump of {jump} s");
            assert_eq!(gate.admit(epoch, machine.now), Ok(()), "{jump}");
            let told = gate.lease(machine.now).expect("in force").expires;
            assert_eq!(told.duration_since(machine.now.wall).as_secs(), 1, "{jump}: people see when it ends");
            machine.passes(1);
            let ended = machine.now.wall;
            assert_eq!(gate.admit(epoch, machine.now), Err(Refusal::Expired { at: ended }), "{jump}");
            assert_eq!(take(&mut gate, "b", machine.now), Some(Epoch(2)), "immortal by a jump of {jump} s");
        }
    }

    #[test]
    fn the_end_of_a_lease_is_told_the_same_as_long_as_the_clock_was_not_set() {
        let mut machine = Machine::new();
        let mut gate = machine.gate();
        let told = gate.claim(&claim("a"), None, machine.now).unwrap().expires;
        machine.passes(5);
        machine.now.wall = machine.now.wall.checked_add(SignedDuration::from_micros(70)).unwrap();
        assert_eq!(gate.lease(machine.now).unwrap().expires, told);
        assert_eq!(machine.gate().lease(machine.now).unwrap().expires, told, "by the next agent too");
    }

    #[test]
    fn an_agent_that_is_started_again_counts_on_whatever_the_wall_clock_did() {
        for jump in [HOUR, -HOUR] {
            let mut machine = Machine::new();
            let epoch = take(&mut machine.gate(), "a", machine.now).expect("free");
            machine.jumps(jump);
            machine.passes(14);
            let mut gate = machine.gate();
            assert_eq!(take(&mut gate, "b", machine.now), None, "{jump}");
            assert_eq!(gate.admit(epoch, machine.now), Ok(()), "{jump}");
            machine.passes(1);
            assert_eq!(take(&mut machine.gate(), "b", machine.now), Some(Epoch(2)), "{jump}");
        }
    }

    #[test]
    fn after_a_new_start_of_the_machine_a_lease_lasts_no_longer_than_it_was_given_for() {
        let mut machine = Machine::new();
        let epoch = take(&mut machine.gate(), "a", machine.now).expect("free");
        machine.jumps(-HOUR);
        machine.reboots();
        let mut gate = machine.gate();
        assert_eq!(gate.admit(epoch, machine.now), Ok(()), "by the wall clock it has not ended");
        machine.passes(15);
        assert_eq!(take(&mut gate, "b", machine.now), Some(Epoch(2)), "but an hour more it does not get");
    }

    #[test]
    fn a_fence_of_an_older_agent_is_read_by_its_wall_time_and_bounded() {
        let machine = Machine::new();
        let text = |expires: &str| {
            format!(
                r#"{{"fence":{{"epoch":7,"lease":{{"owner":{{"run":"a","who":"a"}},"epoch":7,"expires":"{expires}"}}}},"holder":null}}"#
            )
        };
        for (expires, left) in [
            ("2026-11-26T12:00:10Z", Some(10)),
            ("2026-11-26T11:59:59Z", None),
            ("9999-01-01T00:00:00Z", Some(900)),
        ] {
            std::fs::write(machine.folder.path().join("fence.json"), text(expires)).unwrap();
            let lease = machine.gate().lease(machine.now);
            let found = lease.map(|lease| lease.expires.duration_since(machine.now.wall).as_secs());
            assert_eq!(found, left, "{expires}");
        }
    }

    #[test]
    fn an_epoch_of_the_ledger_is_never_given_again_even_where_the_fence_is_gone() {
        let machine = Machine::new();
        let mut gate = machine.gate();
        for run in ["a", "b", "c"] {
            let epoch = take(&mut gate, run, machine.now).expect("free");
            gate.release(epoch, machine.now).unwrap();
        }
        std::fs::remove_file(machine.folder.path().join("fence.json")).unwrap();
        assert_eq!(take(&mut machine.gate_above(Epoch(3)), "d", machine.now), Some(Epoch(4)));
    }

    #[test]
    fn a_renewal_that_comes_late_is_refused_and_written_nowhere() {
        let mut machine = Machine::new();
        let mut gate = machine.gate();
        let epoch = take(&mut gate, "a", machine.now).expect("free");
        let renewal = Claim { renews: Some(epoch), ..claim("a") };
        machine.passes(14);
        assert!(gate.claim(&renewal, None, machine.now).is_ok());
        machine.passes(15);
        let file = std::fs::read(machine.folder.path().join("fence.json")).unwrap();
        let late = gate.claim(&renewal, None, machine.now);
        assert!(matches!(late, Err(NotClaimed::Refused(Refusal::Expired { .. }))), "{late:?}");
        assert_eq!(std::fs::read(machine.folder.path().join("fence.json")).unwrap(), file);
        assert!(gate.lease(machine.now).is_none());
    }
}
