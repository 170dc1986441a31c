//! Hooks: commands of the author that the run itself executes at the phases of a rollout.
//!
//! A hook may be started twice: a run that was killed while it ran leaves its step begun, and the next one begins it
//! again.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, Command};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;
use windlass_domain::journal::Way;
use windlass_domain::rollout::{Plan, Step};
use windlass_domain::words::fill;

use crate::command::{End, attend};
use crate::judge::{Call, Judged};
use crate::mask::Masks;

/// How much of its output is kept, in bytes: the end.
const KEPT: usize = 64 * 1024;

/// How many of its last lines a failure shows, and how long each may be in characters.
const SHOWN: (usize, usize) = (8, 300);

/// What begins the names of our own variables: flags of the tools, and the signing key. None is a hook's.
const OURS: &str = "WINDLASS_";

/// Where hooks are run from, and where what they say is kept.
pub struct Hooks {
    folder: PathBuf,
    vars: BTreeMap<String, String>,
    kept: PathBuf,
    has_run: AtomicBool,
}

/// Whether the words in braces of a plan's hooks are all known.
///
/// # Errors
/// A sentence that names the hook and the word.
pub fn check(plan: &Plan) -> Result<(), String> {
    let known = [("environment", ""), ("revision", ""), ("url", "")];
    for step in plan.steps.iter().chain(&plan.undo()) {
        let Step::Hook { name, run, env, .. } = step else { continue };
        for text in run.iter().chain(env.values()) {
            fill(text, &known).map_err(|why| format!("hook `{name}`: {why}"))?;
        }
    }
    Ok(())
}

impl Hooks {
    /// Hooks of the policy in `folder`. `vars` are the run's own variables; what hooks say is kept in `reports/hooks`.
    #[must_use]
    pub fn new(folder: &Path, vars: &BTreeMap<String, String>, reports: &Path) -> Self {
        let (folder, kept) = (folder.to_owned(), reports.join("hooks"));
        Self { folder, vars: vars.clone(), kept, has_run: AtomicBool::new(false) }
    }

    /// The folder of what they said, where any has run.
    #[must_use]
    pub fn kept(&self) -> Option<PathBuf> {
        self.has_run.load(Ordering::Relaxed).then(|| self.kept.clone())
    }

    /// Runs one to its end.
    pub async fn run(&self, call: Call<'_>) -> Judged {
        let name = call.name.to_owned();
        let (mut child, output) = match self.start(&call) {
            Ok(started) => started,
            Err(why) => return Judged::Failed { why: format!("cannot start hook `{name}`: {why}") },
        };
        self.has_run.store(true, Ordering::Relaxed);
        let (began, limit) = (Instant::now(), call.limit);
        let (waits, mut gone) = oneshot::channel::<()>();
        // A task of its own, which ends the hook properly when nobody waits for it any more.
        let mut task = tokio::spawn(async move {
            let mut tail = Tail::default();
            let end = {
                let piping = pin!(follow(output, &mut tail));
                attend(&mut child, piping, limit, &mut gone).await
            };
            (end, tail)
        });
        let mut stop = call.stop.clone();
        let (ended, is_called_off) = tokio::select! {
            biased;
            ended = &mut task => (ended, false),
            () = stopped(&mut stop) => {
                drop(waits);
                (task.await, true)
            }
        };
        let (end, tail) = match ended {
            Ok(ended) => ended,
            Err(error) => return Judged::Unknown { why: format!("hook `{name}` broke off: {error}") },
        };
        let vars = self.vars.iter().chain(call.env).map(|(name, value)| (name.clone(), value.clone()));
        let said = Masks::of(&vars.collect()).hide(&tail.text());
        let place = self.keep(&call, &said);
        let after = format!("after {} ms", began.elapsed().as_millis());
        match end {
            Ok(End::OfItself(status)) if status.success() => {
                Judged::Passed { note: format!("ended well {after} ({place})") }
            }
            Ok(End::OfItself(status)) => Judged::Failed {
                why: format!("hook `{name}` ended {after} with {status}{}", shown(&said, &place)),
            },
            Ok(End::Stopped) if is_called_off => Judged::Stopped,
            Ok(End::Stopped) => {
                let limit = limit.as_secs_f64();
                let why = format!("hook `{name}` did not end within {limit} s and was stopped");
                Judged::Failed { why: format!("{why}{}", shown(&said, &place)) }
            }
            Err(error) => Judged::Unknown { why: format!("cannot await hook `{name}`: {error}") },
        }
    }

    fn start(&self, call: &Call<'_>) -> Result<(Child, Receiver), String> {
        let revision = call.plan.release.sequence.to_string();
        let known = [
            ("environment", call.plan.environment.as_str()),
            ("revision", revision.as_str()),
            ("url", call.url.as_str()),
        ];
        let mut words = Vec::with_capacity(call.run.len());
        for word in call.run {
            words.push(fill(word, &known)?);
        }
        let Some((program, arguments)) = words.split_first() else { return Err("`run` is empty".to_owned()) };
        // A program with a slash lies in the policy's folder, one without is looked for on the path.
        let place = if program.contains('/') { self.folder.join(program) } else { program.into() };
        let mut command = Command::new(place);
        command.args(arguments).current_dir(&self.folder).env_clear();
        command.envs(self.vars.iter().filter(|(name, _)| !name.starts_with(OURS)));
        for (name, value) in call.env {
            command.env(name, fill(value, &known)?);
        }
        command.envs(facts(call, &revision));
        // One pipe for both, so that what it says stays in its order.
        let pipe = || {
            let (reader, writer) = io::pipe()?;
            let second = writer.try_clone()?;
            Ok::<_, io::Error>((Receiver::from_owned_fd(OwnedFd::from(reader))?, writer, second))
        };
        let (reader, first, second) = pipe().map_err(|error| format!("cannot make a pipe: {error}"))?;
        command.stdin(Stdio::null()).stdout(Stdio::from(first)).stderr(Stdio::from(second));
        command.process_group(0).kill_on_drop(true);
        let child = command.spawn().map_err(|error| format!("{program:?}: {error}"))?;
        Ok((child, reader))
    }

    /// Keeps what it said, and says where.
    fn keep(&self, call: &Call<'_>, said: &str) -> String {
        let back = match call.way {
            Way::Forward => "",
            Way::Back => "back-",
        };
        let name = format!(
            "{}-{back}{}-{}.log",
            call.plan.release.sequence,
            call.index,
            call.name.replace(' ', "-")
        );
        let path = self.kept.join(&name);
        let written = std::fs::create_dir_all(&self.kept).and_then(|()| std::fs::write(&path, said));
        match written {
            Ok(()) => format!("output in hooks/{name}"),
            // It changes no verdict; it is missed where it is looked for.
            Err(error) => format!("its output could not be kept at {}: {error}", path.display()),
        }
    }
}

/// What it is told of the rollout.
fn facts(call: &Call<'_>, revision: &str) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("WINDLASS_ENVIRONMENT", call.plan.environment.clone()),
        ("WINDLASS_RELEASE", call.plan.release.artifact.to_string()),
        ("WINDLASS_REVISION", revision.to_owned()),
        ("WINDLASS_PHASE", call.name.to_owned()),
    ];
    if let Some(anchor) = call.plan.anchor() {
        facts.push(("WINDLASS_ANCHOR", anchor.to_string()));
    }
    if !call.url.is_empty() {
        facts.push(("WINDLASS_URL", call.url.clone()));
    }
    facts
}

fn shown(said: &str, place: &str) -> String {
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let (count, length) = SHOWN;
    let last = lines[lines.len().saturating_sub(count)..].iter();
    let last: Vec<String> = last.map(|line| line.chars().take(length).collect()).collect();
    if last.is_empty() {
        format!("; it said nothing ({place})")
    } else {
        format!("; it said: {} ({place})", last.join(" | "))
    }
}

/// Waits until the run shall stop. A sender that is gone never says so.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stopped| *stopped).await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn follow(mut output: Receiver, tail: &mut Tail) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = output.read(&mut buffer).await {
        tail.take(&buffer[..count]);
    }
}

/// The end of an output.
#[derive(Debug, Default)]
struct Tail {
    bytes: VecDeque<u8>,
    is_cut: bool,
}

impl Tail {
    fn take(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
        let over = self.bytes.len().saturating_sub(KEPT);
        if over > 0 {
            self.is_cut = true;
            self.bytes.drain(..over);
        }
    }

    /// Whole lines: the half of a secret that a cut left would not be recognised.
    fn text(mut self) -> String {
        let bytes = self.bytes.make_contiguous();
        let from = match bytes.iter().position(|byte| *byte == b'\n') {
            Some(end) if self.is_cut => end + 1,
            None if self.is_cut => bytes.len(),
            Some(_) | None => 0,
        };
        let whole = String::from_utf8_lossy(&bytes[from..]).into_owned();
        if self.is_cut { format!("(what came before is left out)\n{whole}") } else { whole }
    }
}

#[cfg(test)]
mod tests;
