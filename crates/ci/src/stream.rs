//! Standard output and standard error: written without panicking, and a full disk is noticed.

use std::io::{self, Write as _};

/// Writes text for people to standard output; styles are taken out where they do not belong. A reader that went
/// away is not an error.
///
/// # Errors
/// When it cannot be written, for instance because the disk behind it is full.
pub fn out(text: &str) -> io::Result<()> {
    let mut stream = anstream::stdout();
    ignore_departed(stream.write_all(text.as_bytes()).and_then(|()| stream.flush()))
}

/// Writes text for people to standard error. There is nowhere left to say that this failed.
pub fn err(text: &str) {
    let mut stream = anstream::stderr();
    let _ = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
}

/// Writes commands for a CI system to standard error, byte for byte.
pub fn commands(text: &str) {
    if !text.is_empty() {
        let mut stream = io::stderr().lock();
        let _ = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
    }
}

fn ignore_departed(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
