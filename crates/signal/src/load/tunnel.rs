//! An upgraded connection: bytes go to and fro on it for a while, and each must come back.

use std::time::{Duration, Instant};

use hyper::StatusCode;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::sleep;

use super::connection::{Aim, Answer, connect, read, request, revision};
use super::record::{Lost, Meter};

/// The time between two messages.
const BEAT: Duration = Duration::from_millis(10);

/// Upgrades a connection of its own and keeps it for `kept`. An upgrade that is answered with 5xx is a bad answer; one
/// that is answered otherwise was not understood, which is an altered one.
pub(super) async fn keep(aim: &Aim, bytes: &Bytes, kept: Duration, meter: &Meter) -> Result<Answer, Lost> {
    let mut sender = connect(&aim.address, meter).await?;
    let mut response = sender.send_request(request(aim)).await.map_err(|_| Lost::Broken)?;
    let began = Instant::now();
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let answer = read(response, aim).await?;
        return if answer.status >= 500 { Ok(answer) } else { Err(Lost::Altered) };
    }
    let revision = revision(&response);
    let upgraded = hyper::upgrade::on(&mut response).await.map_err(|_| Lost::Broken)?;
    let mut stream = TokioIo::new(upgraded);
    let mut back = vec![0; bytes.len()];
    loop {
        stream.write_all(bytes).await.map_err(|_| Lost::Broken)?;
        stream.read_exact(&mut back).await.map_err(|_| Lost::Broken)?;
        if back != bytes[..] {
            return Err(Lost::Altered);
        }
        if began.elapsed() >= kept {
            break;
        }
        sleep(BEAT).await;
    }
    // The other half ends too: whatever comes instead of an end was never asked for.
    stream.shutdown().await.map_err(|_| Lost::Broken)?;
    match stream.read(&mut [0]).await {
        Ok(0) => Ok(Answer { status: StatusCode::SWITCHING_PROTOCOLS.as_u16(), revision, at: Some(began) }),
        Ok(_) => Err(Lost::Altered),
        Err(_) => Err(Lost::Broken),
    }
}
