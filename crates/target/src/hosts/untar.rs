//! Reading a tar stream from a host into a folder of this machine: files, folders and links, and nothing outside it.
//!
//! It reads what GNU's and busybox's `tar` write: ustar, with GNU's `L` and `K` entries or pax's `path`, `linkpath` and
//! `size` for what does not fit. What a host says is not trusted: names that leave the folder and kinds that no release
//! has are refused, and links are made when everything else is there, so that nothing is written through them.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Component, Path, PathBuf};

const BLOCK: usize = 512;

/// The longest name that an entry may bring, in bytes.
const NAME: u64 = 64 * 1024;

/// What entries before an entry say of it.
#[derive(Default)]
struct Ahead {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
}

/// Unpacks a stream into a folder that nobody else writes.
///
/// # Errors
/// When the stream is cut, damaged or hostile, or the folder cannot be written.
pub(super) fn unpack(mut input: impl Read, into: &Path) -> io::Result<()> {
    let mut ahead = Ahead::default();
    let mut links: Vec<(PathBuf, PathBuf)> = Vec::new();
    loop {
        let mut block = [0_u8; BLOCK];
        input.read_exact(&mut block).map_err(|_| wrong("the stream ends before its end"))?;
        if block.iter().all(|byte| *byte == 0) {
            break;
        }
        check(&block)?;
        let kind = block[156];
        let size = match kind {
            b'L' | b'K' | b'x' | b'g' => number(&block[124..136])?,
            _ => ahead.size.take().map_or_else(|| number(&block[124..136]), Ok)?,
        };
        match kind {
            b'L' => ahead.name = Some(text(&mut input, size)?),
            b'K' => ahead.link = Some(text(&mut input, size)?),
            b'x' => ahead.read(&text(&mut input, size)?)?,
            b'g' => drop(text(&mut input, size)?),
            b'0' | 0 => {
                let place = place(into, &ahead.name.take().unwrap_or_else(|| name(&block)))?;
                file(&mut input, &place, size, number(&block[100..108])?)?;
            }
            b'5' => folder(&place(into, &ahead.name.take().unwrap_or_else(|| name(&block)))?)?,
            b'2' => {
                let place = place(into, &ahead.name.take().unwrap_or_else(|| name(&block)))?;
                let target = ahead.link.take().unwrap_or_else(|| field(&block[157..257]).to_vec());
                links.push((place, PathBuf::from(OsStr::from_bytes(&target))));
            }
            other => return Err(wrong(&format!("an entry is of the kind {:?}", char::from(other)))),
        }
    }
    for (place, target) in links {
        parent(&place)?;
        symlink(target, &place).map_err(|error| on(&place, error))?;
    }
    // What follows the end is padding; whoever writes it waits until it is read.
    io::copy(&mut input, &mut io::sink()).map(drop)
}

impl Ahead {
    /// Pax records: `LENGTH KEY=VALUE`, a line feed after each.
    fn read(&mut self, mut records: &[u8]) -> io::Result<()> {
        let broken = || wrong("a pax record is not one");
        while !records.is_empty() {
            let space = records.iter().position(|byte| *byte == b' ').ok_or_else(broken)?;
            let length = std::str::from_utf8(&records[..space]).ok().and_then(|text| text.parse().ok());
            let length: usize = length.filter(|length| *length > space).ok_or_else(broken)?;
            let record = records.get(space + 1..length).ok_or_else(broken)?;
            let record = record.strip_suffix(b"\n").ok_or_else(broken)?;
            let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(broken)?;
            let value = &record[equals + 1..];
            match &record[..equals] {
                b"path" => self.name = Some(value.to_vec()),
                b"linkpath" => self.link = Some(value.to_vec()),
                b"size" => {
                    let size = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                    self.size = Some(size.ok_or_else(broken)?);
                }
                // Times, owners and the like, which no release has.
                _ => {}
            }
            records = &records[length..];
        }
        Ok(())
    }
}

/// The place of a name in the folder, and never beside it.
fn place(into: &Path, name: &[u8]) -> io::Result<PathBuf> {
    let path = Path::new(OsStr::from_bytes(name));
    let is_inside = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if is_inside && !name.contains(&0) {
        return Ok(into.join(path));
    }
    Err(wrong(&format!("the name {:?} leads out of its folder", path.display())))
}

fn name(block: &[u8; BLOCK]) -> Vec<u8> {
    let name = field(&block[..100]);
    let prefix = if block[257..263] == *b"ustar\0" { field(&block[345..500]) } else { &[] };
    if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
}

/// A field up to its first zero byte.
fn field(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// Octal digits, or a binary number, marked by the first bit.
fn number(bytes: &[u8]) -> io::Result<u64> {
    if bytes[0] == 0x80 {
        let (high, low) = bytes.split_at(bytes.len() - 8);
        let low = u64::from_be_bytes(low.try_into().expect("eight bytes"));
        return if high[1..].iter().all(|byte| *byte == 0) {
            Ok(low)
        } else {
            Err(wrong("a number is too large"))
        };
    }
    let digits = std::str::from_utf8(field(bytes)).unwrap_or("?").trim();
    if digits.is_empty() {
        return Ok(0);
    }
    u64::from_str_radix(digits, 8).map_err(|_| wrong("a number is none"))
}

fn check(block: &[u8; BLOCK]) -> io::Result<()> {
    let sum = |at: usize, byte: u8| if (148..156).contains(&at) { u64::from(b' ') } else { u64::from(byte) };
    let sum: u64 = block.iter().enumerate().map(|(at, byte)| sum(at, *byte)).sum();
    if number(&block[148..156])? == sum { Ok(()) } else { Err(wrong("the sum of a header is wrong")) }
}

/// The whole content of an entry that speaks of the next one.
fn text(input: &mut impl Read, size: u64) -> io::Result<Vec<u8>> {
    if size > NAME {
        return Err(wrong("a name is too long"));
    }
    let mut bytes = Vec::new();
    content(input, size, &mut bytes)?;
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    Ok(bytes)
}

fn file(input: &mut impl Read, place: &Path, size: u64, mode: u64) -> io::Result<()> {
    parent(place)?;
    let mut file = File::create_new(place).map_err(|error| on(place, error))?;
    content(input, size, &mut file)?;
    let mode = u32::try_from(mode & 0o777).expect("nine bits") | 0o400;
    file.set_permissions(Permissions::from_mode(mode)).map_err(|error| on(place, error))
}

fn folder(place: &Path) -> io::Result<()> {
    fs::create_dir_all(place).map_err(|error| on(place, error))
}

fn parent(place: &Path) -> io::Result<()> {
    place.parent().map_or(Ok(()), folder)
}

/// The bytes of an entry, and what fills up its last block.
fn content(input: &mut impl Read, size: u64, out: &mut impl io::Write) -> io::Result<()> {
    let copied = io::copy(&mut input.take(size), out)?;
    let over = usize::try_from(size % BLOCK as u64).expect("less than a block");
    let mut padding = [0_u8; BLOCK];
    let padding = &mut padding[..(BLOCK - over) % BLOCK];
    let padded = input.read_exact(padding);
    if copied == size && padded.is_ok() { Ok(()) } else { Err(wrong("the stream ends before its end")) }
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

fn on(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot write {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use windlass_evidence::artifact;

    use super::super::tar::Tar;
    use super::*;

    /// A tree as an agent keeps one: read-only, with long names and links.
    fn tree(folder: &Path) -> PathBuf {
        let from = folder.join("from/artifact");
        let deep = from.join("deep/".repeat(30)).join("a folder with a rather long name");
        fs::create_dir_all(&deep).unwrap();
        fs::create_dir_all(from.join("empty")).unwrap();
        fs::write(from.join("plain"), "x".repeat(1500)).unwrap();
        fs::write(from.join("exact"), "x".repeat(1024)).unwrap();
        fs::write(deep.join("ünï $(touch hit) 'quoted'"), "deep").unwrap();
        fs::write(from.join("run"), "#!/bin/sh\n").unwrap();
        fs::set_permissions(from.join("run"), Permissions::from_mode(0o555)).unwrap();
        symlink("plain", from.join("link")).unwrap();
        symlink("y".repeat(150), from.join("long link")).unwrap();
        from
    }

    fn same(folder: &Path, from: &Path) {
        let there = folder.join("to/artifact");
        assert_eq!(artifact::digest(&there).unwrap(), artifact::digest(from).unwrap());
        assert_eq!(fs::metadata(there.join("run")).unwrap().permissions().mode() & 0o777, 0o555);
    }

    #[test]
    fn hosts_what_the_systems_tar_writes_in_any_of_its_forms_is_read_unchanged() {
        for form in ["gnu", "ustar", "pax", "posix"] {
            let folder = tempfile::tempdir().unwrap();
            let from = tree(folder.path());
            if form == "ustar" {
                // It has no place for the longest names.
                fs::remove_dir_all(from.join("deep")).unwrap();
                fs::remove_file(from.join("long link")).unwrap();
            }
            let tar = Command::new("tar")
                .args(["-c", "-f", "-", &format!("--format={form}"), "-C"])
                .args([from.parent().unwrap(), Path::new("artifact")])
                .output()
                .unwrap();
            assert!(tar.status.success(), "{form}: {}", String::from_utf8_lossy(&tar.stderr));
            unpack(&tar.stdout[..], &folder.path().join("to"))
                .unwrap_or_else(|error| panic!("{form}: {error}"));
            same(folder.path(), &from);
        }
    }

    #[test]
    fn hosts_a_stream_that_is_cut_anywhere_or_damaged_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let from = folder.path().join("from");
        fs::create_dir_all(&from).unwrap();
        fs::write(from.join("one"), "one").unwrap();
        let mut tar = Tar::new(Vec::new());
        tar.tree(Path::new("artifact"), &from).unwrap();
        let whole = tar.finish().unwrap();
        let blocks = whole.len() / BLOCK;
        for cut in (0..whole.len() - 2 * BLOCK).step_by(100) {
            let into = folder.path().join(format!("cut-{cut}"));
            assert!(unpack(&whole[..cut], &into).is_err(), "cut at {cut} of {blocks} blocks");
        }
        let mut damaged = whole.clone();
        damaged[3] ^= 1;
        assert!(unpack(&damaged[..], &folder.path().join("damaged")).is_err());
        unpack(&whole[..], &folder.path().join("whole")).unwrap();
    }

    /// A header of one's own, with a right sum.
    fn header(name: &str, kind: u8, link: &str) -> Vec<u8> {
        let mut block = vec![0_u8; BLOCK];
        block[..name.len()].copy_from_slice(name.as_bytes());
        block[100..108].copy_from_slice(b"0000644\0");
        block[124..136].copy_from_slice(b"00000000000\0");
        block[156] = kind;
        block[157..157 + link.len()].copy_from_slice(link.as_bytes());
        block[148..156].copy_from_slice(b"        ");
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        block
    }

    #[test]
    fn hosts_nothing_that_a_host_sends_is_written_beside_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let outside = folder.path().join("outside");
        fs::create_dir_all(&outside).unwrap();
        let out = outside.display().to_string();
        let end = vec![0_u8; 2 * BLOCK];
        let through_a_link =
            [header("door", b'2', &out), header("door/taken", b'0', ""), end.clone()].concat();
        let hostile = [
            [header("../taken", b'0', ""), end.clone()].concat(),
            [header(&format!("{out}/taken"), b'0', ""), end.clone()].concat(),
            [header("a/../../taken", b'5', ""), end.clone()].concat(),
            [header("hard", b'1', &format!("{out}/taken")), end.clone()].concat(),
            [header("device", b'3', ""), end.clone()].concat(),
            through_a_link,
        ];
        for (number, stream) in hostile.iter().enumerate() {
            let into = folder.path().join(format!("into-{number}"));
            assert!(unpack(&stream[..], &into).is_err(), "{number}");
            assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "{number}");
            assert!(!folder.path().join("taken").exists(), "{number}");
        }
    }
}
