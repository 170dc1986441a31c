//! A command that must exit 0, run in its own process group, which is killed when its time is over.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;
use tokio::time::{Instant, timeout_at};
use windlass_domain::policy::Expect;

use super::Answer;
use super::http::contains;

/// The most of a command's output that is kept, in bytes; the rest is read and dropped.
const LARGEST: usize = 64 * 1024;
/// How long children that it left behind may keep its output open.
const LINGER: Duration = Duration::from_millis(200);

/// Kills the whole group when it goes out of scope, whatever the reason.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // Nothing left to kill is what is wanted.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

pub(super) async fn run(
    words: &[String],
    base_url: Option<&str>,
    expect: &Expect,
    limit: Duration,
) -> Answer {
    let deadline = Instant::now() + limit;
    let fill = |word: &String| word.replace("{url}", base_url.unwrap_or_default());
    let Some((program, arguments)) = words.split_first() else {
        return Answer::NotAsked("the command is empty".to_owned());
    };
    let spawned = Command::new(fill(program))
        .args(arguments.iter().map(fill))
        .env_remove("WINDLASS_SIGNING_KEY")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => return Answer::NotAsked(format!("cannot run {program:?}: {error}")),
    };
    let group = Group(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw));
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    let status = {
        let reading = async { tokio::join!(read(stdout, &mut output), read(stderr, &mut errors)) };
        let mut reading = std::pin::pin!(reading);
        let mut waiting = std::pin::pin!(child.wait());
        let mut read_all = false;
        let status = loop {
            tokio::select! {
                status = &mut waiting => break Some(status),
                _ = &mut reading, if !read_all => read_all = true,
                () = tokio::time::sleep_until(deadline) => break None,
            }
        };
        if status.is_some() && !read_all {
            // Output that comes later is some left-over child's, and is not waited for.
            let _ = timeout_at(Instant::now() + LINGER, &mut reading).await;
        }
        status
    };
    drop(group);
    judge(status, &output, &errors, expect, limit)
}

fn judge(
    status: Option<std::io::Result<std::process::ExitStatus>>,
    output: &[u8],
    errors: &[u8],
    expect: &Expect,
    limit: Duration,
) -> Answer {
    let last = |bytes: &[u8]| {
        String::from_utf8_lossy(bytes)
            .lines()
            .rfind(|line| !line.trim().is_empty())
            .unwrap_or_default()
            .to_owned()
    };
    match status {
        None => Answer::Bad(format!("did not end within {} ms, killed", limit.as_millis())),
        Some(Err(error)) => Answer::NotAsked(format!("cannot wait for the command: {error}")),
        Some(Ok(status)) if !status.success() => Answer::Bad(format!("{status}: {}", last(errors))),
        Some(Ok(_)) => match &expect.contains {
            Some(text) if !contains(output, text.as_bytes()) && !contains(errors, text.as_bytes()) => {
                Answer::Bad(format!("its output does not contain {text:?}: {:?}", last(output)))
            }
            Some(_) | None => Answer::Good,
        },
    }
}

async fn read(stream: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    let Some(mut stream) = stream else { return };
    let mut buffer = vec![0; 8 * 1024];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        let room = LARGEST - kept.len();
        kept.extend_from_slice(&buffer[..count.min(room)]);
    }
}
