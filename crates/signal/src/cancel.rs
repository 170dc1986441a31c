//! Telling a watch to stop.

use tokio::sync::watch;

/// Becomes true when a watch shall stop.
#[derive(Clone, Debug)]
pub struct CancelSignal(watch::Receiver<bool>);

/// Stops the watches that hold its signal. Dropped without having stopped them, it never will.
#[derive(Debug)]
pub struct CancelHandle(watch::Sender<bool>);

impl CancelHandle {
    /// Stops them.
    pub fn cancel(&self) {
        self.0.send_replace(true);
    }
}

impl CancelSignal {
    /// A signal and the handle that sets it.
    #[must_use]
    pub fn new() -> (CancelHandle, Self) {
        let (sender, receiver) = watch::channel(false);
        (CancelHandle(sender), Self(receiver))
    }

    /// A signal that is never set.
    #[must_use]
    pub fn never() -> Self {
        Self::new().1
    }

    /// Whether it is set.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is set; for ever when its handle is gone.
    pub async fn cancelled(&mut self) {
        if self.0.wait_for(|set| *set).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl From<watch::Receiver<bool>> for CancelSignal {
    fn from(receiver: watch::Receiver<bool>) -> Self {
        Self(receiver)
    }
}
