//! Control groups, for real. Where this machine's tree cannot be used, as in most containers, a Linux of its own boots
//! (user-mode-linux, in two seconds) and runs the tests named `inside` of this same binary.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use windlass_domain::policy::{Cores, Size};
use windlass_domain::release::Sequence;
use windlass_domain::rollout::Step;
use windlass_target::driver::DriverError;

use super::http::get;
use super::support::{Agent, all, await_that, is_alive, ready, stage};
use super::tools::tool;

/// Where the tree is mounted inside.
const TREE: &str = "/sys/fs/cgroup";

#[test]
fn limits_are_kept_and_nothing_outlives_its_instance() {
    let Some(linux) = tool("linux.uml", "apt-get install user-mode-linux") else { return };
    let Some(python) = tool("python3", "apt-get install python3") else { return };
    let folder = tempfile::tempdir().unwrap();
    let init = folder.path().join("init");
    // Not over /tmp itself: the checkout may lie there.
    let scratch = folder.path().join("tmp");
    fs::create_dir(&scratch).unwrap();
    let myself = std::env::current_exe().unwrap();
    let script = format!(
        r#"#!/bin/sh
export PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin TMPDIR='{scratch}'
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t cgroup2 cgroup {TREE}
mount -t tmpfs tmp '{scratch}'
'{python}' -c 'import fcntl, socket, struct; fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh14s", b"lo", 1, b""))'
'{myself}' --ignored --color=never --test-threads=1 groups::inside
echo "inside ended with $?"
echo o > /proc/sysrq-trigger
sleep 60
"#,
        scratch = scratch.display(),
        python = python.display(),
        myself = myself.display()
    );
    fs::write(&init, script).unwrap();
    fs::set_permissions(&init, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    // What hangs inside ends with the test.
    let output = Command::new("timeout")
        .arg("--kill-after=10")
        .arg("600")
        .arg(linux)
        .args(["rootfstype=hostfs", "rootflags=/", "ro", "mem=768M", "con=null", "con0=null,fd:1", "quiet"])
        .arg(format!("init={}", init.display()))
        .arg(format!("uml_dir={}/", folder.path().display()))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("3 passed; 0 failed") && told.contains("inside ended with 0"), "{told}");
}

#[test]
fn a_limit_is_kept_or_refused_with_its_reason_and_never_left_out() {
    let agent = Agent::start();
    let epoch = agent.claim("a").unwrap().epoch;
    let mut package = agent.package("v1", &[]);
    package.launch.memory = Some(Size::mebibytes(512));
    match agent.apply_with(epoch, stage(1, 1), Some(package)) {
        Ok(_) => {
            agent.apply(epoch, ready(1, 1)).unwrap();
            assert_eq!(of_group(&agent, "memory.max"), (512 * 1024 * 1024).to_string());
        }
        Err(DriverError::Judged { why, .. }) => {
            assert!(why.contains("cannot be kept here") && why.contains("windlass.yml"), "{why}");
            assert!(agent.state().revisions.is_empty(), "nothing was staged");
        }
        Err(other) => panic!("{other:?}"),
    }
}

/// A file of the group that the first instance is in.
fn of_group(agent: &Agent, file: &str) -> String {
    fs::read_to_string(group(agent.pids()[0]).join(file)).unwrap().trim().to_owned()
}

fn group(pid: u32) -> PathBuf {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/")).unwrap();
    Path::new(TREE).join(group)
}

#[test]
#[ignore = "runs inside, see above"]
fn inside_an_instance_over_its_memory_is_ended_and_says_so() {
    let agent = Agent::start();
    let epoch = agent.claim("a").unwrap().epoch;
    agent.configure(epoch).unwrap();
    let mut package = agent.package("v1", &[]);
    package.launch.memory = Some(Size::mebibytes(64));
    agent.apply_with(epoch, stage(1, 1), Some(package)).unwrap();
    agent.apply(epoch, ready(1, 1)).unwrap();
    agent.apply(epoch, all(1)).unwrap();
    assert_eq!(of_group(&agent, "memory.max"), (64 * 1024 * 1024).to_string());
    let instance = || agent.state().revisions[0].instances[0].clone();
    get(agent.address(), "/hold?n=20");
    await_that("its memory is seen", || instance().usage.is_some_and(|usage| usage.memory_bytes >= 20 << 20));
    get(agent.address(), "/hold?n=200");
    await_that("it was ended and started again", || instance().ready && instance().restarts == 1);
    assert_eq!(instance().ended.as_deref(), Some("out of memory: over its 64MiB"));
    await_that("it ended otherwise", || {
        let seen = instance();
        // The router may hear of the new process a little later than the state tells of it.
        if seen.ready && seen.restarts == 1 {
            get(agent.address(), "/exit");
        }
        seen.ready && seen.restarts == 2
    });
    assert_eq!(instance().ended.as_deref(), Some("exit code 7"), "an end of another kind is told as such");
}

#[test]
#[ignore = "runs inside, see above"]
fn inside_an_instance_gets_no_more_processor_time_than_its_share() {
    let agent = Agent::start();
    let epoch = agent.claim("a").unwrap().epoch;
    agent.configure(epoch).unwrap();
    let mut package = agent.package("v1", &[]);
    package.launch.cpu = Cores::thousandths(100);
    agent.apply_with(epoch, stage(1, 1), Some(package)).unwrap();
    agent.apply(epoch, ready(1, 1)).unwrap();
    agent.apply(epoch, all(1)).unwrap();
    assert_eq!(of_group(&agent, "cpu.max"), "10000 100000");
    get(agent.address(), "/spin?n=100");
    let throttled = of_group(&agent, "cpu.stat");
    let throttled = throttled.lines().find_map(|line| line.strip_prefix("nr_throttled ")).unwrap();
    assert!(throttled.parse::<u64>().unwrap() >= 3, "{throttled}");
}

#[test]
#[ignore = "runs inside, see above"]
fn inside_whatever_an_instance_started_ends_with_it_also_after_another_agent_adopted_it() {
    // As a service manager would have it: the agent alone in a group that has its controllers from above.
    let unit = Path::new(TREE).join("unit");
    fs::write(Path::new(TREE).join("cgroup.subtree_control"), "+memory +cpu").unwrap();
    fs::create_dir_all(&unit).unwrap();
    let mut agent = Agent::start();
    fs::write(unit.join("cgroup.procs"), agent.pid().to_string()).unwrap();
    let epoch = agent.claim("a").unwrap().epoch;
    let note = agent.folder().join("runaway");
    let mut package = agent.package("v1", &["--runaway", note.to_str().unwrap()]);
    package.launch.memory = Some(Size::mebibytes(256));
    agent.apply_with(epoch, stage(1, 1), Some(package)).unwrap();
    agent.apply(epoch, ready(1, 1)).unwrap();
    assert_eq!(group(agent.pid()), unit.join("agent"), "it made room");
    let instance = group(agent.pids()[0]);
    assert!(instance.starts_with(&unit) && instance.ends_with("r1-0"), "{}", instance.display());
    // It is told after the service is ready, and in two writes.
    let told = || fs::read_to_string(&note).ok()?.trim().parse::<u32>().ok();
    await_that("the runaway is told", || told().is_some_and(is_alive));
    let runaway = told().unwrap();
    assert_eq!(group(runaway), instance);
    agent.kill();
    agent.spawn();
    agent.apply(epoch, Step::Withdraw { revision: Sequence(1) }).unwrap();
    await_that("the runaway is gone", || !is_alive(runaway));
    await_that("so is the group", || !instance.exists());
}
