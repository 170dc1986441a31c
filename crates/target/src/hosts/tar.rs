//! Writing a tar stream: files, folders and links, always the same bytes for the same tree.
//!
//! The format is POSIX ustar (IEEE Std 1003.1, `pax`), with GNU's `L` and `K` entries before names and link targets
//! that are longer than its 100 bytes, which the `tar` of every system reads.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

const BLOCK: usize = 512;

/// Writes entries one after the other.
pub(super) struct Tar<W: Write> {
    out: W,
}

impl<W: Write> Tar<W> {
    pub(super) const fn new(out: W) -> Self {
        Self { out }
    }

    /// The file or folder at `from`, as `name`. A link at the top is followed; those inside a folder stay links.
    ///
    /// # Errors
    /// When something cannot be read or written, or is neither file, folder nor link.
    pub(super) fn tree(&mut self, name: &Path, from: &Path) -> io::Result<()> {
        let metadata = fs::metadata(from).map_err(|error| on(from, error))?;
        if metadata.is_dir() { self.folder(name, from) } else { self.file(name, from) }
    }

    /// A folder with nothing in it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn empty_folder(&mut self, name: &Path) -> io::Result<()> {
        self.header(name, b'5', 0o700, 0, None)
    }

    /// Ends the stream and gives back what it was written to.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&[0; 2 * BLOCK])?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn folder(&mut self, name: &Path, from: &Path) -> io::Result<()> {
        // Whoever unpacks must be able to write into it, whatever its mode is here.
        self.header(name, b'5', 0o755, 0, None)?;
        let mut inside: Vec<OsString> = fs::read_dir(from)
            .and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect())
            .map_err(|error| on(from, error))?;
        inside.sort_unstable();
        for one in inside {
            let (place, source) = (name.join(&one), from.join(&one));
            let metadata = fs::symlink_metadata(&source).map_err(|error| on(&source, error))?;
            if metadata.is_dir() {
                self.folder(&place, &source)?;
            } else if metadata.is_symlink() {
                let target = fs::read_link(&source).map_err(|error| on(&source, error))?;
                self.header(&place, b'2', 0o777, 0, Some(&target))?;
            } else {
                self.file(&place, &source)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, name: &Path, from: &Path) -> io::Result<()> {
        let mut file = File::open(from).map_err(|error| on(from, error))?;
        let metadata = file.metadata().map_err(|error| on(from, error))?;
        if !metadata.is_file() {
            return Err(on(from, io::Error::other("it is neither file, folder nor link")));
        }
        let size = metadata.len();
        self.header(name, b'0', metadata.permissions().mode() & 0o777, size, None)?;
        let copied = io::copy(&mut (&mut file).take(size), &mut self.out)?;
        if copied != size {
            return Err(on(from, io::Error::other("it became shorter while it was read")));
        }
        self.pad(size)
    }

    fn header(&mut self, name: &Path, kind: u8, mode: u32, size: u64, link: Option<&Path>) -> io::Result<()> {
        let link = link.map(|link| link.as_os_str().as_bytes()).unwrap_or_default();
        let name = name.as_os_str().as_bytes();
        self.long(b'K', link)?;
        self.long(b'L', name)?;
        self.block(name, kind, mode, size, link)
    }

    /// An entry that bears a text too long for a header's field.
    fn long(&mut self, kind: u8, text: &[u8]) -> io::Result<()> {
        if text.len() <= 100 {
            return Ok(());
        }
        let size = text.len() as u64 + 1;
        self.block(b"././@LongLink", kind, 0o644, size, b"")?;
        self.out.write_all(text)?;
        self.out.write_all(&[0])?;
        self.pad(size)
    }

    fn block(&mut self, name: &[u8], kind: u8, mode: u32, size: u64, link: &[u8]) -> io::Result<()> {
        let mut block = [0_u8; BLOCK];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &name[..name.len().min(100)]);
        put(100, format!("{mode:07o}\0").as_bytes());
        put(108, b"0000000\0");
        put(116, b"0000000\0");
        match size {
            0..0o100_000_000_000 => put(124, format!("{size:011o}\0").as_bytes()),
            // Eight gibibytes and more: a binary number, marked by the first bit.
            _ => put(124, &[&[0x80, 0, 0, 0][..], &size.to_be_bytes()].concat()),
        }
        put(136, b"00000000000\0");
        put(148, b"        ");
        put(156, &[kind]);
        put(157, &link[..link.len().min(100)]);
        put(257, b"ustar\x0000");
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.out.write_all(&block)
    }

    fn pad(&mut self, size: u64) -> io::Result<()> {
        let over = usize::try_from(size % BLOCK as u64).expect("less than a block");
        if over == 0 { Ok(()) } else { self.out.write_all(&[0; BLOCK][over..]) }
    }
}

fn on(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot send {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::process::{Command, Stdio};

    use windlass_evidence::artifact;

    use super::*;

    #[test]
    fn hosts_a_tree_goes_through_the_systems_tar_unchanged() {
        let folder = std::env::temp_dir().join(format!("wl-tar-{}", std::process::id()));
        let (from, to) = (folder.join("from"), folder.join("to"));
        let deep = from.join("deep/".repeat(30)).join("a folder with a rather long name");
        fs::create_dir_all(&deep).expect("a folder");
        fs::create_dir_all(&to).expect("a folder");
        fs::create_dir_all(from.join("empty")).expect("a folder");
        fs::write(from.join("plain"), "x".repeat(1500)).expect("a file");
        fs::write(from.join("exact"), "x".repeat(1024)).expect("a file");
        fs::write(from.join("none"), "").expect("a file");
        fs::write(deep.join("ünï $(touch hit) 'quoted'"), "deep").expect("a file");
        fs::write(from.join("run"), "#!/bin/sh\n").expect("a file");
        fs::set_permissions(from.join("run"), fs::Permissions::from_mode(0o750)).expect("ours");
        symlink("plain", from.join("link")).expect("a link");
        symlink("y".repeat(150), from.join("long link")).expect("a link");

        let mut tar = Tar::new(Vec::new());
        tar.tree(Path::new("artifact"), &from).expect("it is written");
        let bytes = tar.finish().expect("it ends");
        let mut child = Command::new("tar")
            .args(["-x", "-p", "-o", "-f", "-", "-C"])
            .arg(&to)
            .stdin(Stdio::piped())
            .spawn()
            .expect("tar is there");
        child.stdin.take().expect("piped").write_all(&bytes).expect("it reads");
        assert!(child.wait().expect("it ends").success());

        let there = to.join("artifact");
        assert_eq!(artifact::digest(&there).expect("whole"), artifact::digest(&from).expect("whole"));
        assert_eq!(fs::read_link(there.join("long link")).expect("a link").as_os_str().len(), 150);
        assert_eq!(fs::metadata(there.join("run")).expect("there").permissions().mode() & 0o777, 0o750);
        let mut again = Tar::new(Vec::new());
        again.tree(Path::new("artifact"), &from).expect("it is written");
        assert_eq!(again.finish().expect("it ends"), bytes);
        fs::remove_dir_all(&folder).expect("ours");
    }
}
