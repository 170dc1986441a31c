//! The demo's sample repository: a small service, its policy, real report files, a lock file and a git history.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A sample repository in a folder of its own.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// The repository.
    pub(super) repository: PathBuf,
    /// Where the targets keep their files.
    pub(super) state: PathBuf,
    /// The advisory database.
    pub(super) database: PathBuf,
    program: PathBuf,
}

/// One version of the sample service.
#[derive(Clone, Copy, Debug)]
pub(super) struct Version {
    pub(super) label: &'static str,
    /// Further flags of the service.
    pub(super) flags: &'static str,
}

impl Sample {
    /// Lays it out in `folder`. `program` is this umbrella, which contains the service.
    pub(super) fn lay_out(folder: &Path, program: &Path, today: jiff::civil::Date) -> io::Result<Self> {
        let sample = Self {
            repository: folder.join("shop"),
            state: folder.join("state"),
            database: folder.join("advisories"),
            program: program.to_owned(),
        };
        sample.write("windlass.yml", &policy(&sample.state))?;
        sample.write(".gitignore", ".windlass/\nreports/\ndist/\nkeys/*.key\n")?;
        sample.write("config/shop.toml", "currency = \"EUR\"\n")?;
        sample.write("src/shop.rs", "pub fn total(prices: &[u64]) -> u64 {\n    prices.iter().sum()\n}\n")?;
        sample.write("Cargo.lock", LOCK)?;
        sample.write("reports/junit.xml", JUNIT)?;
        sample.write("reports/lcov.info", LCOV)?;
        let advisory = sample.database.join("crates/shop-example/RUSTSEC-2026-0001.md");
        fs::create_dir_all(advisory.parent().expect("it has a folder"))?;
        fs::write(advisory, ADVISORY.replace("{today}", &today.to_string()))?;
        sample.git(&["init", "--quiet"])?;
        Ok(sample)
    }

    /// "Builds" a version into `dist/`, and commits the source that it comes from.
    pub(super) fn build(&self, version: Version) -> io::Result<()> {
        self.write("dist/VERSION", version.label)?;
        let script = format!(
            "#!/bin/sh\nexec '{}' demo-service --port \"$2\" --version-label {} {}\n",
            self.program.display().to_string().replace('\'', "'\\''"),
            version.label,
            version.flags
        );
        self.write("dist/bin/shop", &script)?;
        make_executable(&self.repository.join("dist/bin/shop"))?;
        self.write("src/version.txt", version.label)?;
        self.git(&["add", "--all"])?;
        self.git(&["commit", "--quiet", "--message", &format!("Release {}", version.label)])
    }

    /// Writes a file of the repository.
    pub(super) fn write(&self, name: &str, text: &str) -> io::Result<()> {
        let path = self.repository.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, text)
    }

    fn git(&self, words: &[&str]) -> io::Result<()> {
        let output = Command::new("git")
            .args(["-c", "user.name=Ana", "-c", "user.email=ana@example.org", "-c", "commit.gpgsign=false"])
            .args(["-c", "core.hooksPath=/dev/null", "-c", "init.defaultBranch=main"])
            .args(words)
            .current_dir(&self.repository)
            .stdin(Stdio::null())
            .output()?;
        if output.status.success() {
            return Ok(());
        }
        let told = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(io::Error::other(format!("git {} failed: {told}", words.join(" "))))
    }
}

#[cfg(unix)]
fn make_executable(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

fn policy(state: &Path) -> String {
    include_str!("windlass.yml").replace("{state}", &state.display().to_string())
}

const LOCK: &str = "version = 4\n\n[[package]]\nname = \"shop\"\nversion = \"0.1.0\"\n";

const JUNIT: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites>
  <testsuite name="shop" tests="3" failures="0" time="0.012">
    <testcase classname="shop" name="an_empty_basket_costs_nothing" time="0.001"/>
    <testcase classname="shop" name="prices_add_up" time="0.004"/>
    <testcase classname="shop" name="a_total_is_rounded_once" time="0.007"/>
  </testsuite>
</testsuites>
"#;

const LCOV: &str = "TN:\nSF:src/shop.rs\nDA:1,9\nDA:2,9\nDA:3,9\nLF:3\nLH:3\nend_of_record\n";

const ADVISORY: &str = r#"```toml
[advisory]
id = "RUSTSEC-2026-0001"
package = "shop-example"
date = "{today}"
url = "https://example.org/advisory"
categories = ["denial-of-service"]

[versions]
patched = [">= 1.0.1"]
```

# An example that no lock file of the demo contains

It keeps the database from being empty, and fresh.
"#;
