//! A command that must exit 0. It and what it started is killed when its time is over.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;
use tokio::time::{Instant, timeout_at};
use windlass_domain::policy::Expect;

use super::Answer;
use super::http::contains;
use crate::platform::{Family, in_own_family};

/// The most of a command's output that is kept, in bytes; the rest is read and dropped.
const LARGEST: usize = 64 * 1024;
/// How long children that it left behind may keep its output open.
const LINGER: Duration = Duration::from_millis(200);

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
    let mut command = Command::new(fill(program));
    command
        .args(arguments.iter().map(fill))
        .env_remove("WINDLASS_SIGNING_KEY")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    in_own_family(&mut command);
    let started = command.spawn().and_then(|child| Ok((Family::of(&child)?, child)));
    let (family, mut child) = match started {
        Ok(started) => started,
        Err(error) => return Answer::NotAsked(format!("cannot run {program:?}: {error}")),
    };
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
    drop(family);
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
