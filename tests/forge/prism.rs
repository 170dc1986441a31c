//! Every call to GitHub against GitHub's own description of its API, served by prism: it answers 422 to a request that
//! does not fit, and with examples of GitHub's own to one that does. Also under the path of GitHub Enterprise Server.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use windlass_forge::{Forge, Mark, Matter, Opened, Opinions, Record, Standing};

use crate::{PATIENCE, block, forge_with, github_vars};

/// prism over one description.
struct Prism {
    child: Child,
    port: u16,
    log: PathBuf,
    _folder: tempfile::TempDir,
}

impl Drop for Prism {
    fn drop(&mut self) {
        // It serves in a process of its own, which would outlive it.
        let _ = rustix::process::kill_process_group(
            rustix::process::Pid::from_child(&self.child),
            rustix::process::Signal::KILL,
        );
        let _ = self.child.wait();
    }
}

/// Where prism's program and GitHub's descriptions are, as `.ci/run` sets them. Without them the test says so and passes;
/// with `WINDLASS_REQUIRE_TOOLS=1` that is a failure.
fn tools() -> Option<(PathBuf, PathBuf)> {
    let path = |name: &str| std::env::var_os(name).map(PathBuf::from);
    if let (Some(prism), Some(descriptions)) = (path("WINDLASS_TEST_PRISM"), path("WINDLASS_TEST_OPENAPI")) {
        return Some((prism, descriptions));
    }
    let is_required = std::env::var("WINDLASS_REQUIRE_TOOLS").is_ok_and(|value| value == "1");
    assert!(!is_required, "WINDLASS_TEST_PRISM and WINDLASS_TEST_OPENAPI are not set");
    eprintln!(
        "skipped: install @stoplight/prism-cli and @octokit/openapi from npm and name them in WINDLASS_TEST_PRISM (prism's \
         program) and WINDLASS_TEST_OPENAPI (the folder of descriptions), as .ci/run does"
    );
    None
}

/// Starts prism over a description that is cut to the calls that are made, each with this prefix.
fn prism(description: &str, prefix: &str) -> Option<Prism> {
    let (program, descriptions) = tools()?;
    let folder = tempfile::tempdir().unwrap();
    let cut = folder.path().join("cut.json");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/forge/cut.py");
    let made = Command::new("python3")
        .arg(script)
        .arg(descriptions.join(description))
        .arg(&cut)
        .arg(prefix)
        .status()
        .unwrap();
    assert!(made.success(), "{description} has not every call that is made");
    let end = Instant::now() + Duration::from_secs(180);
    loop {
        // Another process may take the port first: then prism ends, and another is tried.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let log = folder.path().join("log");
        let out = File::create(&log).unwrap();
        let mut child = Command::new(&program)
            .args(["mock", "--host", "127.0.0.1", "--port", &port.to_string()])
            .arg(&cut)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .spawn()
            .expect("prism is there: the variable names it");
        while child.try_wait().unwrap().is_none() {
            if answers(port) {
                return Some(Prism { child, port, log, _folder: folder });
            }
            assert!(Instant::now() < end, "prism does not start: {}", std::fs::read_to_string(&log).unwrap());
            std::thread::sleep(Duration::from_millis(100));
        }
        assert!(Instant::now() < end, "prism ends: {}", std::fs::read_to_string(&log).unwrap());
    }
}

fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let request = "GET /none HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).is_ok() && stream.read(&mut [0; 16]).is_ok_and(|read| read > 0)
}

/// Whether a record whose commit is a number is refused.
fn refuses(port: u16, prefix: &str) -> bool {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let head = "host: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: 10";
    let request = format!("POST {prefix}/repos/a/b/deployments HTTP/1.1\r\n{head}\r\n\r\n{{\"ref\": 3}}");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.starts_with("HTTP/1.1 422")
}

async fn opinions(forge: &dyn Forge, commit: &str) -> Opinions {
    let matter = Matter { commit: commit.to_owned(), environment: "staging".into() };
    let opinions = forge.opinions(&matter).await.unwrap();
    assert_eq!(opinions.missing, []);
    opinions
}

/// Makes every call that the client can make. What prism answers is an example of GitHub's, so that a type of ours that
/// does not fit GitHub's own is unreadable.
async fn every_call(forge: &dyn Forge) {
    let meeting = forge.meet().await.unwrap();
    assert_eq!((meeting.default_branch.is_empty(), &meeting.lacks), (false, &vec![]));
    forge.environment("production").await.unwrap().expect("an environment");
    forge.branch("main").await.unwrap();
    // The commits of GitHub's own examples of a run and of a pull request, so that both are gone into.
    let run = opinions(forge, "acb5820ced9479c074f688cc328bf03f341a511d").await;
    assert_eq!(run.given.len(), 1, "{run:?}");
    let pull = opinions(forge, "6dcb09b5b57875f334f61aebed695e2e4193db5e").await;
    assert!(pull.notes.iter().any(|note| note.contains("by octocat is of an earlier commit")), "{pull:?}");
    assert_eq!(forge.is_member("release", "octocat").await, Ok(true));
    let record = Record {
        environment: "production".into(),
        commit: "acb5820ced9479c074f688cc328bf03f341a511d".into(),
        task: "deploy",
        description: "deploy of r3".into(),
    };
    assert!(matches!(forge.open(&record).await.unwrap(), Opened::Ours(_)));
    for standing in [
        Standing::Running,
        Standing::Waiting,
        Standing::Live,
        Standing::Failed,
        Standing::Broken,
        Standing::Inactive,
    ] {
        let url = Some("https://shop.example".to_owned());
        let mark = Mark { standing, description: "r3".into(), environment: "production".into(), url };
        forge.mark("42", &mark).await.unwrap();
    }
}

fn holds(description: &str, prefix: &str) {
    let Some(prism) = prism(description, prefix) else { return };
    let api = format!("http://127.0.0.1:{}{prefix}", prism.port);
    block(async { every_call(&*forge_with(&github_vars(&api), PATIENCE)).await });
    let log = std::fs::read_to_string(&prism.log).unwrap();
    for call in ["/approvals", "/reviews", "/statuses", "/memberships/", "/rules/branches/", "/environments/"]
    {
        assert!(log.contains(call), "prism saw no {call}: {log}");
    }
    // Of an answer it says that too: not all of GitHub's examples fit GitHub's own description.
    assert!(!log.contains("Violation: request"), "{log}");
    assert!(refuses(prism.port, prefix), "prism takes what does not fit: then it proves nothing");
}

#[test]
fn every_call_fits_githubs_own_description() {
    holds("api.github.com.json", "");
}

#[test]
fn every_call_fits_the_description_of_an_enterprise_server_under_its_path() {
    holds("ghes-3.19.json", "/api/v3");
}
