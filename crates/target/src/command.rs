//! A command that is given text and answers with text, in its own process group and within its time.

use std::collections::VecDeque;
use std::io;
use std::pin::{Pin, pin};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::time::Instant;

/// The most that is taken of standard output, in bytes. More is an error: half an answer is none.
const LARGEST: usize = 64 * 1024 * 1024;

/// The lines of standard error that are kept: the last ones.
const LINES: usize = 20;

/// The longest line of standard error that is kept, in bytes.
const LINE: usize = 2 * 1024;

/// How long a command that was asked to stop may take before it is killed.
const GRACE: Duration = Duration::from_secs(5);

/// How long children that it left behind may keep its output open after its own end.
const LINGER: Duration = Duration::from_millis(500);

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) output: Vec<u8>,
    /// The last lines of standard error, as they were: not escaped.
    pub(crate) log: Vec<String>,
}

/// Why there is no end to tell.
#[derive(Debug)]
pub(crate) enum NotRun {
    /// It could not be started, or its pipes broke.
    Io(io::Error),
    /// It took longer than its time, and was stopped.
    Late { limit: Duration, log: Vec<String> },
    /// It wrote more than is taken.
    Large,
}

impl std::fmt::Display for NotRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::Late { limit, log } => {
                write!(f, "it did not end within {} s and was stopped", limit.as_secs_f64())?;
                if log.is_empty() { Ok(()) } else { write!(f, "; its log ends: {}", log.join(" | ")) }
            }
            Self::Large => write!(f, "its output is larger than {} MiB", LARGEST / 1024 / 1024),
        }
    }
}

impl std::error::Error for NotRun {}

/// Runs a command to its end. One that takes longer than `limit`, or whose caller goes away, gets SIGTERM with its
/// whole process group, and SIGKILL five seconds later.
///
/// # Errors
/// See [`NotRun`].
pub(crate) async fn run(mut command: Command, input: Vec<u8>, limit: Duration) -> Result<Ended, NotRun> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.process_group(0).kill_on_drop(true);
    let child = command.spawn().map_err(NotRun::Io)?;
    // A task of its own, which ends the command properly when nobody waits for it any more: then this end is dropped.
    let (_waits, gone) = oneshot::channel();
    let watched = tokio::spawn(watch(child, input, limit, gone));
    watched.await.unwrap_or_else(|error| Err(NotRun::Io(io::Error::other(error))))
}

async fn watch(
    mut child: Child,
    input: Vec<u8>,
    limit: Duration,
    mut gone: oneshot::Receiver<()>,
) -> Result<Ended, NotRun> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (mut output, mut log) = (Vec::new(), Log::default());
    let end = {
        let piping = pin!(async {
            tokio::join!(give(stdin, input), keep(stdout, &mut output), follow(stderr, &mut log));
        });
        attend(&mut child, piping, limit, &mut gone).await.map_err(NotRun::Io)?
    };
    match end {
        End::Stopped => Err(NotRun::Late { limit, log: log.lines() }),
        End::OfItself(_) if output.len() > LARGEST => Err(NotRun::Large),
        End::OfItself(status) => Ok(Ended { status, output, log: log.lines() }),
    }
}

/// The end of a child that was attended to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It ended. Whatever it left running, such as the service itself, is its own.
    OfItself(ExitStatus),
    /// It was stopped, and all of its group with it: its time was over, or nobody waits for it any more.
    Stopped,
}

/// Awaits the end of a child that leads its own process group, while what it says is piped. After `limit`, or when
/// `gone` ends, the group gets SIGTERM, and SIGKILL five seconds later; it gets SIGKILL too when this is dropped.
pub(crate) async fn attend(
    child: &mut Child,
    mut piping: Pin<&mut (impl Future<Output = ()> + Send)>,
    limit: Duration,
    gone: &mut oneshot::Receiver<()>,
) -> io::Result<End> {
    let mut group = Group(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw));
    let (mut all, mut asked_to_stop) = (false, false);
    let mut time = pin!(tokio::time::sleep(limit));
    let status = loop {
        tokio::select! {
            biased;
            () = &mut piping, if !all => all = true,
            status = child.wait() => break status?,
            // What it says while it stops is still read: a broken pipe would end it at once.
            _ = &mut *gone, if !asked_to_stop => {
                asked_to_stop = true;
                group.signal(Signal::TERM);
                time.as_mut().reset(Instant::now() + GRACE);
            }
            () = &mut time => {
                group.signal(if asked_to_stop { Signal::KILL } else { Signal::TERM });
                asked_to_stop = true;
                time.as_mut().reset(Instant::now() + GRACE);
            }
        }
    };
    if !all {
        // What comes later is some left-over child's, and is not waited for.
        let _ = tokio::time::timeout(LINGER, &mut piping).await;
    }
    if asked_to_stop {
        // What is left of the group did not heed the request.
        return Ok(End::Stopped);
    }
    group.0 = None;
    Ok(End::OfItself(status))
}

/// A process group that is killed when it is dropped.
struct Group(Option<Pid>);

impl Group {
    fn signal(&self, signal: Signal) {
        if let Some(group) = self.0 {
            // Nobody left to signal is what is wanted.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

async fn give(stream: Option<impl AsyncWrite + Unpin>, input: Vec<u8>) {
    let Some(mut stream) = stream else { return };
    // A command need not read what it does not need.
    let _ = stream.write_all(&input).await;
    let _ = stream.shutdown().await;
}

async fn keep(stream: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    let Some(mut stream) = stream else { return };
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        // One byte more than is taken tells that there was more.
        let room = (LARGEST + 1).saturating_sub(kept.len());
        kept.extend_from_slice(&buffer[..count.min(room)]);
    }
}

async fn follow(stream: Option<impl AsyncRead + Unpin>, log: &mut Log) {
    let Some(mut stream) = stream else { return };
    let mut buffer = vec![0; 4 * 1024];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        log.take(&buffer[..count]);
    }
}

/// The last lines of standard error.
#[derive(Debug, Default)]
struct Log {
    whole: VecDeque<String>,
    open: Vec<u8>,
}

impl Log {
    fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'\n' => self.end_line(),
                _ if self.open.len() < LINE => self.open.push(*byte),
                _ => {}
            }
        }
    }

    fn end_line(&mut self) {
        let line = String::from_utf8_lossy(&self.open).trim_end().to_owned();
        self.open.clear();
        if !line.is_empty() {
            if self.whole.len() == LINES {
                self.whole.pop_front();
            }
            self.whole.push_back(line);
        }
    }

    fn lines(mut self) -> Vec<String> {
        self.end_line();
        self.whole.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn shell(script: &str, input: &str, limit: Duration) -> Result<Ended, NotRun> {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(script);
        run(command, input.as_bytes().to_vec(), limit).await
    }

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn what_is_asked_comes_in_and_what_is_answered_comes_out() {
        let ended = shell("cat; echo said >&2; exit 6", "asked\n", LONG).await.expect("runs");
        assert_eq!((ended.status.code(), &ended.output[..]), (Some(6), &b"asked\n"[..]));
        assert_eq!(ended.log, ["said"]);
    }

    #[tokio::test]
    async fn a_command_that_reads_nothing_is_no_error() {
        let large = "x".repeat(1024 * 1024);
        let ended = shell("echo done", &large, LONG).await.expect("runs");
        assert_eq!(ended.output, b"done\n");
    }

    #[tokio::test]
    async fn only_the_last_lines_of_a_log_are_kept() {
        let ended = shell("i=0; while [ $i -lt 50 ]; do i=$((i+1)); echo line $i >&2; done", "", LONG).await;
        let log = ended.expect("runs").log;
        assert_eq!((log.len(), log[0].as_str(), log[19].as_str()), (20, "line 31", "line 50"));
    }

    #[tokio::test]
    async fn a_late_command_is_asked_to_stop_first_and_its_whole_group_ends() {
        let folder = std::env::temp_dir().join(format!("wl-late-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let script = format!(
            "cd '{}'; sh -c 'trap \"\" TERM; echo $$ > child; exec sleep 600' & \
             trap 'echo asked > asked; exit 1' TERM; while :; do sleep 0.05; done",
            folder.display()
        );
        let late = shell(&script, "", Duration::from_secs(2)).await;
        assert!(matches!(late, Err(NotRun::Late { .. })), "{late:?}");
        assert_eq!(std::fs::read_to_string(folder.join("asked")).expect("it was asked"), "asked\n");
        let child = std::fs::read_to_string(folder.join("child")).expect("it ran");
        let path = format!("/proc/{}/stat", child.trim());
        let runs = || std::fs::read_to_string(&path).is_ok_and(|stat| !stat.contains(") Z "));
        let patience = Instant::now() + LONG;
        while runs() {
            assert!(Instant::now() < patience, "the child that ignores SIGTERM is still there");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        std::fs::remove_dir_all(&folder).expect("ours");
    }

    #[tokio::test]
    async fn a_service_that_is_left_running_is_not_waited_for_and_not_killed() {
        let ended = shell("sleep 600 & echo $!", "", LONG).await.expect("runs");
        let pid = String::from_utf8(ended.output).expect("a number").trim().parse().expect("a number");
        let pid = Pid::from_raw(pid).expect("a process");
        rustix::process::test_kill_process(pid).expect("it runs on");
        rustix::process::kill_process(pid, Signal::KILL).expect("ours");
    }
}
