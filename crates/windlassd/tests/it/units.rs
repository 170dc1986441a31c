//! The units under `templates/infrastructure/systemd/`, as systemd itself judges them.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::tools::tool;

const REMEDY: &str = "Debian: apt-get install --no-install-recommends systemd";

/// The highest exposure that README.md tells of, in tenths.
const EXPOSURE: u32 = 22;

fn units(folder: &Path) -> (std::path::PathBuf, std::path::PathBuf) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../templates/infrastructure/systemd");
    let read = |name: &str| fs::read_to_string(from.join(name)).unwrap();
    let (service, socket) = (folder.join("windlassd@shop.service"), folder.join("windlassd@shop.socket"));
    // The program must be there for a unit to be right.
    let text =
        read("windlassd@.service").replace("/usr/local/bin/windlassd", env!("CARGO_BIN_EXE_windlassd"));
    fs::write(&service, text).unwrap();
    fs::write(&socket, read("windlassd@.socket")).unwrap();
    (service, socket)
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let Some(analyze) = tool("systemd-analyze", REMEDY) else { return };
    let folder = tempfile::tempdir().unwrap();
    let (service, socket) = units(folder.path());
    let said = Command::new(analyze).arg("verify").args([&service, &socket]).output().unwrap();
    let text = String::from_utf8_lossy(&said.stderr).into_owned() + &String::from_utf8_lossy(&said.stdout);
    let about = |line: &&str| line.contains("windlass");
    assert!(said.status.success() && text.lines().find(about).is_none(), "{text}");
}

#[test]
fn the_service_is_exposed_no_more_than_its_readme_says() {
    let Some(analyze) = tool("systemd-analyze", REMEDY) else { return };
    let folder = tempfile::tempdir().unwrap();
    let (service, _) = units(folder.path());
    let said = Command::new(analyze)
        .args(["security", "--offline=true", "--no-pager", &format!("--threshold={EXPOSURE}")])
        .arg(&service)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&said.stdout);
    let level = text.lines().find(|line| line.contains("Overall exposure level")).unwrap_or_default();
    assert!(said.status.success(), "{level}{}", String::from_utf8_lossy(&said.stderr));
    let readme =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../templates/infrastructure/systemd/README.md");
    let told = format!("exposure level {}.{}", EXPOSURE / 10, EXPOSURE % 10);
    assert!(fs::read_to_string(readme).unwrap().contains(&told), "README.md tells of the {told}");
}

#[test]
fn instances_and_listeners_outlive_the_service() {
    let text = fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../templates/infrastructure/systemd/windlassd@.service"),
    )
    .unwrap();
    let has = |line: &str| text.lines().any(|other| other == line);
    for line in [
        "KillMode=process",
        "Type=notify",
        "NotifyAccess=main",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
    ] {
        assert!(has(line), "{line}");
    }
    // It would be emptied under the instances at a restart.
    assert!(!text.contains("PrivateTmp=yes"));
    assert!(!text.contains("MemoryDenyWriteExecute=yes"), "Node.js and Java make code as they run");
}
