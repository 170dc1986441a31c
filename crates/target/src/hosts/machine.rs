//! What machine a program is for, by its own header: so that none is sent where it cannot run.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// What a program runs on, as `uname -m` calls it; `None` where it is not a Linux program of a machine known here.
///
/// The bytes are those of the ELF header: its mark, at 5 the byte order, and at 18 the machine (`e_machine`).
///
/// # Errors
/// When it cannot be read.
pub(super) fn machine_of(program: &Path) -> io::Result<Option<&'static str>> {
    let mut header = [0; 20];
    match File::open(program)?.read_exact(&mut header) {
        Ok(()) => Ok(machine(&header)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

fn machine(header: &[u8; 20]) -> Option<&'static str> {
    if !header.starts_with(b"\x7fELF") {
        return None;
    }
    let number = [header[18], header[19]];
    let number = match header[5] {
        1 => u16::from_le_bytes(number),
        2 => u16::from_be_bytes(number),
        _ => return None,
    };
    match (number, header[5]) {
        (3, _) => Some("i686"),
        (21, 1) => Some("ppc64le"),
        (22, _) => Some("s390x"),
        (40, _) => Some("armv7l"),
        (62, _) => Some("x86_64"),
        (183, _) => Some("aarch64"),
        (243, _) => Some("riscv64"),
        _ => None,
    }
}

/// Whether a machine that calls itself `far` runs programs for `program`.
pub(super) fn runs(far: &str, program: &str) -> bool {
    match program {
        "i686" => matches!(far, "i386" | "i486" | "i586" | "i686" | "x86_64"),
        "armv7l" => matches!(far, "armv7l" | "armv8l"),
        "aarch64" => matches!(far, "aarch64" | "arm64"),
        same => far == same,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_a_program_tells_its_own_machine() {
        let here = std::process::Command::new("uname").arg("-m").output().expect("uname is there").stdout;
        let here = String::from_utf8(here).expect("a word");
        let mine = machine_of(&std::env::current_exe().expect("it runs")).expect("it is read");
        assert!(runs(here.trim(), mine.expect("a known machine")), "{here}");
        assert_eq!(machine_of(Path::new("/etc/hostname")).expect("it is read"), None);
    }

    #[test]
    fn hosts_of_another_machine_are_told_apart() {
        let mut header = *b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xb7\0";
        assert_eq!(machine(&header), Some("aarch64"));
        assert!(!runs("x86_64", "aarch64"));
        (header[5], header[18], header[19]) = (2, 0, 22);
        assert_eq!(machine(&header), Some("s390x"));
    }
}
