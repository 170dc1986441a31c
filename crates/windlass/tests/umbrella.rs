//! The umbrella, spawned: its wiring, exit codes and streams.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

/// Runs `windlass` in `folder` with nothing of the test's own environment.
fn windlass(folder: &Path, arguments: &[&str], vars: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_windlass"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs(vars.iter().copied())
        .output()
        .expect("the binary runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A repository with an artifact and a policy whose production wants an approval by `ana`.
fn repository() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder can be written");
    fs::create_dir(folder.path().join(".git")).expect("a folder can be written");
    fs::write(folder.path().join("app"), "an artifact").expect("a folder can be written");
    let policy = "version: 1\napp: shop\nrelease:\n  artifact: app\nkeys:\n  ana:\n    public: windlass.pub\n    \
                  signs: [approval]\n  pipeline:\n    public: windlass.pub\n    signs: [gate]\nenvironments:\n  \
                  production:\n    approval: { from: [\"key:ana\"], not_author: false }\n    target:\n      \
                  kind: host\n      listen: 127.0.0.1:8080\n      run: [./app]\n";
    fs::write(
        folder.path().join("windlass.yml"),
        policy.replace("  pipeline:\n    public: windlass.pub\n    signs: [gate]\n", ""),
    )
    .expect("a folder can be written");
    folder
}

#[test]
fn version_help_and_wrong_words_have_their_codes_and_streams() {
    let folder = tempfile::tempdir().unwrap();
    let version = windlass(folder.path(), &["--version"], &[]);
    assert_eq!(
        (version.status.code(), stdout(&version)),
        (Some(0), format!("windlass {}\n", env!("CARGO_PKG_VERSION")))
    );
    let help = windlass(folder.path(), &["help"], &[]);
    assert_eq!(help.status.code(), Some(0));
    assert!(stdout(&help).contains("gate-check") && stderr(&help).is_empty());
    let nothing = windlass(folder.path(), &[], &[]);
    assert_eq!((nothing.status.code(), stdout(&nothing).as_str()), (Some(2), ""));
    let wrong = windlass(folder.path(), &["chek"], &[]);
    assert_eq!(wrong.status.code(), Some(2));
    insta::assert_snapshot!(stderr(&wrong), @r#"
    windlass: invalid: no command "chek"
      hint: did you mean `windlass check`?
      more: windlass explain usage
    "#);
}

#[test]
fn every_command_answers_help_without_touching_anything() {
    let folder = tempfile::tempdir().unwrap();
    let help = stdout(&windlass(folder.path(), &["help"], &[]));
    let names: Vec<&str> =
        help.lines().filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next()).collect();
    assert!(names.len() >= 12, "{names:?}");
    for name in names {
        let output = windlass(folder.path(), &["help", name], &[]);
        assert_eq!(output.status.code(), Some(0), "{name}: {}", stderr(&output));
        assert!(stdout(&output).contains("Usage:"), "{name}: {}", stdout(&output));
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn wrong_flag_is_invalid_and_with_json_still_one_document() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, vars) in [
        (&["check", "--format", "json", "--nonsense"][..], &[][..]),
        (&["check", "--nonsense"][..], &[("WINDLASS_FORMAT", "json")][..]),
        (&["check", "--format=json"][..], &[("WINDLASS_OFFLINE", "yes")][..]),
    ] {
        let output = windlass(folder.path(), arguments, vars);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((document["outcome"].as_str(), document["code"].as_u64()), (Some("invalid"), Some(2)));
        assert!(stderr(&output).starts_with("error: "), "{}", stderr(&output));
    }
    let human = windlass(folder.path(), &["check", "--nonsense"], &[]);
    assert_eq!((human.status.code(), stdout(&human).as_str()), (Some(2), ""));
}

#[test]
fn check_shows_all_mistakes_and_the_code_does_not_depend_on_the_format() {
    let folder = repository();
    let path = folder.path();
    fs::write(path.join("windlass.yml"), "version: 1\nap: shop\nenvironments:\n  dev:\n    gate: none\n")
        .unwrap();
    for format in ["human", "json"] {
        let output = windlass(path, &["check", "--format", format], &[]);
        assert_eq!(output.status.code(), Some(2), "{format}");
        let shown = stderr(&output);
        assert!(
            shown.contains("ap") && shown.contains("gate") && shown.contains("windlass.yml:2:1"),
            "{shown}"
        );
        if format == "json" {
            let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            assert!(document["reasons"].as_array().unwrap().len() >= 3, "{document:#}");
            let kept = fs::read(path.join(".windlass/check.json")).unwrap();
            assert_eq!(serde_json::from_slice::<serde_json::Value>(&kept).unwrap()["code"], 2);
        }
    }
}

#[test]
fn check_warns_of_what_is_legal_and_will_not_work() {
    let folder = repository();
    let path = folder.path();
    windlass(path, &["keygen"], &[]);
    let policy = fs::read_to_string(path.join("windlass.yml")).unwrap();
    let target =
        "    target: { kind: kubernetes, namespace: shop, manifests: k8s/ }\n    strategy: rolling\n";
    let cut = policy.find("    target:").unwrap();
    fs::write(path.join("windlass.yml"), format!("{}    evidence: unsigned\n{target}", &policy[..cut]))
        .unwrap();
    fs::remove_file(path.join("app")).unwrap();
    let output = windlass(path, &["check"], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    for expected in ["no driver", "unsigned", "no artifact at"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[test]
fn key_that_cannot_be_read_is_a_mistake_of_the_policy() {
    let folder = repository();
    let output = windlass(folder.path(), &["check"], &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("key \"ana\": cannot read"), "{}", stderr(&output));
}

#[test]
fn keygen_makes_a_private_key_for_its_owner_alone_and_never_overwrites() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let output = windlass(path, &["keygen", "--out", "keys"], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let mode = fs::metadata(path.join("keys/windlass.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let private = fs::read_to_string(path.join("keys/windlass.key")).unwrap();
    let body = private.lines().nth(1).unwrap();
    for out in [&[][..], &["--out", "./also/."]] {
        let plain = stdout(&windlass(path, &[&["keygen"], out].concat(), &[]));
        assert!(!plain.contains("./") && plain.contains("windlass.pub\n"), "{plain}");
    }
    assert!(
        !stdout(&output).contains(body) && stdout(&output).contains("public: keys/windlass.pub"),
        "{}",
        stdout(&output)
    );
    for file in ["windlass.key", "windlass.pub"] {
        let folder = path.join("one").join(file);
        fs::create_dir_all(&folder).unwrap();
        let again = windlass(path, &["keygen", "--out", "one"], &[]);
        assert_eq!(again.status.code(), Some(2));
        assert!(stderr(&again).contains(file), "{}", stderr(&again));
        fs::remove_dir(folder).unwrap();
    }
    assert_eq!(fs::read_to_string(path.join("keys/windlass.key")).unwrap(), private);
}

#[test]
fn approval_is_signed_about_plan_artifact_environment_and_policy() {
    let folder = repository();
    let path = folder.path();
    windlass(path, &["keygen"], &[]);
    let plan = format!("sha256:{}", "ab".repeat(32));
    let unsigned = windlass(path, &["approve", "-e", "production", "--plan", &plan], &[]);
    assert_eq!(unsigned.status.code(), Some(2), "{}", stdout(&unsigned));
    let arguments =
        ["approve", "-e", "production", "--plan", &plan, "--signing-key", "windlass.key", "--reason", "ok"];
    let output = windlass(path, &arguments, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let store = windlass_evidence::store::Store::read(&path.join(".windlass/evidence.intoto.jsonl")).unwrap();
    let (_, statement) = store.lines[0].content.as_ref().unwrap();
    assert!(statement.names(windlass_domain::digest::Digest::of(b"an artifact")));
    let policy = windlass_domain::digest::Digest::of(&fs::read(path.join("windlass.yml")).unwrap());
    assert_eq!(statement.predicate["plan"], plan);
    assert_eq!(statement.predicate["environment"], "production");
    assert_eq!(statement.predicate["policy"], policy.to_string());
    assert_eq!(statement.predicate["reason"], "ok");
}

#[test]
fn approval_by_a_key_that_would_not_count_is_refused() {
    let folder = repository();
    let path = folder.path();
    windlass(path, &["keygen"], &[]);
    windlass(path, &["keygen", "--out", "other"], &[]);
    let plan = "ab".repeat(32);
    let arguments = ["approve", "--plan", &plan, "--signing-key", "other/windlass.key"];
    let output = windlass(path, &arguments, &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("does not list this key"), "{}", stderr(&output));
    let bad = windlass(path, &["approve", "--plan", "true", "--signing-key", "windlass.key"], &[]);
    assert_eq!(bad.status.code(), Some(2));
    assert!(!path.join(".windlass/evidence.intoto.jsonl").exists());
}

#[test]
fn verdict_that_cannot_be_written_is_no_pass() {
    let folder = repository();
    let path = folder.path();
    windlass(path, &["keygen"], &[]);
    fs::write(path.join("file"), "").unwrap();
    let arguments = ["check", "--format", "json", "--report-dir", "file/inner"];
    let output = windlass(path, &arguments, &[]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((document["outcome"].as_str(), document["code"].as_u64()), (Some("unknown"), Some(3)));
    let full = Command::new("sh")
        .args(["-c", "exec \"$0\" check > /dev/full", env!("CARGO_BIN_EXE_windlass")])
        .current_dir(path)
        .env_clear()
        .output()
        .unwrap();
    assert_eq!(full.status.code(), Some(3), "{}", stderr(&full));
}

#[test]
fn reader_that_went_away_is_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new("sh")
        .args(["-c", "{ \"$0\" completions bash; echo $? >&2; } | true", env!("CARGO_BIN_EXE_windlass")])
        .current_dir(folder.path())
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .output()
        .unwrap();
    assert_eq!(stderr(&output), "0\n");
}

#[test]
fn github_gets_outputs_and_summary_and_gitlab_a_dotenv() {
    let folder = repository();
    let path = folder.path();
    windlass(path, &["keygen"], &[]);
    let vars = [("GITHUB_ACTIONS", "true"), ("GITHUB_OUTPUT", "out"), ("GITHUB_STEP_SUMMARY", "summary")];
    assert_eq!(windlass(path, &["check"], &vars).status.code(), Some(0));
    assert!(fs::read_to_string(path.join("out")).unwrap().starts_with("outcome<<windlass_"));
    assert!(fs::read_to_string(path.join("summary")).unwrap().starts_with("## passed"));
    let gitlab = windlass(path, &["check"], &[("GITLAB_CI", "true")]);
    assert_eq!(gitlab.status.code(), Some(0), "{}", stderr(&gitlab));
    let dotenv = fs::read_to_string(path.join(".windlass/check.env")).unwrap();
    assert!(dotenv.starts_with("CHECK_OUTCOME=passed\n"), "{dotenv}");
}

#[test]
fn explain_lists_explains_and_names_the_nearest() {
    let folder = tempfile::tempdir().unwrap();
    assert!(stdout(&windlass(folder.path(), &["explain"], &[])).contains("policy.needs"));
    insta::assert_snapshot!(stdout(&windlass(folder.path(), &["explain", "4"], &[])), @r"
    4
      held: it waits for someone: an approval is missing, the verdict is inconclusive, or the environment is on hold.
    next
      Approve with `windlass approve`, or look and then lift the hold with `windlass unhold`; then run again.
    ");
    assert_eq!(windlass(folder.path(), &["explain", "helt"], &[]).status.code(), Some(2));
}

#[test]
fn init_writes_what_check_accepts_and_overwrites_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::create_dir_all(path.join(".git")).unwrap();
    fs::write(path.join(".git/config"), "[remote \"origin\"]\n\turl = https://github.com/a/b\n").unwrap();
    fs::write(path.join("Cargo.toml"), "[package]\nname = \"shop\"\n").unwrap();
    let plan = windlass(path, &["init", "--plan"], &[]);
    assert!(stdout(&plan).contains("would write windlass.yml") && !path.join("windlass.yml").exists());
    let output = windlass(path, &["init", "--yes"], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(path.join(".github/workflows/windlass.yml").exists());
    assert!(stdout(&output).contains("what remains:"), "{}", stdout(&output));
    let check = windlass(path, &["check"], &[]);
    assert_eq!(check.status.code(), Some(0), "{}", stderr(&check));
    let again = windlass(path, &["init", "--yes"], &[]);
    assert_eq!(again.status.code(), Some(0), "{}", stderr(&again));
    assert!(!stdout(&again).contains("wrote "), "{}", stdout(&again));
    let pipeline = path.join(".github/workflows/windlass.yml");
    for (file, added) in [(path.join("windlass.yml"), "# mine\n"), (pipeline.clone(), "# theirs\n")] {
        let text = fs::read_to_string(&file).unwrap() + added;
        fs::write(&file, text).unwrap();
    }
    let refused = windlass(path, &["init", "--yes"], &[]);
    assert_eq!(refused.status.code(), Some(2), "{}", stdout(&refused));
    assert!(stderr(&refused).contains(".github/workflows/windlass.yml exists"), "{}", stderr(&refused));
    let plan = stdout(&windlass(path, &["init", "--plan"], &[]));
    assert!(plan.contains("with --force,") && plan.contains("  - # theirs"), "{plan}");
    assert!(plan.contains("kept windlass.yml") && !plan.contains("# mine"), "{plan}");
    assert!(fs::read_to_string(&pipeline).unwrap().ends_with("# theirs\n"), "nothing was written");
    assert_eq!(windlass(path, &["init", "--yes", "--force"], &[]).status.code(), Some(0));
    assert!(!fs::read_to_string(&pipeline).unwrap().contains("# theirs"));
    assert!(!fs::read_to_string(path.join("windlass.yml")).unwrap().contains("# mine"));
}

#[test]
fn the_agent_as_a_command_of_the_umbrella_starts_itself_for_its_instances() {
    let folder = tempfile::tempdir().expect("a folder can be written");
    let group = folder.path().join("cgroup.procs");
    fs::write(&group, "").expect("a folder can be written");
    let group = group.display().to_string();
    let output = windlass(
        folder.path(),
        &["windlassd", "--enter-group", &group, "/bin/echo", "started as", "asked"],
        &[],
    );
    assert_eq!(
        (output.status.code(), stdout(&output).trim()),
        (Some(0), "started as asked"),
        "{}",
        stderr(&output)
    );
    assert_eq!(fs::read_to_string(&group).expect("it is there"), "0", "it entered first");
}
