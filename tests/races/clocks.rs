//! Clocks that jump by a day, of a tool and of an agent, in the middle of a rollout: by libfaketime, which follows a file.
//! `CLOCK_MONOTONIC` and `CLOCK_BOOTTIME`, which nobody can set, stay real.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Stdio;

use jiff::SignedDuration;
use tempfile::TempDir;
use windlass_domain::journal::Entry;

use super::*;

/// More than any test lasts, and less than a jump.
const NEARLY_A_DAY: SignedDuration = SignedDuration::from_hours(23);

/// The least time that the release is watched, in milliseconds.
const BAKE: u64 = 5_000;

/// libfaketime; where it is missing, one line says how to get it and the test is skipped.
#[expect(clippy::print_stderr, reason = "a test says why it is skipped")]
fn faketime() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").unwrap().chain(std::fs::read_dir("/usr").unwrap());
    let library = |folder: PathBuf| folder.join("faketime/libfaketimeMT.so.1");
    let found = folders.map(|folder| library(folder.unwrap().path())).find(|path| path.is_file());
    if found.is_none() {
        let is_required = std::env::var("WINDLASS_REQUIRE_TOOLS").is_ok_and(|value| value == "1");
        assert!(!is_required, "missing: libfaketime (Debian: faketime)");
        eprintln!("skipped: install libfaketime (Debian: faketime)");
    }
    found
}

/// A wall clock that can be set.
struct Clock {
    library: PathBuf,
    folder: TempDir,
}

impl Clock {
    /// The right time.
    fn new(library: &Path) -> Self {
        let clock = Self { library: library.to_owned(), folder: tempfile::tempdir().unwrap() };
        clock.jump("+0");
        clock
    }

    /// Sets it to so much before or after the right time, for whoever goes by it.
    fn jump(&self, to: &str) {
        let next = self.folder.path().join("next");
        std::fs::write(&next, format!("{to}\n")).unwrap();
        std::fs::rename(next, self.folder.path().join("time")).unwrap();
    }

    fn rules(&self, command: &mut Command) {
        command.env("LD_PRELOAD", &self.library).env("FAKETIME_NO_CACHE", "1");
        command.env("FAKETIME_TIMESTAMP_FILE", self.folder.path().join("time"));
        // Its name before and since version 0.9.8.
        command.env("DONT_FAKE_MONOTONIC", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    }
}

/// An agent that goes by a clock of the test's. The project ends it.
struct Agent {
    process: Child,
    clock: Clock,
}

impl Agent {
    fn start(project: &Project, library: &Path) -> Self {
        let clock = Clock::new(library);
        let root = project.path("state");
        let mut command = Command::new(env!("CARGO_BIN_EXE_windlass"));
        command.args(["windlassd", "--root"]).arg(&root).env_clear();
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", project.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        clock.rules(&mut command);
        let process = command.spawn().unwrap();
        until("the agent answers", || UnixStream::connect(root.join("control.sock")).is_ok());
        Self { process, clock }
    }

    /// Reaps it, once the project that ends it is gone.
    fn gone(mut self, project: Project) {
        drop(project);
        let mut ended = false;
        until("the agent has ended", || {
            ended = ended || self.process.try_wait().unwrap().is_some();
            ended
        });
    }
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// How long the release was watched, by the report, in milliseconds.
fn watched(ended: &Ended) -> u64 {
    let steps = ended.document.pointer("/steps").unwrap().as_array().unwrap().clone();
    let verify = steps.iter().find(|step| step["step"].as_str().unwrap().starts_with("verify"));
    let result = verify.unwrap_or_else(|| panic!("no verify: {}", ended.all()))["result"].to_string();
    let (_, after) = result.rsplit_once("after ").unwrap_or_else(|| panic!("no time: {result}"));
    after.split_once(" ms").unwrap().0.parse().unwrap()
}

fn entries(root: &Path) -> Vec<Entry> {
    read_chain(&std::fs::read(root.join("ledger.jsonl")).unwrap()).unwrap().entries
}

/// Whether the ledger bears times that lie a day apart.
fn is_odd(entries: &[Entry]) -> bool {
    entries.windows(2).any(|pair| pair[1].at.duration_since(pair[0].at).abs() > NEARLY_A_DAY)
}

/// What the hook before the commit saw as the time, less the right time.
fn seen_by_the_run(project: &Project) -> SignedDuration {
    let logs = std::fs::read_dir(project.path(".windlass/hooks")).unwrap();
    let log = logs.map(|log| log.unwrap().path()).find(|log| log.to_str().unwrap().contains("before-commit"));
    let seen: i64 = std::fs::read_to_string(log.unwrap()).unwrap().trim().parse().unwrap();
    SignedDuration::from_secs(seen - jiff::Timestamp::now().as_second())
}

/// A rollout in whose bake clocks jump. `None` where it was over too soon.
fn jumped(project: &Project, agent: &Agent, label: &str, tool_to: &str, agent_to: &str) -> Option<Ended> {
    let clock = Clock::new(&agent.clock.library);
    agent.clock.jump("+0");
    std::fs::remove_dir_all(project.path(".windlass/hooks")).unwrap();
    project.build(label, "");
    let mut command = tool(project, &["deploy"]);
    clock.rules(&mut command);
    let mut run = command.spawn().unwrap();
    let root = project.path("state");
    until("it is watched", || {
        let is_watched = open_is(&root, |open| matches!(open.step(), Some(Step::Verify { .. })));
        is_watched || run.try_wait().unwrap().is_some()
    });
    // Into the bake: a jump before its beginning would show nothing.
    std::thread::sleep(Duration::from_millis(BAKE / 4));
    clock.jump(tool_to);
    agent.clock.jump(agent_to);
    let in_time = open_is(&root, |open| {
        !open.is_committed() && !has_done(open, |step| matches!(step, Step::Verify { .. }))
    });
    until("the rollout ends", || run.try_wait().unwrap().is_some());
    let ended = end(run).is(0);
    in_time.then_some(ended)
}

#[test]
fn clocks_that_jump_in_a_bake_neither_skip_it_nor_hold_the_rollout_up() {
    let Some(library) = faketime() else { return };
    let library = library.as_path();
    std::thread::scope(|scope| {
        for (tool_to, agent_to) in
            [("+1d", "+0"), ("-1d", "+0"), ("+0", "+1d"), ("+0", "-1d"), ("-1d", "+1d")]
        {
            scope.spawn(move || {
                let project = Project::new("v1");
                let root = project.path("state");
                let strategy = format!(
                    "strategy: {{ kind: blue-green, bake: {BAKE}ms }}\n    hooks: [{{ before: commit, run: [/bin/date, +%s] }}]"
                );
                project.policy("strategy: { kind: canary, steps: [50%], bake: 100ms }", &strategy);
                let agent = Agent::start(&project, library);
                run(&project, &["deploy"]).is(0);
                let mut tries = 1;
                let ended = loop {
                    if let Some(ended) = jumped(&project, &agent, &format!("v2-{tries}"), tool_to, agent_to) {
                        break ended;
                    }
                    tries += 1;
                    assert!(tries < 20, "it is always over too soon");
                };
                let case = format!("the tool's {tool_to}, the agent's {agent_to}: {}", ended.all());
                // Nothing is shown unless they did jump.
                assert_eq!(is_odd(&entries(&root)), agent_to != "+0", "{case}");
                assert_eq!(seen_by_the_run(&project).abs() > NEARLY_A_DAY, tool_to != "+0", "{case}");
                let watched = watched(&ended);
                assert!(watched >= BAKE && watched < 1000 * PATIENCE.as_secs(), "{watched} ms: {case}");
                assert!(project.answer().contains(&format!("v2-{tries}")), "{case}");
                assert!(history(&root).open().is_none(), "{case}");
                // Whoever comes next is not in its way.
                project.build("v3", "");
                run(&project, &["deploy"]).is(0);
                assert!(project.answer().contains("v3"), "{case}");
                agent.gone(project);
            });
        }
    });
}

#[test]
fn one_that_slept_is_stale_at_the_end_of_its_lease_and_not_before_whatever_the_clock_says() {
    let Some(library) = faketime() else { return };
    let library = library.as_path();
    std::thread::scope(|scope| {
        for to in ["+1d", "-1d"] {
            scope.spawn(move || {
                let project = Project::new("v1");
                let root = project.path("state");
                let agent = Agent::start(&project, library);
                run(&project, &["deploy"]).is(0);
                project.policy("bake: 100ms", "bake: 2s");
                let serves = |open: &Rollout| has_done(open, |step| matches!(step, Step::Settle));
                let mut tries = 0;
                let sleeper = loop {
                    tries += 1;
                    project.build(&format!("v2-{tries}"), "");
                    if let Some(sleeper) = stopped_at(&project, &root, serves) {
                        break sleeper;
                    }
                    assert!(tries < 20, "it is always over too soon");
                };
                agent.clock.jump(to);
                let lease = || {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                    runtime.block_on(project.host().state()).unwrap().lease
                };
                let stopped = Instant::now();
                let held = lease();
                // It was renewed less than five seconds before it was stopped, for fifteen.
                assert!(held.is_some() || stopped.elapsed() > Duration::from_secs(8), "{to}: stolen");
                let next = sharing(&root, "v3");
                take_over(&next);
                let kept = ["ledger.jsonl", "fence.json", "weights.json", "instances.json"];
                let files = || kept.map(|file| std::fs::read(root.join(file)).unwrap());
                let before = files();
                signal(&sleeper, Signal::CONT);
                end(sleeper).is(6);
                assert!(before == files(), "{to}: it changed what is not its any more");
                assert!(project.answer().contains("v3"), "{to}");
                assert!(history(&root).open().is_none() && is_odd(&entries(&root)), "{to}");
                agent.gone(project);
            });
        }
    });
}
