//! The story: chapters that run the tools, look at what they did, and claim only that.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use windlass_ci::context::Context;
use windlass_ci::progress::Progress;
use windlass_domain::outcome::Outcome;
use windlass_domain::release::Sequence;
use windlass_domain::rollout::Step;
use windlass_signal::load::{self, Load, Meter, Receipt};
use windlass_target::host::asleep;

use super::claims::{Claim, Places, Result, Row};
use super::process::{Ended, Runner};
use super::sample::{Sample, Version};
use super::{host, outcome, root};

const V1: Version = Version { label: "v1", flags: "" };
const V2: Version = Version { label: "v2", flags: "" };
const BAD: Version = Version { label: "v3", flags: "--fail-rate 5%" };
const V4: Version = Version { label: "v4", flags: "" };

/// Requests a second to production.
const RATE: u32 = 400;

/// The story and what came of it.
pub(super) struct Story {
    runner: Runner,
    sample: Sample,
    progress: Progress,
    path: String,
    started: Timestamp,
    claims: Vec<Claim>,
    rows: Vec<Row>,
    production: Option<Traffic>,
    receipt: Option<Receipt>,
    address: String,
}

/// A client that keeps asking.
struct Traffic {
    meter: Meter,
    stop: watch::Sender<bool>,
    task: JoinHandle<std::result::Result<Receipt, load::BadLoad>>,
}

impl Story {
    pub(super) fn new(program: PathBuf, sample: Sample, progress: Progress, context: &Context) -> Self {
        Self {
            runner: Runner::new(program, sample.clone()),
            sample,
            progress,
            path: context.var("PATH").unwrap_or("/usr/bin:/bin").to_owned(),
            started: context.started,
            claims: Vec::new(),
            rows: Vec::new(),
            production: None,
            receipt: None,
            address: String::new(),
        }
    }

    /// Tells it.
    ///
    /// # Errors
    /// When a process or a file of the demo itself fails; what a tool says is never an error here, but a claim.
    pub(super) async fn tell(&mut self) -> io::Result<()> {
        self.chapter("Keys: one signs for the pipeline, one for the person who approves");
        self.keys().await?;
        self.chapter("v1: gates, scan, dev (rolling), staging (blue-green), production (first release)");
        self.first().await?;
        self.chapter("v2: the same way, under load; production by canary, judged by its own error rate");
        self.good().await?;
        self.chapter("v3 fails 5 % of requests; tests, scan and probes do not see it");
        self.bad().await?;
        self.chapter("v4: its artifact is changed after the evidence was given");
        self.tampered().await?;
        self.chapter("v4: its deploy is killed in the middle of a shift; the next run finishes");
        self.killed().await?;
        self.chapter("v4 is regretted: back in one command, and held until somebody says otherwise");
        self.regretted().await?;
        self.finish().await;
        Ok(())
    }

    async fn keys(&mut self) -> io::Result<()> {
        for name in ["ci", "alice"] {
            let ended = self.run(&["keygen", "--out", &format!("keys/{name}")]).await?;
            self.claim(format!("a key for {name} is made"), &ended, 0);
            for half in ["key", "pub"] {
                let keys = self.sample.repository.join("keys");
                std::fs::rename(
                    keys.join(name).join(format!("windlass.{half}")),
                    keys.join(format!("{name}.{half}")),
                )?;
            }
        }
        Ok(())
    }

    async fn first(&mut self) -> io::Result<()> {
        self.sample.build(V1)?;
        let empty = self.tool(&["deploy", "-e", "dev"]).await?;
        self.claim("without evidence nothing moves", &empty, 3);
        self.lower("v1").await?;
        self.approve().await?;
        // Clients come as soon as anything answers: without requests an error rate proves nothing.
        let (ended, traffic) = tokio::join!(self.tool(&["deploy", "-e", "production"]), self.first_clients());
        self.production = Some(traffic?);
        let ended = ended?;
        self.claim("v1 is live in production", &ended, 0);
        self.row("v1", &ended);
        Ok(())
    }

    async fn first_clients(&self) -> io::Result<Traffic> {
        let production = host(&self.sample.state, "production");
        for _ in 0..600 {
            if production.state().await.is_ok_and(|state| !state.weights.0.is_empty()) {
                return self.traffic("production", RATE).await;
            }
            sleep(Duration::from_millis(20)).await;
        }
        Err(io::Error::other("production never answered"))
    }

    async fn good(&mut self) -> io::Result<()> {
        self.sample.build(V2)?;
        let staging = self.traffic("staging", 200).await?;
        self.lower("v2").await?;
        let receipt = staging.end().await;
        let (sent, lost) = (receipt.sent, receipt.lost_on_the_way());
        self.fact(
            "staging switched blue-green under load without losing a request",
            format!("{lost} of {sent} lost"),
            lost == 0 && sent > 0,
        );
        let ended = self.production().await?;
        self.claim("v2 is live in production", &ended, 0);
        self.row("v2", &ended);
        Ok(())
    }

    async fn bad(&mut self) -> io::Result<()> {
        self.sample.build(BAD)?;
        self.lower("v3").await?;
        let ended = self.production().await?;
        self.claim("v3 is caught and put back", &ended, 1);
        self.row("v3", &ended);
        let live = self.live_label().await;
        self.fact("v2 serves again", live.clone(), live == "v2");
        Ok(())
    }

    async fn tampered(&mut self) -> io::Result<()> {
        self.sample.build(V4)?;
        self.lower("v4").await?;
        let gate = self.tool(&["gate-check", "-e", "production"]).await?;
        self.say(&gate, "gate-check -e production");
        self.sample.write("dist/VERSION", "v4, changed after the fact")?;
        let ended = self.tool(&["deploy", "-e", "production"]).await?;
        self.claim("an artifact that was changed after its evidence is refused", &ended, 6);
        self.sample.write("dist/VERSION", V4.label)
    }

    async fn killed(&mut self) -> io::Result<()> {
        self.approve().await?;
        let signing = self.signing("ci");
        let words = ["deploy", "-e", "production", "--format", "json", "--signing-key", &signing];
        let mut child = self.runner.start(&words, &self.path)?;
        let ledger = root(&self.sample.state, "production");
        let mut weights = String::new();
        for _ in 0..600 {
            sleep(Duration::from_millis(20)).await;
            let shifted = asleep(&ledger).ok().and_then(|(history, _)| {
                let open = history.open()?;
                open.done.iter().find_map(|record| match &record.step {
                    Step::Shift { weights, .. } => Some(weights.to_string()),
                    _ => None,
                })
            });
            if let Some(shifted) = shifted {
                weights = shifted;
                break;
            }
        }
        child.start_kill()?;
        child.wait().await?;
        self.fact(
            "a deploy is killed (SIGKILL) in the middle of a shift",
            weights.clone(),
            !weights.is_empty(),
        );
        let ended = self.tool(&["deploy", "-e", "production"]).await?;
        self.claim("the next run finishes it", &ended, 0);
        let recovered = ended.text("/recovered").unwrap_or("nothing was found open").to_owned();
        self.fact("and says so", recovered, ended.text("/recovered").is_some());
        self.row("v4", &ended);
        Ok(())
    }

    async fn regretted(&mut self) -> io::Result<()> {
        let ended =
            self.tool(&["rollback", "-e", "production", "--reason", "the new prices are wrong"]).await?;
        self.claim("one command brings v2 back", &ended, 0);
        self.row("back", &ended);
        let live = self.live_label().await;
        self.fact("v2 serves again", live.clone(), live == "v2");
        let held = self.tool(&["deploy", "-e", "production"]).await?;
        self.claim("the next deploy is held", &held, 4);
        let unheld = self.run(&["unhold", "-e", "production", "--reason", "prices corrected"]).await?;
        self.claim("until `windlass unhold`", &unheld, 0);
        self.approve().await?;
        let ended = self.tool(&["deploy", "-e", "production"]).await?;
        self.claim("and then v4 may enter again", &ended, 0);
        self.row("v4", &ended);
        Ok(())
    }

    async fn finish(&mut self) {
        if let Some(traffic) = self.production.take() {
            let receipt = traffic.end().await;
            let (sent, lost) = (receipt.sent, receipt.lost_on_the_way());
            self.fact(
                "through all of it, production lost no request",
                format!("{lost} of {sent} lost"),
                lost == 0 && sent > 0,
            );
            let bad: u64 = receipt.bad;
            let of_v3 = self.rows.iter().find(|row| row.release == "v3").map_or(0, |row| row.bad);
            self.fact(
                "every bad answer was v3's",
                format!("{bad} bad answers seen by the client, {of_v3} counted for v3"),
                bad == of_v3 && of_v3 > 0,
            );
            self.receipt = Some(receipt);
        }
        if let Ok(state) = host(&self.sample.state, "production").state().await {
            self.address = state.listening.map(|address| format!("http://{address}")).unwrap_or_default();
        }
        let failed: u64 = self.rows.iter().map(|row| row.failed).sum();
        self.fact(
            "the router failed no request while releases moved",
            format!("{failed} failed"),
            failed == 0,
        );
    }

    /// Gates and deploys a built version as far as staging, with the scan in between.
    async fn lower(&mut self, label: &str) -> io::Result<()> {
        for words in [
            &["gate-check", "-e", "dev"][..],
            &["deploy", "-e", "dev"],
            &["security-scan"],
            &["gate-check", "-e", "staging"],
            &["deploy", "-e", "staging"],
        ] {
            let ended = self.tool(words).await?;
            self.claim(format!("{label} passes `{}`", words.join(" ")), &ended, 0);
        }
        Ok(())
    }

    /// Gate, approval of the very plan, deploy.
    async fn production(&mut self) -> io::Result<Ended> {
        self.approve().await?;
        self.tool(&["deploy", "-e", "production"]).await
    }

    async fn approve(&mut self) -> io::Result<()> {
        let plan = self.tool(&["deploy", "-e", "production", "--plan"]).await?;
        let digest = plan.text("/plan").unwrap_or_default().to_owned();
        let signing = self.signing("alice");
        let words = ["approve", "-e", "production", "--plan", &digest, "--signing-key", &signing];
        let ended = self.run(&words).await?;
        self.claim(format!("alice approves plan {}", digest.chars().take(19).collect::<String>()), &ended, 0);
        let gate = self.tool(&["gate-check", "-e", "production"]).await?;
        self.claim("the gate of production passes", &gate, 0);
        Ok(())
    }

    fn signing(&self, name: &str) -> String {
        self.sample.repository.join(format!("keys/{name}.key")).display().to_string()
    }

    /// Runs a tool that signs and prints a document.
    async fn tool(&self, words: &[&str]) -> io::Result<Ended> {
        let signing = self.signing("ci");
        let words: Vec<&str> =
            words.iter().copied().chain(["--format", "json", "--signing-key", &signing]).collect();
        self.run(&words).await
    }

    async fn run(&self, words: &[&str]) -> io::Result<Ended> {
        let shown = words.iter().take_while(|word| **word != "--format" && **word != "--signing-key");
        let shown = shown.copied().collect::<Vec<_>>().join(" ");
        let running = self.runner.run(words, &self.path);
        tokio::pin!(running);
        loop {
            tokio::select! {
                ended = &mut running => return ended,
                () = sleep(Duration::from_millis(200)) => self.progress.now(&format!("windlass {shown} … {}", self.seen())),
            }
        }
    }

    /// What the client of production sees just now.
    fn seen(&self) -> String {
        let Some(traffic) = &self.production else { return String::new() };
        let receipt = traffic.meter.receipt();
        format!("{} requests, {} lost, {} bad", receipt.sent, receipt.lost_on_the_way(), receipt.bad)
    }

    async fn traffic(&self, environment: &str, rate: u32) -> io::Result<Traffic> {
        let state = host(&self.sample.state, environment).state().await.map_err(io::Error::other)?;
        let address =
            state.listening.ok_or_else(|| io::Error::other(format!("{environment} does not listen")))?;
        let mut load = Load::new(format!("http://{address}"));
        load.rate_per_second = rate;
        load.lasting = Duration::from_secs(300);
        let meter = Meter::new();
        let (stop, stopped) = watch::channel(false);
        let counted = meter.clone();
        let task = tokio::spawn(async move { load::run(&load, &counted, stopped).await });
        Ok(Traffic { meter, stop, task })
    }

    /// The label of the revision that everything goes to in production, from its own files.
    async fn live_label(&self) -> String {
        let production = host(&self.sample.state, "production");
        let Ok(state) = production.state().await else { return "nobody answers".to_owned() };
        let [(revision, _)] = state.weights.0.iter().collect::<Vec<_>>()[..] else {
            return format!("more than one: {}", state.weights);
        };
        let file =
            root(&self.sample.state, "production").join(format!("revisions/{}/artifact/VERSION", revision.0));
        std::fs::read_to_string(&file).unwrap_or_else(|error| format!("{}: {error}", file.display()))
    }

    fn chapter(&self, title: &str) {
        self.progress.say("");
        self.progress.say(&format!("── {title}"));
    }

    /// Claims that a tool ended with this code.
    fn claim(&mut self, claim: impl Into<String>, ended: &Ended, code: i32) {
        let claim = claim.into();
        let word = Outcome::ALL.iter().find(|outcome| i32::from(outcome.code()) == ended.code);
        let word = word.map_or("killed", |outcome| outcome.word());
        let why = if ended.code == 0 { String::new() } else { format!(": {}", ended.why()) };
        self.fact(claim, format!("{word} ({}){why}", ended.code), ended.code == code);
    }

    fn fact(&mut self, claim: impl Into<String>, observed: String, holds: bool) {
        let claim = claim.into();
        self.progress.say(&format!("   {} {claim}: {observed}", if holds { "✓" } else { "✗" }));
        self.claims.push(Claim { claim, observed, holds });
    }

    fn say(&self, ended: &Ended, what: &str) {
        self.progress.say(&format!("   · {what}: exit {}", ended.code));
    }

    fn row(&mut self, release: &str, ended: &Ended) {
        let revision =
            ended.number("/revision").map(|number| Sequence(number).to_string()).unwrap_or_default();
        self.rows.push(Row {
            release: release.to_owned(),
            ended: ended.text("/outcome").unwrap_or_default().to_owned(),
            sent: ended.number("/receipt/sent").unwrap_or_default(),
            failed: ended.number("/receipt/failed").unwrap_or_default(),
            bad: ended.number(&format!("/receipt/by_revision/{revision}/bad")).unwrap_or_default(),
            caught_ms: caught_ms(ended),
            back_ms: ended.number("/receipt/rollback_ms").or_else(|| back_ms(release, ended)),
            revision,
        });
    }

    /// The result, with the claims as they came out.
    pub(super) fn result(self, kept: bool) -> Result {
        let windlass = self.sample.repository.join(".windlass");
        let outcome = outcome(&self.claims);
        let receipt = self.receipt.unwrap_or_default();
        let service = if kept { self.address } else { String::new() };
        Result {
            tool: "demo",
            version: env!("CARGO_PKG_VERSION"),
            outcome,
            code: outcome.code(),
            duration_ms: elapsed_ms(self.started),
            sent: receipt.sent,
            lost: receipt.lost_on_the_way(),
            releases: self.rows,
            claims: self.claims,
            places: Places {
                ledger: root(&self.sample.state, "production").join("ledger.jsonl").display().to_string(),
                evidence: windlass.join("evidence.intoto.jsonl").display().to_string(),
                reports: windlass.display().to_string(),
                service,
            },
        }
    }
}

impl Traffic {
    async fn end(self) -> Receipt {
        self.stop.send_replace(true);
        match self.task.await {
            Ok(Ok(receipt)) => receipt,
            Ok(Err(_)) | Err(_) => self.meter.receipt(),
        }
    }
}

/// From the first shift to the verdict against the release, by the steps of the document.
fn caught_ms(ended: &Ended) -> Option<u64> {
    let steps = ended.document.get("steps")?.as_array()?;
    let is = |step: &&serde_json::Value, word: &str| {
        step.get("step").and_then(|text| text.as_str()).is_some_and(|text| text.starts_with(word))
    };
    let at = |step: &serde_json::Value| step.get("at")?.as_str()?.parse::<Timestamp>().ok();
    let failed = |step: &&serde_json::Value| {
        step.get("result").and_then(|text| text.as_str()).is_some_and(|text| text.starts_with("failed"))
    };
    let shift = at(steps.iter().find(|step| is(step, "shift"))?)?;
    let verdict = at(steps.iter().filter(failed).find(|step| is(step, "verify"))?)?;
    u64::try_from(verdict.duration_since(shift).as_millis()).ok()
}

/// A rollback's own switch is its way back.
fn back_ms(release: &str, ended: &Ended) -> Option<u64> {
    (release == "back").then(|| ended.number("/receipt/switch_ms")).flatten()
}

#[expect(clippy::disallowed_methods, reason = "the story's length is read here, and only here")]
fn elapsed_ms(started: Timestamp) -> u64 {
    u64::try_from(Timestamp::now().duration_since(started).as_millis()).unwrap_or_default()
}
