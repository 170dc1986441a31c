//! Reading a file for secrets: in pieces of bounded size, so that no file is too large, and as text.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;

use super::rules::RULES;

/// A piece of a file.
pub(super) struct Piece<'a> {
    /// Its text.
    pub(super) text: &'a [u8],
    /// Where a match must begin to count: what lies before was in the last piece, what lies behind is in the next.
    pub(super) counts: Range<usize>,
    /// The number of the line that the text begins in, from 1.
    pub(super) first_line: u64,
}

/// What a file turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Text, of so many bytes.
    Text(u64),
    /// Not text: it has a NUL byte among its first 8000, which is git's own rule.
    Binary,
}

/// How much of a file is in memory at once, in bytes.
const PIECE: usize = 4 * 1024 * 1024;
/// How much of a piece is in the next one again, before and after the place where it begins to count, in bytes. No
/// rule reaches further, as a test holds.
const OVERLAP: usize = 16 * 1024;
/// How many bytes are looked at for NUL.
const SNIFF: usize = 8000;
/// The largest UTF-16 file that is read: it is turned into UTF-8 in memory.
const LARGEST_UTF16: u64 = 64 * 1024 * 1024;

/// Reads the file at `path` and hands its pieces to `each`, in order. `buffer` is used again from file to file.
///
/// # Errors
/// When it cannot be opened or read.
pub(super) fn read(path: &Path, buffer: &mut Vec<u8>, each: impl FnMut(&Piece<'_>)) -> io::Result<Content> {
    pieces(&mut File::open(path)?, buffer, PIECE, each)
}

fn pieces(
    file: &mut impl Read,
    buffer: &mut Vec<u8>,
    size: usize,
    mut each: impl FnMut(&Piece<'_>),
) -> io::Result<Content> {
    buffer.clear();
    let mut total = fill(file, buffer, size)?;
    if let Some(order) = utf16(buffer) {
        total += file.take(LARGEST_UTF16).read_to_end(buffer)? as u64;
        if total > LARGEST_UTF16 {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is UTF-16 and larger than 64 MiB"));
        }
        let text = decode(buffer, order);
        each(&Piece { text: text.as_bytes(), counts: 0..text.len(), first_line: 1 });
        return Ok(Content::Text(total));
    }
    if buffer[..buffer.len().min(SNIFF)].contains(&0) {
        return Ok(Content::Binary);
    }
    let mut first_line = 1;
    let mut counted = 0;
    loop {
        let is_last = buffer.len() < size;
        let end = if is_last { buffer.len() } else { buffer.len() - OVERLAP };
        each(&Piece { text: buffer, counts: counted..end, first_line });
        if is_last {
            return Ok(Content::Text(total));
        }
        let keep_from = end - OVERLAP;
        first_line += buffer[..keep_from].iter().filter(|byte| **byte == b'\n').count() as u64;
        buffer.drain(..keep_from);
        counted = OVERLAP;
        total += fill(file, buffer, size)?;
    }
}

/// Reads until `buffer` holds `size` bytes or the file ends; the count of bytes read.
fn fill(file: &mut impl Read, buffer: &mut Vec<u8>, size: usize) -> io::Result<u64> {
    let missing = size.saturating_sub(buffer.len());
    Ok(file.take(missing as u64).read_to_end(buffer)? as u64)
}

/// The order of the bytes of UTF-16.
#[derive(Clone, Copy)]
enum Order {
    Little,
    Big,
}

/// UTF-16, which Windows writes, has NUL bytes and is text all the same; its mark tells.
fn utf16(bytes: &[u8]) -> Option<Order> {
    match bytes {
        [0xFF, 0xFE, 0, 0, ..] => None,
        [0xFF, 0xFE, ..] => Some(Order::Little),
        [0xFE, 0xFF, ..] => Some(Order::Big),
        _ => None,
    }
}

fn decode(bytes: &[u8], order: Order) -> String {
    let units = bytes[2..].chunks_exact(2).map(|pair| match order {
        Order::Little => u16::from_le_bytes([pair[0], pair[1]]),
        Order::Big => u16::from_be_bytes([pair[0], pair[1]]),
    });
    char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

const _: () = {
    let mut index = 0;
    while index < RULES.len() {
        assert!(RULES[index].reach.span() < OVERLAP, "a rule reaches further than pieces overlap");
        index += 1;
    }
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_counts_once_and_lines_are_numbered_across_pieces() {
        let size = 3 * OVERLAP;
        for length in [0, 1, size - 1, size, size + 1, 5 * size + 7] {
            let text: Vec<u8> =
                (0..length).map(|index| if index % 100 == 99 { b'\n' } else { b'a' }).collect();
            let mut next = 0;
            let mut buffer = Vec::new();
            let content = pieces(&mut text.as_slice(), &mut buffer, size, |piece| {
                let before = next - piece.counts.start;
                assert_eq!(piece.text, &text[before..before + piece.text.len()]);
                assert_eq!(piece.first_line, 1 + (before / 100) as u64);
                next += piece.counts.len();
            });
            assert_eq!(content.unwrap(), Content::Text(length as u64));
            assert_eq!(next, length);
        }
    }

    #[test]
    fn nul_is_binary_and_utf16_is_text() {
        let mut buffer = Vec::new();
        let mut text = Vec::new();
        let mut read =
            |bytes: &[u8]| pieces(&mut { bytes }, &mut buffer, PIECE, |piece| text = piece.text.to_vec());
        assert_eq!(read(b"a\0b").unwrap(), Content::Binary);
        assert_eq!(read(&[0xFF, 0xFE, b'h', 0, b'i', 0]).unwrap(), Content::Text(6));
        assert_eq!(text, b"hi");
    }
}
