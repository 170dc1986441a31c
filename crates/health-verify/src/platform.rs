//! What differs between systems: how a run is told to stop, and whether an agent can be there.

/// Whether the agent of a host target can run here: it listens on a Unix socket.
pub(crate) const HAS_AGENTS: bool = cfg!(unix);

/// Waits until somebody wants the run to end: SIGINT or SIGTERM; on Windows Ctrl-C, Ctrl-Break, or the console that is
/// closed. For ever where none of them can be waited for.
#[cfg(unix)]
pub(crate) async fn told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
        (Ok(mut interrupt), Ok(mut terminate)) => {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        }
        (Err(_), _) | (_, Err(_)) => std::future::pending().await,
    }
}

/// See the Unix side.
#[cfg(windows)]
pub(crate) async fn told_to_stop() {
    use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close};
    match (ctrl_c(), ctrl_break(), ctrl_close()) {
        (Ok(mut interrupt), Ok(mut stop), Ok(mut close)) => {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = stop.recv() => {}
                _ = close.recv() => {}
            }
        }
        (Err(_), _, _) | (_, Err(_), _) | (_, _, Err(_)) => std::future::pending().await,
    }
}
