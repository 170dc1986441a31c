//! `windlass init` from outside: what it finds, asks, writes, and tells of what it wrote before.
#![expect(clippy::unwrap_used, reason = "a test may stop where its set-up does")]

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn init(folder: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_windlass"));
    command.arg("init").args(words).current_dir(folder).env_clear().stdin(Stdio::null());
    command.output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[track_caller]
fn is(output: &Output, code: i32, says: &str) {
    let text = out(output);
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(text.contains(says), "{says:?} is not in: {text}");
}

/// The file as an older version would have written it: other text, and a mark that holds.
fn aged(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    let (mark, rest) = text.split_once('\n').unwrap();
    let rest = rest.replace(from, to);
    assert!(!rest.contains(from), "{from}");
    let hash = windlass_domain::digest::Digest::of(rest.as_bytes()).to_string();
    let mut words: Vec<&str> = mark.split(' ').collect();
    let at = words.iter().position(|word| word.starts_with("sha256:")).unwrap();
    words[at - 1] = "0.0.1";
    words[at] = &hash[.."sha256:".len() + 16];
    fs::write(path, format!("{}\n{rest}", words.join(" "))).unwrap();
}

#[test]
fn check_tells_what_was_edited_what_is_yours_and_what_an_upgrade_changes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    is(&init(path, &["--check"]), 2, "no file here was written by `windlass init`");
    is(&init(path, &["--yes", "--ci", "jenkins"]), 0, "wrote Jenkinsfile");
    is(&init(path, &["--check"]), 0, "Jenkinsfile");
    let build = path.join("windlass/build.sh");
    fs::write(&build, fs::read_to_string(&build).unwrap() + "echo mine\n").unwrap();
    is(&init(path, &["--check"]), 0, "yours: changed since");
    aged(&path.join("Jenkinsfile"), "numToKeepStr: '50'", "numToKeepStr: '5'");
    let check = init(path, &["--check"]);
    is(&check, 1, "as 0.0.1 wrote it; an upgrade changes:");
    let lines = ["- ", "+ "].map(|sign| {
        out(&check).lines().any(|line| line.trim_start().starts_with(sign) && line.contains("numToKeepStr"))
    });
    assert_eq!(lines, [true, true], "{}", out(&check));
    is(&init(path, &["--upgrade", "--plan"]), 0, "would be written anew");
    is(&init(path, &["--check"]), 1, "0.0.1");
    is(&init(path, &["--upgrade"]), 0, "written anew");
    is(&init(path, &["--check"]), 0, "as ");
    assert!(fs::read_to_string(&build).unwrap().ends_with("echo mine\n"), "what is yours stays");
    aged(&path.join("Jenkinsfile"), "numToKeepStr: '50'", "numToKeepStr: '5'");
    let edited = fs::read_to_string(path.join("Jenkinsfile")).unwrap() + "// theirs\n";
    fs::write(path.join("Jenkinsfile"), &edited).unwrap();
    is(&init(path, &["--check"]), 1, "edited since 0.0.1 wrote it");
    is(&init(path, &["--upgrade"]), 0, "kept: it was edited");
    assert_eq!(fs::read_to_string(path.join("Jenkinsfile")).unwrap(), edited);
    fs::write(path.join("windlass.yml"), b"\xff").unwrap();
    is(&init(path, &["--check"]), 3, "cannot read windlass.yml");
}

#[test]
fn another_pipeline_stays_and_ours_goes_beside_it_where_the_system_can() {
    for (system, theirs, ours) in [
        ("gitlab", ".gitlab-ci.yml", ".gitlab/windlass.gitlab-ci.yml"),
        ("jenkins", "Jenkinsfile", "windlass.Jenkinsfile"),
        ("circleci", ".circleci/config.yml", ".circleci/windlass.yml"),
        ("azure", "azure-pipelines.yml", "azure-pipelines-windlass.yml"),
        ("buildkite", ".buildkite/pipeline.yml", ".buildkite/windlass.yml"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        fs::create_dir_all(path.join(theirs).parent().unwrap()).unwrap();
        fs::write(path.join(theirs), "theirs\n").unwrap();
        let output = init(path, &["--yes"]);
        is(&output, 0, &format!("wrote {ours}"));
        let named = Path::new(ours).file_name().unwrap().to_str().unwrap();
        let remains = out(&output).split("what remains:").nth(1).unwrap().to_owned();
        assert!(remains.contains(named), "{system} does not say how it is included: {remains}");
        assert_eq!(fs::read_to_string(path.join(theirs)).unwrap(), "theirs\n");
        is(&init(path, &["--check"]), 0, ours);
    }
}

#[test]
fn a_policy_that_is_there_stays_and_what_the_pipeline_misses_in_it_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let policy = "version: 1\napp: store\nrelease: dist/\nenvironments:\n  production:\n    gates: none\n    evidence: unsigned\n    target:\n      \
                  kind: host\n      listen: 127.0.0.1:8080\n      run: [bin/store]\n";
    fs::write(path.join("windlass.yml"), policy).unwrap();
    let output = init(path, &["--yes", "--ci", "buildkite"]);
    is(&output, 0, "windlass.yml has no dev and no staging");
    assert_eq!(fs::read_to_string(path.join("windlass.yml")).unwrap(), policy);
    let pipeline = fs::read_to_string(path.join(".buildkite/pipeline.yml")).unwrap();
    assert!(pipeline.contains("deploy/store/production"), "the policy's name is the pipeline's");
    fs::write(path.join("windlass.yml"), "version: 1\nap: store\n").unwrap();
    is(&init(path, &["--yes", "--ci", "buildkite"]), 2, "windlass.yml is there and has mistakes");
}

/// Answers on a terminal of its own; util-linux's `script` makes one.
fn answered(folder: &Path, lines: &str) -> Output {
    let command = format!("{} init", env!("CARGO_BIN_EXE_windlass"));
    let mut child = Command::new("script")
        .args(["--quiet", "--return", "--echo", "never", "--command", &command, "/dev/null"])
        .current_dir(folder)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn on_a_terminal_four_questions_are_asked_and_their_answers_are_what_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("go.mod"), "module example.org/shop\n").unwrap();
    let output = answered(path, "store\n\nup\n/up\nwoodpecker\n");
    let text = out(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    for question in [
        "name of the application [shop]: ",
        "command that starts it, in the built folder [[bin/shop]]: ",
        "path that answers 200 when it is healthy [/healthz]: ",
        "CI system: github, gitlab, jenkins, circleci, azure, buildkite, woodpecker, or none [none]: ",
    ] {
        assert!(text.contains(question), "{question:?} was not asked: {text}");
    }
    assert!(text.contains("up is not it: a path such as /healthz"), "{text}");
    let policy = fs::read_to_string(path.join("windlass.yml")).unwrap();
    assert!(policy.contains("app: store") && policy.contains("http: /up") && policy.contains("[bin/shop]"));
    assert!(path.join(".woodpecker/windlass.yaml").is_file());
}

#[test]
fn without_a_terminal_nothing_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let output = init(folder.path(), &[]);
    is(&output, 0, "wrote windlass.yml");
    assert_eq!(output.stderr, b"", "{}", out(&output));
    is(&init(folder.path(), &["--ci", "travis"]), 2, "woodpecker");
}
