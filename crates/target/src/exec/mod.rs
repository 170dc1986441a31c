//! The exec driver: any platform, by a command that speaks JSON.
//!
//! The command keeps the fence and the journal with the target; this side seals the entries of the journal and checks
//! the chain whenever it reads it, so that a command can lose the journal but not alter it unseen.

mod answer;
mod facts;
pub mod protocol;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tokio::process::Command;
use windlass_domain::fence::{Lease, Owner};
use windlass_domain::journal::{Entry, Event, Head, read_chain};
use windlass_domain::policy::{ExecTarget, Span};
use windlass_domain::release::Sequence;
use windlass_domain::rollout::Step;
use windlass_evidence::artifact;

use self::protocol::{Files, Observed, PROTOCOL, Request, Told, Verb};
use crate::command;
use crate::driver::{Capabilities, Driver, DriverError, Look, Package, Seen, for_no_host};
use crate::fenced::{self, Clock};
use crate::host::control::{Appended, Applied};

/// The longest that anything but a step may take: less than a lease lasts, so that a renewal is not too late.
const QUESTION: Duration = Duration::from_secs(10);

/// What begins the names of our own variables: flags of the tools, and the signing key. None is the command's.
const OURS: &str = "WINDLASS_";

/// Where a command is run from, and for what.
#[derive(Clone)]
pub struct Setting {
    /// The application.
    pub app: String,
    /// The environment.
    pub environment: String,
    /// The folder that it is run in, to which its program's path is relative.
    pub folder: PathBuf,
    /// The names of the run's variables.
    pub vars: Vec<String>,
    /// The longest that a step may take.
    pub step: Span,
    /// The local clock.
    pub clock: Clock,
}

/// A target behind a command.
#[derive(Clone)]
pub struct Exec {
    command: Vec<String>,
    weights: bool,
    setting: Setting,
    packages: Arc<Mutex<BTreeMap<Sequence, Package>>>,
    /// How much the target's clock is ahead of ours.
    ahead: Arc<Mutex<SignedDuration>>,
}

impl Exec {
    /// The target behind this command.
    #[must_use]
    pub fn new(target: &ExecTarget, setting: Setting) -> Self {
        Self {
            command: target.command.clone(),
            weights: target.weights,
            setting,
            packages: Arc::default(),
            ahead: Arc::default(),
        }
    }

    /// What the command says of itself.
    ///
    /// # Errors
    /// When it cannot be run or its answer is none.
    pub async fn told(&self) -> Result<Told, DriverError> {
        let output = self.ask(Verb::Capabilities, QUESTION, &[]).await?;
        self.answer("capabilities", &output)
    }

    /// That the command speaks our protocol, and can do what `windlass.yml` says it can.
    async fn check(&self) -> Result<(), DriverError> {
        let told = self.told().await?;
        if told.protocol != PROTOCOL {
            let why = format!("it speaks version {} of the protocol, and this is {PROTOCOL}", told.protocol);
            return Err(self.fault("capabilities", why));
        }
        if self.weights && !told.weights {
            let why = "it can only flip, and windlass.yml says `weights: true`";
            return Err(self.fault("capabilities", why));
        }
        Ok(())
    }

    fn now(&self) -> Timestamp {
        let ahead = *self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        (self.setting.clock)().checked_add(ahead).unwrap_or(Timestamp::MAX)
    }

    fn package(&self, step: &Step) -> Option<Package> {
        let Step::Stage { revision, .. } = step else { return None };
        self.packages.lock().unwrap_or_else(PoisonError::into_inner).get(revision).cloned()
    }

    /// Runs the command with a verb, and takes its standard output where it did what was asked.
    async fn ask(&self, verb: Verb, limit: Duration, lines: &[Entry]) -> Result<Vec<u8>, DriverError> {
        let word = verb.word();
        let request = Request {
            protocol: PROTOCOL,
            app: self.setting.app.clone(),
            environment: self.setting.environment.clone(),
            verb,
        };
        let mut input = serde_json::to_string(&request).expect("a request has only string keys");
        input.push('\n');
        input.extend(lines.iter().map(Entry::line));
        let ended = command::run(self.command(&request), input.into_bytes(), limit)
            .await
            .map_err(|error| self.fault(word, error))?;
        for line in &ended.log {
            tracing::debug!(verb = word, line, "the driver's command says");
        }
        answer::judge(ended).map_err(|refused| refused.into_error(self.attempt(word)))
    }

    fn command(&self, request: &Request) -> Command {
        let program = self.command.first().map(String::as_str).unwrap_or_default();
        let program: OsString =
            if program.contains('/') { self.setting.folder.join(program).into() } else { program.into() };
        let mut command = Command::new(program);
        command.args(self.command.iter().skip(1)).arg(request.verb.word());
        command.current_dir(&self.setting.folder);
        // Its credentials come from the run's environment; what is ours, the signing key before all, stays here.
        for name in self.setting.vars.iter().filter(|name| name.starts_with(OURS)) {
            command.env_remove(name);
        }
        command.envs(facts::facts(request));
        command
    }

    fn answer<T: serde::de::DeserializeOwned>(&self, word: &str, output: &[u8]) -> Result<T, DriverError> {
        serde_json::from_slice(output).map_err(|error| {
            let begins: String = String::from_utf8_lossy(output).chars().take(200).collect();
            let said = if begins.trim().is_empty() { "nothing".to_owned() } else { format!("{begins:?}") };
            self.fault(word, format!("its answer is none of that verb ({error}); it wrote {said}"))
        })
    }

    fn attempt(&self, word: &str) -> String {
        format!("cannot have `{} {word}` do its part", self.command.join(" "))
    }

    fn fault(&self, word: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> DriverError {
        DriverError::Unreachable { attempt: self.attempt(word), source: source.into() }
    }
}

#[async_trait]
impl Driver for Exec {
    fn capabilities(&self) -> Capabilities {
        Capabilities { kind: "exec", weights: self.weights }
    }

    fn place(&self) -> String {
        format!("exec {}", self.command.join(" "))
    }

    fn supply(&self, revision: Sequence, package: Package) {
        self.packages.lock().unwrap_or_else(PoisonError::into_inner).insert(revision, package);
    }

    async fn wake(&self) -> Result<Option<String>, DriverError> {
        self.check().await?;
        Ok(None)
    }

    async fn look(&self) -> Result<Look, DriverError> {
        self.check().await?;
        let seen = self.observe().await?;
        let history = fenced::history(self).await?;
        Ok(Look { history, seen, is_awake: true, tallies: None, hosts: Vec::new() })
    }

    async fn observe(&self) -> Result<Seen, DriverError> {
        let output = self.ask(Verb::Observe, QUESTION, &[]).await?;
        let observed: Observed = self.answer("observe", &output)?;
        let ahead = observed.now.duration_since((self.setting.clock)());
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) = ahead;
        Ok(Seen {
            weights: observed.weights,
            revisions: observed.revisions.iter().map(|one| (one.revision, one.ready)).collect(),
            url: observed.url,
            lease: observed.lease,
            now: observed.now,
            hosts: Vec::new(),
        })
    }

    async fn claim(&self, owner: &Owner, ttl: Span) -> Result<Lease, DriverError> {
        let output =
            self.ask(Verb::Claim { owner: owner.clone(), ttl_ms: ttl.into() }, QUESTION, &[]).await?;
        let lease: Lease = self.answer("claim", &output)?;
        if lease.owner.run == owner.run {
            return Ok(lease);
        }
        Err(self.fault("claim", "it answered with the lease of another run, and not with a refusal"))
    }

    async fn release(&self, lease: &Lease) -> Result<(), DriverError> {
        self.ask(Verb::Release { epoch: lease.epoch }, QUESTION, &[]).await.map(drop)
    }

    async fn apply(&self, lease: &Lease, step: &Step) -> Result<String, DriverError> {
        for_no_host(step)?;
        let package = self.package(step);
        if let Some(package) = &package {
            is_what_it_was(package).await?;
        }
        let files = package.clone().map(Files::from);
        let verb = Verb::Apply { epoch: lease.epoch, step: step.clone(), package: files };
        // The drive loop keeps the step's clock; this only bounds a silent command a little later.
        let limit = step.own_time().unwrap_or(self.setting.step).get() + Duration::from_secs(30);
        let output = self.ask(verb, limit, &[]).await?;
        let applied: Applied = self.answer("apply", &output)?;
        if let Some(package) = &package {
            is_what_it_was(package).await?;
        }
        Ok(applied.note)
    }

    async fn read(&self) -> Result<Vec<Entry>, DriverError> {
        let output = self.ask(Verb::Read, QUESTION, &[]).await?;
        let chain = read_chain(&output).map_err(|broken| self.fault("read", broken))?;
        if chain.torn {
            let line = chain.entries.len() + 1;
            return Err(
                self.fault("read", format!("line {line} of the journal is cut off, so it may not go on"))
            );
        }
        Ok(chain.entries)
    }

    async fn append(
        &self,
        lease: &Lease,
        after: Head,
        by: &str,
        events: Vec<Event>,
    ) -> Result<Head, DriverError> {
        let at = self.now();
        let mut head = after;
        let entries: Vec<Entry> = events
            .into_iter()
            .map(|event| {
                let entry = Entry::seal(head, at, lease.epoch, by.to_owned(), event);
                head = entry.head();
                entry
            })
            .collect();
        let verb = Verb::Append { epoch: lease.epoch, after, head, entries: entries.len() };
        let output = self.ask(verb, QUESTION, &entries).await?;
        let appended: Appended = self.answer("append", &output)?;
        if appended.head == head {
            return Ok(head);
        }
        let why = format!(
            "it says that the journal ends with entry {}, and not {}",
            appended.head.number, head.number
        );
        Err(self.fault("append", why))
    }
}

/// That the files which the command copies are those that were admitted, now.
async fn is_what_it_was(package: &Package) -> Result<(), DriverError> {
    let Some(path) = package.artifact_path.clone() else { return Ok(()) };
    let place = path.clone();
    let digest = tokio::task::spawn_blocking(move || artifact::digest(&path)).await;
    let unreadable = |source: Box<dyn std::error::Error + Send + Sync>| DriverError::Unreachable {
        attempt: format!("cannot take the digest of {} again", place.display()),
        source,
    };
    let digest =
        digest.map_err(|error| unreadable(error.into()))?.map_err(|error| unreadable(error.into()))?;
    if digest == package.artifact {
        return Ok(());
    }
    let why = format!("{} is {digest} now, and {} was admitted", place.display(), package.artifact);
    Err(DriverError::Judged { why, log: Vec::new() })
}
