//! Lock files against a database: found, clean, and every way in which it could not be scanned.

use crate::bench::{Bench, PATCHED, lock};

/// The outcome's code, the reasons' names, and the findings as `id severity place`.
fn check(bench: &Bench, arguments: &[&str]) -> (i32, Vec<String>, Vec<String>) {
    let mut all = vec!["--format", "json"];
    all.extend(arguments);
    let run = bench.scan(&all);
    let json = run.json();
    assert_eq!(json["code"], run.code);
    let texts = |value: &serde_json::Value, text: fn(&serde_json::Value) -> String| {
        value.as_array().unwrap().iter().map(text).collect()
    };
    let reasons = texts(&json["reasons"], |reason| reason["what"].as_str().unwrap().to_owned());
    let findings = texts(&json["findings"], |finding| {
        let text = |name: &str| finding[name].as_str().unwrap_or("-").to_owned();
        format!(
            "{} {} {} {}:{}",
            text("advisory"),
            text("rule"),
            text("severity"),
            text("path"),
            finding["line"]
        )
    });
    (run.code, reasons, findings)
}

#[test]
fn a_clean_lock_passes_and_says_how_old_the_database_is() {
    let bench = Bench::new();
    bench.fresh().lock(&[("foo", "1.2.0")]);
    let run = bench.scan(&["--format", "json"]);
    let json = run.json();
    assert_eq!((run.code, json["outcome"].as_str()), (0, Some("passed")));
    assert_eq!(json["scanned"]["packages"], 1);
    assert_eq!(json["scanned"]["databases"][0]["name"], "rustsec");
    let days = json["scanned"]["databases"][0]["age_ms"].as_u64().unwrap() / 86_400_000;
    assert!((2..=3).contains(&days), "{days}");
}

#[test]
fn findings_have_place_severity_and_fix() {
    let bench = Bench::new();
    bench
        .advisory(
            "RUSTSEC-2026-0002",
            "foo",
            9,
            &format!("cvss = \"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H\"\n{PATCHED}"),
        )
        .advisory("RUSTSEC-2026-0003", "bar", 9, PATCHED)
        .advisory("RUSTSEC-2026-0004", "bar", 9, "informational = \"unsound\"\n[versions]\npatched = []")
        .advisory("RUSTSEC-2026-0005", "bar", 9, "informational = \"unmaintained\"\n[versions]\npatched = []")
        .advisory("RUSTSEC-2026-0006", "bar", 9, &format!("withdrawn = \"2026-01-01\"\n{PATCHED}"))
        .advisory("RUSTSEC-2026-0007", "bar", 9, "informational = \"notice\"\n[versions]\npatched = []")
        .lock(&[("bar", "0.9.0"), ("baz", "1.0.0"), ("foo", "1.1.9")]);
    let (code, reasons, findings) = check(&bench, &[]);
    assert_eq!((code, reasons), (1, vec!["dependencies".to_owned()]));
    insta::assert_snapshot!(findings.join("\n"), @"
    RUSTSEC-2026-0002 dependency.vulnerable critical Cargo.lock:23
    RUSTSEC-2026-0003 dependency.vulnerable high Cargo.lock:13
    RUSTSEC-2026-0004 dependency.unsound medium Cargo.lock:13
    RUSTSEC-2026-0005 dependency.unmaintained low Cargo.lock:13
    RUSTSEC-2026-0007 dependency.notice low Cargo.lock:13
    ");
}

#[test]
fn the_level_decides() {
    let bench = Bench::new();
    bench
        .advisory("RUSTSEC-2026-0004", "bar", 9, "informational = \"unsound\"\n[versions]\npatched = []")
        .lock(&[("bar", "0.9.0")]);
    assert_eq!(check(&bench, &[]).0, 0);
    assert_eq!(check(&bench, &["--fail-on", "medium"]).0, 1);
    assert_eq!(check(&bench, &["--fail-on", "critical"]).0, 0);
}

#[test]
fn a_package_from_git_is_looked_up_too() {
    let bench = Bench::new();
    let git = lock(&[("foo", "1.0.0")]).replace(
        "registry+https://github.com/rust-lang/crates.io-index",
        "git+https://example.org/foo?rev=1#0123456789012345678901234567890123456789",
    );
    bench.advisory("RUSTSEC-2026-0002", "foo", 9, PATCHED).write("Cargo.lock", git);
    assert_eq!(check(&bench, &[]).2, ["RUSTSEC-2026-0002 dependency.vulnerable high Cargo.lock:11"]);
}

#[test]
fn a_missing_database_is_unknown_and_says_what_to_do() {
    let bench = Bench::new();
    bench.lock(&[("foo", "1.2.0")]);
    for arguments in
        [&["--only", "dependencies"][..], &["--only", "dependencies", "--database", "nowhere"], &[]]
    {
        let run = bench.run(arguments);
        assert_eq!(run.code, 3, "{}", run.stdout);
        assert!(
            run.stdout.contains("no advisory database") && run.stdout.contains("git clone"),
            "{}",
            run.stdout
        );
    }
}

#[test]
fn the_database_is_found_by_variable_and_in_the_cache() {
    let bench = Bench::new();
    bench.fresh().lock(&[("foo", "1.2.0")]);
    let database = bench.at("db");
    let run = bench.run_with(&[("WINDLASS_DATABASE", database.to_str().unwrap())], &[]);
    assert_eq!(run.code, 0, "{}", run.stdout);
    std::fs::create_dir_all(bench.at("home/.cache/windlass")).unwrap();
    std::fs::rename(&database, bench.at("home/.cache/windlass/advisory-db")).unwrap();
    assert_eq!(bench.run(&[]).code, 0);
}

#[test]
fn a_database_that_is_not_whole_is_unknown() {
    let good = "[advisory]\nid = \"RUSTSEC-2026-0002\"\npackage = \"foo\"\ndate = \"2026-01-01\"\n[versions]\npatched = []\n";
    let table = [
        ("crates/foo/RUSTSEC-2026-0002.md", "not an advisory".to_owned()),
        ("crates/foo/RUSTSEC-2026-0002.md", format!("```toml\n{good}```\n")),
        ("crates/foo/RUSTSEC-2026-0002.md", format!("```toml\n{}\n```\n\n# Title\n", &good[..60])),
        ("crates/foo/RUSTSEC-2026-0002.md", String::new()),
        ("crates/foo/RUSTSEC-2026-0009.md", format!("```toml\n{good}```\n\n# Title\n")),
        ("crates/foo/RUSTSEC-2026-0002.toml", good.to_owned()),
    ];
    for (name, text) in table {
        let bench = Bench::new();
        bench.fresh().raw_advisory(name, &text).lock(&[("foo", "1.2.0")]);
        assert_eq!(check(&bench, &[]).1, ["scan.database-unreadable"], "{name}: {text}");
    }
    let empty = Bench::new();
    empty.lock(&[("foo", "1.2.0")]);
    std::fs::create_dir_all(empty.at("db")).unwrap();
    assert_eq!(check(&empty, &[]).1, ["scan.database-unreadable"]);
    std::fs::create_dir_all(empty.at("db/crates")).unwrap();
    assert_eq!(check(&empty, &[]).1, ["scan.database-unreadable"]);
}

#[test]
fn a_stale_database_is_unknown_and_its_findings_still_fail() {
    let bench = Bench::new();
    bench.advisory("RUSTSEC-2026-0002", "foo", 40, PATCHED).lock(&[("foo", "1.2.0")]);
    assert_eq!(check(&bench, &[]), (3, vec!["scan.database-stale".to_owned()], vec![]));
    assert_eq!(check(&bench, &["--max-age", "60d"]).0, 0);
    bench.lock(&[("foo", "1.0.0")]);
    assert_eq!(check(&bench, &[]).0, 1);
}

#[test]
fn a_date_in_the_future_keeps_no_database_fresh() {
    let bench = Bench::new();
    bench.advisory("RUSTSEC-2026-0002", "foo", 40, PATCHED).lock(&[("foo", "1.2.0")]);
    let text = "```toml\n[advisory]\nid = \"RUSTSEC-2026-0003\"\npackage = \"bar\"\ndate = \"2099-01-01\"\n[versions]\npatched = []\n```\n\n# Title\n";
    bench.raw_advisory("crates/bar/RUSTSEC-2026-0003.md", text);
    assert_eq!(check(&bench, &[]).1, ["scan.database-stale"]);
}

#[test]
fn a_lock_that_is_not_whole_is_unknown() {
    let whole = lock(&[("bar", "1.0.0"), ("foo", "1.2.0")]);
    let cut = whole.rfind("\n[[package]]").unwrap();
    // Cut between two packages, where the dependency has its version beside its name: every line of it parses.
    let versioned = whole[..cut].replace(" \"foo\",", " \"foo 1.2.0\",");
    let conflict = format!("<<<<<<< ours\n{whole}=======\n{whole}>>>>>>> theirs\n");
    let table = [
        "",
        "version = 4\n",
        "not = [toml",
        "\u{0}\u{1}",
        &whole[..cut],
        &whole[..cut + 20],
        &versioned,
        &conflict,
    ];
    for text in table {
        let bench = Bench::new();
        bench.fresh().write("Cargo.lock", text);
        let (code, reasons, _) = check(&bench, &["--only", "dependencies"]);
        assert_eq!((code, reasons), (3, vec!["scan.lock-unreadable".to_owned()]), "{text}");
    }
    let bench = Bench::new();
    bench.fresh().write("Cargo.lock/x", "a folder called so");
    assert_eq!(check(&bench, &["--only", "dependencies"]).1, ["scan.lock-unreadable"]);
}

#[cfg(unix)]
#[test]
fn a_lock_that_is_a_link_is_read_and_a_loop_is_unknown() {
    let bench = Bench::new();
    bench.advisory("RUSTSEC-2026-0002", "foo", 9, PATCHED).write("real/locked", lock(&[("foo", "1.0.0")]));
    std::os::unix::fs::symlink("real/locked", bench.tree().join("Cargo.lock")).unwrap();
    assert_eq!(check(&bench, &[]).0, 1);
    std::fs::remove_file(bench.tree().join("Cargo.lock")).unwrap();
    std::os::unix::fs::symlink("Cargo.lock", bench.tree().join("Cargo.lock")).unwrap();
    assert_eq!(check(&bench, &[]).1, ["scan.lock-unreadable"]);
}

#[test]
fn no_lock_is_unknown_where_one_is_due() {
    let bench = Bench::new();
    bench.fresh().write("README", "nothing to see");
    assert_eq!(check(&bench, &[]).0, 0);
    assert_eq!(check(&bench, &["--only", "dependencies"]).1, ["scan.lock-missing"]);
    bench.write("sub/Cargo.toml", "[package]").write("sub/inner/Cargo.toml", "[package]");
    assert_eq!(check(&bench, &[]).1, ["scan.lock-missing"]);
    bench.lock(&[]);
    assert_eq!(check(&bench, &[]).0, 0);
}

#[test]
fn lock_files_of_others_are_named_and_never_clean() {
    let bench = Bench::new();
    bench.fresh().lock(&[("foo", "1.2.0")]).write("web/package-lock.json", "{}").write("go.sum", "");
    let run = bench.scan(&[]);
    assert_eq!(run.code, 3);
    for name in ["web/package-lock.json", "go.sum"] {
        assert!(run.stdout.contains(name), "{}", run.stdout);
    }
    assert_eq!(bench.scan(&["--only", "secrets"]).code, 0);
}

#[test]
fn unknown_words_are_usage_errors() {
    let bench = Bench::new();
    bench.fresh().lock(&[]);
    for arguments in [
        &["--only", "workflows"][..],
        &["--only", "dependencies,licences"],
        &["--fail-on", "none"],
        &["--max-age", "soon"],
        &["nowhere"],
    ] {
        assert_eq!(bench.scan(arguments).code, 2, "{arguments:?}");
    }
}
