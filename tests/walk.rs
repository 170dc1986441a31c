//! The page of the first ten minutes, walked: every `sh` block of `docs/getting-started.md`, in order, in one shell, with the
//! built umbrella. What the page promises behind a command, `# exit N` or `# prints TEXT`, is checked.
#![expect(clippy::unwrap_used, reason = "a test may stop where its set-up does")]
#![expect(clippy::print_stderr, reason = "a skipped test says so")]

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use windlass_domain::policy::Span;
use windlass_target::host::Host;
use windlass_target::host::control::Place;

const PAGE: &str = include_str!("../docs/getting-started.md");

/// Where Debian and others put programs; all that the shell sees of the machine's `PATH`.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The ports that the page names; the walk takes free ones.
const PORTS: [&str; 2] = ["8080", "8081"];

/// The environments that the page makes.
const ENVIRONMENTS: [&str; 2] = ["staging", "production"];

/// On the first line, so that the shell counts lines as the page does: an exit code that nobody announced ends the walk, and
/// so does a promise that does not hold.
const RULES: &str = r#"set -eEuo pipefail; trap 'echo "line $LINENO: exit $?: $BASH_COMMAND" >&2' ERR; promised() { local got=0 output; output=$(eval "$4" 2>&1) || got=$?; printf '%s\n' "$output"; if [[ $got != "$2" || $output != *"$3"* ]]; then echo "line $1: exit $got, where the page promises exit $2 and \"$3\": $4" >&2; exit 97; fi; }; "#;

#[test]
fn the_first_ten_minutes_are_as_the_page_says() {
    if !tools_are_here() {
        return;
    }
    let script = script(PAGE);
    assert!(script.matches("promised ").count() > 10, "the page promises little:\n{script}");
    let home = Home::new();
    let output = home.walk(&script);
    let told = String::from_utf8_lossy(&output.stderr);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}\n{said}\n{told}", output.status);
    // An agent says that it will end, and then does.
    let end = Instant::now() + Duration::from_secs(20);
    while !home.what_remains().is_empty() {
        assert!(Instant::now() < end, "the page leaves behind: {:?}", home.what_remains());
        sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_promise_that_does_not_hold_ends_the_walk() {
    let home = Home::new();
    let cases = [
        ("exit 2   # exit 2\necho on   # prints on", Some(0)),
        ("false   # exit 2", Some(97)),
        ("true   # exit 1", Some(97)),
        ("echo good day   # prints good night", Some(97)),
        ("false   # prints", Some(1)),
        ("false", Some(1)),
    ];
    for (block, code) in cases {
        let output =
            home.walk(&script(&format!("# A page\n\n```sh\n{block}\n```\n\n```console\n$ false\n```\n")));
        assert_eq!(output.status.code(), code, "{block}: {output:?}");
    }
}

#[test]
fn every_word_that_troubleshooting_names_is_one_that_explain_knows() {
    let page = include_str!("../docs/troubleshooting.md");
    let mut words = Vec::new();
    let mut names_words = false;
    for line in page.lines() {
        let Some(row) = line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |")) else {
            names_words &= line.starts_with("|---");
            continue;
        };
        let last = row.rsplit(" | ").next().unwrap();
        if last == "`windlass explain`" {
            names_words = true;
        } else if names_words {
            let named = last.split('`').skip(1).step_by(2);
            let before = words.len();
            words.extend(named);
            assert!(words.len() > before, "names no word: {line}");
        }
    }
    assert!(words.len() > 20, "found few: {words:?}");
    for word in words {
        let explain = Command::new(env!("CARGO_BIN_EXE_windlass"))
            .args(["explain", word])
            .env_clear()
            .output()
            .unwrap();
        assert!(explain.status.success(), "{word}: {explain:?}");
    }
}

#[test]
fn every_file_that_the_pages_link_to_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for page in ["README.md", "docs/getting-started.md", "docs/troubleshooting.md"] {
        let file = root.join(page);
        let text = fs::read_to_string(&file).unwrap();
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
        let mut links = 0;
        for target in targets.filter(|target| !target.is_empty() && !target.contains("://")) {
            links += 1;
            assert!(file.parent().unwrap().join(target).exists(), "{page} links to {target}");
        }
        assert!(links > 0 || page.ends_with("troubleshooting.md"), "no links found in {page}");
    }
}

/// The page's `sh` blocks as a script whose lines are numbered as the page's.
fn script(page: &str) -> String {
    let mut script = String::from(RULES);
    let mut is_inside = false;
    for (number, line) in page.lines().enumerate().map(|(index, line)| (index + 1, line)) {
        match (is_inside, line) {
            (false, "```sh") => is_inside = true,
            (true, "```") => is_inside = false,
            (true, command) => script.push_str(&checked(command, number)),
            (false, _) => {}
        }
        script.push('\n');
    }
    assert!(!is_inside, "a block of sh does not end");
    script
}

/// A line as it is, or with a check of what its comment promises.
fn checked(line: &str, number: usize) -> String {
    let promise = line.rsplit_once(" # ").and_then(|(command, promise)| {
        let (kind, what) = promise.split_once(' ')?;
        match kind {
            "exit" => Some((command, what, "")),
            "prints" => Some((command, "0", what)),
            _ => None,
        }
    });
    let Some((command, code, text)) = promise else { return line.to_owned() };
    let mut call = format!("promised {number}");
    for word in [code, text, command.trim_end()] {
        write!(call, " '{}'", word.replace('\'', r"'\''")).unwrap();
    }
    call
}

/// Whether all is here that the page asks for; with `WINDLASS_REQUIRE_TOOLS=1` it is a failure when something is not.
fn tools_are_here() -> bool {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test has no context; this is the one variable that it reads"
    )]
    let is_required = std::env::var("WINDLASS_REQUIRE_TOOLS").is_ok_and(|value| value == "1");
    let is_missing = |tool: &&str| !PATH.split(':').any(|folder| Path::new(folder).join(tool).is_file());
    let missing: Vec<&str> = ["git", "curl", "python3"].into_iter().filter(is_missing).collect();
    assert!(missing.is_empty() || !is_required, "missing: {}", missing.join(", "));
    if !missing.is_empty() {
        eprintln!("skipped: install {} (apt-get install {})", missing.join(", "), missing.join(" "));
    }
    missing.is_empty()
}

/// A new user's home. Dropped, it leaves no process and no file.
struct Home {
    folder: tempfile::TempDir,
    ports: [u16; 2],
    runtime: tokio::runtime::Runtime,
}

impl Home {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("windlass-walk-").tempdir().unwrap();
        fs::create_dir(folder.path().join("bin")).unwrap();
        symlink(env!("CARGO_BIN_EXE_windlass"), folder.path().join("bin/windlass")).unwrap();
        // Both are held at once, so that they differ.
        let held = PORTS.map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
        let ports = held.map(|listener| listener.local_addr().unwrap().port());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { folder, ports, runtime }
    }

    fn walk(&self, script: &str) -> Output {
        let mut script = script.to_owned();
        for (named, free) in PORTS.iter().zip(self.ports) {
            script = script.replace(&format!("127.0.0.1:{named}"), &format!("127.0.0.1:{free}"));
        }
        let file = self.folder.path().join("page.sh");
        fs::write(&file, script).unwrap();
        let path = format!("{}:{PATH}", self.folder.path().join("bin").display());
        let mut shell = Command::new("timeout");
        shell.args(["--kill-after=5", "300", "bash"]).arg(file).current_dir(self.folder.path());
        shell.env_clear().env("PATH", path).env("HOME", self.folder.path());
        shell.stdin(Stdio::null()).output().unwrap()
    }

    fn host(&self, environment: &str) -> Host {
        let root = self.folder.path().join(".local/state/windlass/greeter").join(environment);
        let place = Place::plain("greeter", environment, "127.0.0.1:0");
        Host::new(&root, place, Span::seconds(30))
    }

    /// Agents that answer, and ports at which something listens.
    fn what_remains(&self) -> Vec<String> {
        let answers = |name: &&str| self.runtime.block_on(self.host(name).state()).is_ok();
        let listens = |port: &u16| TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).is_ok();
        let agents = ENVIRONMENTS.into_iter().filter(answers).map(str::to_owned);
        agents.chain(self.ports.into_iter().filter(listens).map(|port| port.to_string())).collect()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        for name in ENVIRONMENTS {
            // Where it cannot be reached there is nothing to end: the page itself ends its agents.
            let _ = self.runtime.block_on(self.host(name).shutdown(true));
        }
    }
}
