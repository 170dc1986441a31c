//! Rotating a log while another process writes it.
//!
//! An instance holds its log open for appending, as a plain file: a pipe would break with the agent that reads it, and
//! a full one would stop the service while no agent is there. So the file is rotated under its writer. Its head, which
//! nobody changes any more, is copied aside up to the end of a line, and then taken out of the file by `fallocate`'s
//! collapse: what is written meanwhile moves to the front and nothing is lost, since the kernel does an append and a
//! collapse one after the other. ext4, XFS and f2fs can do that. Elsewhere the log is copied and emptied, and what is
//! written between the two is lost.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

use super::{Rule, aside, is_absent};
use crate::root::named;

/// What became of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turned {
    /// It is not due.
    Not,
    /// Its head was put aside, and nothing was lost.
    Whole,
    /// It was put aside; what was written in the same moment may be lost.
    Lossy,
}

/// The longest rest of a line that is looked for, in bytes. A longer line is torn.
const LINE: usize = 64 * 1024;

/// Puts a log's head aside when it is due. After an error, [`settle`] comes first.
pub(crate) fn turn(log: &Path, rule: &Rule, now: Timestamp) -> io::Result<Turned> {
    let file = match open(log) {
        Ok(file) => file,
        Err(error) if is_absent(&error) => return Ok(Turned::Not),
        Err(error) => return Err(named(error, "cannot open", log)),
    };
    if !rule.is_due(log, &file.metadata()?, now) {
        return Ok(Turned::Not);
    }
    let Some(cut) = Cut::of(&file)? else { return Ok(Turned::Not) };
    let half = half(log, cut.block);
    if let Err(error) = copy(&file, &half, cut.line) {
        let _ = fs::remove_file(&half);
        return Err(named(error, "cannot copy", log));
    }
    // From here on the copy may be all that there is: where this fails, `settle` finds it and goes on.
    let turned =
        take_out(&file, &half, cut).map_err(|error| named(error, "cannot take the head out of", log))?;
    aside::put(log, &half, rule.keep)?;
    Ok(turned)
}

fn open(log: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(log)
}

fn take_out(file: &File, half: &Path, cut: Cut) -> io::Result<Turned> {
    match fallocate(file, FallocateFlags::COLLAPSE_RANGE, 0, cut.block) {
        Ok(()) => {
            blank(file, cut.line - cut.block)?;
            Ok(Turned::Whole)
        }
        Err(Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS) => {
            copy(file, half, u64::MAX)?;
            file.set_len(0)?;
            Ok(Turned::Lossy)
        }
        Err(error) => Err(error.into()),
    }
}

/// Where a log is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cut {
    /// What is taken out ends here: a whole number of the file system's blocks, before the file's end.
    block: u64,
    /// What is copied ends here: at the end of the line that the block's end lies in.
    line: u64,
}

impl Cut {
    /// `None` where the file has no whole block before its end, or the lines there have no end yet.
    fn of(file: &File) -> io::Result<Option<Self>> {
        let metadata = file.metadata()?;
        let size = metadata.blksize().max(512);
        let before = |end: u64| end.saturating_sub(1) / size * size;
        let last = before(metadata.len());
        // The last block may hold no line's end yet, but the one before it may. Where neither does, one further back.
        for block in [last, before(last), before(last.saturating_sub(LINE as u64))] {
            if block == 0 {
                break;
            }
            // From the block's last byte on: where that ends a line, nothing of the next one is copied.
            let mut rest = vec![0; LINE];
            let count = read_at(file, &mut rest, block - 1)?;
            if let Some(end) = rest[..count].iter().position(|byte| *byte == b'\n') {
                return Ok(Some(Self { block, line: block + end as u64 }));
            }
            if count == LINE {
                return Ok(Some(Self { block, line: block }));
            }
        }
        Ok(None)
    }
}

/// As much as there is, up to the buffer's length.
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    let mut count = 0;
    while count < buffer.len() {
        match file.read_at(&mut buffer[count..], at + count as u64) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

/// The copy of a head of so many bytes, which may not have been taken out yet.
fn half(log: &Path, block: u64) -> PathBuf {
    aside::place(log, format_args!("half-{block}"))
}

fn copy(log: &File, to: &Path, length: u64) -> io::Result<()> {
    let mut from = log;
    from.seek(SeekFrom::Start(0))?;
    let mut to = File::create(to)?;
    io::copy(&mut from.take(length), &mut to)?;
    to.sync_all()
}

/// The rest of the last line that was copied still begins the log: makes it an empty line.
fn blank(log: &File, count: u64) -> io::Result<()> {
    let Some(spaces) = usize::try_from(count).ok().and_then(|count| count.checked_sub(1)) else {
        return Ok(());
    };
    let mut line = vec![b' '; spaces];
    line.push(b'\n');
    log.write_all_at(&line, 0)
}

/// Finishes what an agent that was killed left half done. Whether the head was taken out is seen by whether the log
/// still begins with it.
pub(crate) fn settle(log: &Path, rule: &Rule) -> io::Result<()> {
    let Some((half, block)) = left(log)? else { return Ok(()) };
    let copied = File::open(&half).map_err(|error| named(error, "cannot open", &half))?;
    let whole = copied.metadata()?.len();
    let file = match open(log) {
        Ok(file) => file,
        Err(error) if is_absent(&error) => return aside::put(log, &half, rule.keep),
        Err(error) => return Err(named(error, "cannot open", log)),
    };
    // A copy that is not even as long as what it was made for was not finished.
    if whole < block || is_same(&file, &copied, 0, block)? {
        return fs::remove_file(&half).map_err(|error| named(error, "cannot remove", &half));
    }
    if is_same(&file, &copied, block, whole)? {
        blank(&file, whole - block)?;
    }
    aside::put(log, &half, rule.keep)
}

/// The copy that was left, and how much was to be taken out.
fn left(log: &Path) -> io::Result<Option<(PathBuf, u64)>> {
    let Some((folder, name)) = log.parent().zip(log.file_name()) else { return Ok(None) };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(named(error, "cannot list", folder)),
    };
    let prefix = format!("{}.half-", name.to_string_lossy());
    for entry in entries {
        let path = entry.map_err(|error| named(error, "cannot list", folder))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Some(block) = name.strip_prefix(&prefix).and_then(|block| block.parse().ok()) {
            return Ok(Some((path, block)));
        }
    }
    Ok(None)
}

/// Whether a log begins with the bytes from `from` to `to` of what was copied.
fn is_same(log: &File, copied: &File, from: u64, to: u64) -> io::Result<bool> {
    let (mut there, mut here) = (vec![0; LINE], vec![0; LINE]);
    let mut at = from;
    while at < to {
        let part = usize::try_from(to - at).unwrap_or(LINE).min(LINE);
        let count = read_at(copied, &mut there[..part], at)?;
        if count == 0
            || read_at(log, &mut here[..count], at - from)? < count
            || there[..count] != here[..count]
        {
            return Ok(false);
        }
        at += count as u64;
    }
    Ok(true)
}

#[cfg(test)]
mod tests;
