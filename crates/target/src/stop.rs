//! Being asked to stop: SIGINT and SIGTERM become one value that the drive loop looks at.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Becomes true at the first SIGINT or SIGTERM. Must be called inside a runtime.
///
/// # Errors
/// When the handlers cannot be installed.
pub fn on_signals() -> std::io::Result<watch::Receiver<bool>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        sender.send_replace(true);
        // The handlers stay installed, so that a second signal does not kill in the middle of an effect.
        std::future::pending::<()>().await;
    });
    Ok(receiver)
}
