//! Secrets in a tree: found, allowed, and never shown; hostile names; what could not be read.

use std::fs;

use crate::bench::{Bench, holds, token};

#[test]
fn a_secret_is_found_and_never_shown_anywhere() {
    let bench = Bench::new();
    let secret = token();
    let password = format!("q7Zk{}LpT5", "93mXw0");
    bench
        .write("src/app.rs", format!("// one\nlet token = \"{secret}\";\n"))
        .write("wide.ps1", utf16(&format!("$t = '{secret}'\r\n")))
        .write("config.yml", format!("password: \"{password}\" # windlass:allow\n"))
        .write("allowed.yml", format!("password: \"{password}\" # windlass:allow {password} is made up\n"))
        // A lock file that no parser reads: its message must not quote it.
        .write("Cargo.lock", format!("password = \"{secret}\n"));
    for format in ["human", "json"] {
        let run = bench.run(&["--format", format, "--ci", "github", "--artifact", &digest(), "-vv"]);
        assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
        let everything = bench.everything(&run);
        for part in [&secret, &secret[4..], &secret[4..20], &password] {
            assert!(!holds(&everything, part), "{part} is shown");
        }
        assert!(holds(&everything, "src/app.rs"));
    }
}

#[test]
fn findings_have_place_and_state() {
    let bench = Bench::new();
    let secret = token();
    bench
        .write("a.txt", format!("\n\n{secret}\n"))
        .write("b.txt", format!("{secret} # windlass:allow revoked last year\n"))
        .write("c.txt", format!("{secret} # windlass:allow\n"));
    let json = bench.run(&["--format", "json"]).json();
    let findings: Vec<String> = json["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| {
            format!(
                "{}:{} {} {}",
                finding["path"].as_str().unwrap(),
                finding["line"],
                finding["state"],
                finding["rule"]
            )
        })
        .collect();
    insta::assert_snapshot!(findings.join("\n"), @r#"
    a.txt:3 "new" "secret.github-token"
    c.txt:1 "new" "secret.github-token"
    b.txt:1 "waived" "secret.github-token"
    "#);
    let fingerprints: std::collections::BTreeSet<_> = json["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["fingerprint"].as_str().unwrap())
        .collect();
    assert_eq!(fingerprints.len(), 3, "one secret in three files has three fingerprints");
}

#[test]
fn a_fingerprint_outlives_lines_above_it() {
    let bench = Bench::new();
    let print = |text: String| {
        bench.write("a.txt", text).run(&["--format", "json"]).json()["findings"][0]["fingerprint"].clone()
    };
    assert_eq!(print(format!("{}\n", token())), print(format!("new\nlines\n{}\n", token())));
}

#[test]
fn an_allowed_secret_passes() {
    let bench = Bench::new();
    bench.write("b.txt", format!("{} # windlass:allow revoked last year\n", token()));
    assert_eq!(bench.run(&[]).code, 0);
}

#[test]
fn a_clean_tree_passes_and_counts() {
    let bench = Bench::new();
    bench.write("a.txt", "four").write("b.bin", b"a\0b").write(".hidden", "x");
    let run = bench.run(&["--format", "json"]);
    assert_eq!(run.code, 0, "{}", run.stdout);
    let scanned = &run.json()["scanned"];
    assert_eq!(
        (&scanned["files"], &scanned["bytes"], &scanned["binaries"]),
        (&2.into(), &5.into(), &1.into())
    );
}

#[test]
fn an_empty_tree_is_unknown() {
    let bench = Bench::new();
    let run = bench.run(&["--format", "json"]);
    assert_eq!(run.code, 3);
    assert_eq!(run.json()["reasons"][0]["what"], "scan.nothing");
    bench.write("only.bin", b"\0");
    assert_eq!(bench.run(&[]).code, 3);
}

#[test]
fn a_secret_behind_twelve_megabytes_is_found_on_its_line() {
    let bench = Bench::new();
    let mut text = "0123456789abcdef-\n".repeat(700_000);
    text.push_str(&token());
    bench.write("large.txt", text);
    let json = bench.run(&["--format", "json"]).json();
    assert_eq!(json["findings"][0]["line"], 700_001);
}

#[cfg(unix)]
#[test]
fn hostile_names_are_escaped_everywhere() {
    let bench = Bench::new();
    let names =
        ["::error::pwned.txt", "a\n::add-mask::x.txt", "\u{1b}[2J.txt", "<img src=x>|.txt", "##[command]x"];
    for name in names {
        bench.write(name, format!("{}\n", token()));
    }
    for host in ["none", "github", "gitlab"] {
        let run = bench.run(&["--ci", host]);
        assert_eq!(run.code, 1);
        for line in run.stdout.lines() {
            assert!(!line.trim_start().starts_with("::") && !line.contains('\u{1b}'), "{line:?}");
        }
        for line in run.stderr.lines().filter(|line| line.trim_start().starts_with("::")) {
            let command = line.trim_start();
            let ours = ["::error ", "::warning ", "::notice ", "::group::", "::endgroup::"];
            assert!(ours.iter().any(|word| command.starts_with(word)), "{line:?}");
            // A command is `::name properties::message`: a name that broke out would make more of them.
            assert_eq!(line.matches("::").count(), 2, "{line:?}");
        }
        let markdown = fs::read_to_string(bench.at("reports/security-scan.md")).unwrap();
        assert!(
            !markdown.contains("<img") && !markdown.lines().any(|line| line.starts_with("::")),
            "{markdown}"
        );
    }
    for result in bench.sarif()["runs"][0]["results"].as_array().unwrap() {
        let uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str().unwrap();
        assert!(uri.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~/%".contains(&byte)), "{uri}");
    }
}

#[cfg(unix)]
#[test]
fn links_pipes_and_names_that_are_not_utf8_stop_nothing() {
    use std::os::unix::ffi::OsStrExt as _;
    let bench = Bench::new();
    bench.write("a.txt", "fine");
    let tree = bench.tree();
    std::os::unix::fs::symlink("..", tree.join("loop")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", tree.join("outside")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(tree.join("pipe")).status().unwrap().success());
    fs::write(tree.join(std::ffi::OsStr::from_bytes(b"\xff\xfe.txt")), format!("{}\n", token())).unwrap();
    let run = bench.run(&["--format", "json"]);
    assert_eq!(run.code, 1);
    let json = run.json();
    assert_eq!(json["scanned"]["files"], 2);
    assert_eq!(
        bench.sarif()["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
        "%FF%FE.txt"
    );
}

#[test]
fn what_gitignore_excludes_is_not_in_the_repository() {
    let bench = Bench::new();
    fs::create_dir(bench.tree().join(".git")).unwrap();
    bench.write(".gitignore", ".env\n").write(".env", format!("{}\n", token())).write("a.txt", "fine");
    assert_eq!(bench.run(&[]).code, 0);
    bench.write(".gitignore", "");
    assert_eq!(bench.run(&[]).code, 1);
}

fn utf16(text: &str) -> Vec<u8> {
    [0xFF, 0xFE].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect()
}

fn digest() -> String {
    format!("sha256:{}", "ab".repeat(32))
}
