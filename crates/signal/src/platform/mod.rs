//! What differs between systems in measuring: how a command and all that it started is ended, and Unix sockets.

#[cfg(unix)]
#[path = "unix.rs"]
mod system;
#[cfg(windows)]
#[path = "windows.rs"]
mod system;

pub(crate) use system::{Family, connect, in_own_family};
