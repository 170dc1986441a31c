//! Hooks, run for real.

use std::time::Duration;

use windlass_domain::digest::Digest;
use windlass_domain::policy::{Clocks, Span, Strategy};
use windlass_domain::release::{Release, Sequence};
use windlass_domain::rollout::{Intent, Standing, WayBack};

use super::*;

const LONG: Duration = Duration::from_secs(60);

fn plan() -> Plan {
    Plan {
        environment: "live".into(),
        intent: Intent::Deploy,
        release: Release::bare(Sequence(7), "shop", Digest::of(b"new")),
        way_back: WayBack::Anchor { revision: Sequence(3), instances: 1 },
        strategy: Strategy::BlueGreen { bake: Span::millis(0) },
        steps: Vec::new(),
        clocks: Clocks::default(),
        hooks: Vec::new(),
        from: Standing::default(),
    }
}

/// A folder whose hooks are shell scripts, as arguments.
struct Bench {
    folder: PathBuf,
    hooks: Hooks,
    stop: watch::Sender<bool>,
}

impl Bench {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("wl-hook-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let vars =
            [("PATH", "/usr/bin:/bin"), ("CI_TOKEN", "s3cr3t-value"), ("WINDLASS_SIGNING_KEY", "PEM-PEM")];
        let vars = vars.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let hooks = Hooks::new(&folder, &vars, &folder.join("reports"));
        Self { folder, hooks, stop: watch::Sender::new(false) }
    }

    async fn run(&self, words: &[&str], limit: Duration) -> Judged {
        let run: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let env = BTreeMap::from([("AT".to_owned(), "{environment} at {url}".to_owned())]);
        let call = Call {
            plan: &plan(),
            way: Way::Forward,
            index: 4,
            name: "before shift",
            run: &run,
            env: &env,
            url: "http://127.0.0.1:81".into(),
            limit,
            stop: self.stop.subscribe(),
        };
        self.hooks.run(call).await
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("reports/hooks/r7-4-before-shift.log")).expect("kept")
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).expect("ours");
    }
}

#[tokio::test]
async fn a_hook_knows_the_rollout_and_nothing_of_our_key_and_its_output_is_kept_in_order() {
    let bench = Bench::new("facts");
    let script = "pwd; echo to-error >&2; echo then-out; env | sort; echo token $CI_TOKEN";
    let judged = bench.run(&["/bin/sh", "-c", script, "{revision}"], LONG).await;
    let Judged::Passed { note } = judged else { panic!("{judged:?}") };
    assert!(note.contains("hooks/r7-4-before-shift.log"), "{note}");
    let log = bench.log();
    assert!(log.starts_with(&format!("{}\nto-error\nthen-out\n", bench.folder.display())), "{log}");
    for line in [
        "AT=live at http://127.0.0.1:81",
        "WINDLASS_ENVIRONMENT=live",
        "WINDLASS_REVISION=r7",
        "WINDLASS_ANCHOR=r3",
        "WINDLASS_PHASE=before shift",
        "WINDLASS_URL=http://127.0.0.1:81",
        "token ***",
    ] {
        assert!(log.lines().any(|one| one == line), "no {line:?} in {log}");
    }
    assert!(!log.contains("PEM-PEM") && !log.contains("s3cr3t-value"), "{log}");
    assert!(bench.hooks.kept().is_some());
}

#[tokio::test]
async fn a_hook_that_fails_says_its_last_lines_and_only_the_end_of_much_is_kept() {
    let bench = Bench::new("fails");
    let script = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo line $i; done; exit 3";
    let judged = bench.run(&["/bin/sh", "-c", script], LONG).await;
    let Judged::Failed { why } = judged else { panic!("{judged:?}") };
    assert!(why.contains("`before shift`") && why.contains("exit status: 3"), "{why}");
    assert!(why.contains("line 19993 | line 19994") && why.contains("line 20000"), "{why}");
    assert!(!why.contains("line 19992 "), "{why}");
    let log = bench.log();
    assert!(log.starts_with("(what came before is left out)\nline "), "{}", &log[..80]);
    assert!(log.len() <= KEPT + 64 && log.ends_with("line 20000\n"), "{}", log.len());
}

#[tokio::test]
async fn a_hook_that_is_no_program_or_has_an_unknown_word_has_failed() {
    let bench = Bench::new("none");
    for (words, says) in [(["bin/nothing", ""], "bin/nothing"), (["/bin/true", "{host}"], "{host}")] {
        let judged = bench.run(&words, LONG).await;
        let Judged::Failed { why } = judged else { panic!("{judged:?}") };
        assert!(why.contains(says), "{why}");
    }
    assert!(bench.hooks.kept().is_none());
}

#[tokio::test]
async fn a_late_hook_and_one_that_is_called_off_end_with_their_whole_group() {
    let script = "sh -c 'echo $$; exec sleep 600' & echo $$; wait";
    for is_called_off in [false, true] {
        let bench = Bench::new(if is_called_off { "off" } else { "late" });
        let words = ["/bin/sh", "-c", script];
        let judged = if is_called_off {
            let stop = bench.stop.clone();
            let asks = async {
                tokio::time::sleep(Duration::from_secs(1)).await;
                stop.send_replace(true);
                std::future::pending::<()>().await;
            };
            tokio::select! {
                judged = bench.run(&words, LONG) => judged,
                () = asks => panic!("it never ends"),
            }
        } else {
            bench.run(&words, Duration::from_secs(1)).await
        };
        match judged {
            Judged::Stopped if is_called_off => {}
            Judged::Failed { why } if !is_called_off => {
                assert!(why.contains("did not end within 1 s"), "{why}")
            }
            other => panic!("{other:?}"),
        }
        let log = bench.log();
        assert_eq!(log.lines().count(), 2, "{log}");
        let runs = |pid: &str| {
            std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
        };
        let patience = Instant::now() + LONG;
        while log.lines().any(runs) {
            assert!(Instant::now() < patience, "something of it is still there: {log}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[test]
fn unknown_words_of_hooks_are_found_before_anything_moves() {
    let hook = |word: &str| Step::Hook {
        name: "before shift".into(),
        run: vec!["bin/told".into(), word.into()],
        env: BTreeMap::new(),
        timeout: Span::seconds(1),
    };
    let mut plan = plan();
    plan.steps = vec![hook("{revision} {url} {environment}")];
    assert_eq!(check(&plan), Ok(()));
    plan.steps.push(hook("{port}"));
    assert!(check(&plan).is_err_and(|why| why.contains("`before shift`") && why.contains("{port}")));
}
