//! A TCP connection, opened and closed.

use tokio::net::{TcpStream, lookup_host};

use super::Answer;

pub(super) async fn connect(address: &str) -> Answer {
    let addresses = match lookup_host(address).await {
        Ok(addresses) => addresses,
        Err(error) => return Answer::NotAsked(format!("cannot resolve {address}: {error}")),
    };
    let mut last = format!("{address} resolves to no address");
    for one in addresses {
        match TcpStream::connect(one).await {
            Ok(_) => return Answer::Good,
            Err(error) => last = format!("cannot connect to {one}: {error}"),
        }
    }
    Answer::Bad(last)
}
