//! A log that the agent writes itself, line by line.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{Rule, aside};
use crate::clock::now;

/// A log that is put aside when it is due. Each write is one or more whole lines.
#[derive(Debug)]
pub(crate) struct Own {
    path: PathBuf,
    rule: Rule,
    file: File,
    length: u64,
    /// Writes until its age is looked at again.
    calm: u32,
}

/// How often age is looked at, in writes: looking costs a call or two.
const CALM: u32 = 1000;

impl Own {
    /// Opens it, or makes it, for appending.
    pub(crate) fn open(path: &Path, rule: Rule) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let length = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), rule, file, length, calm: 0 })
    }

    /// Writes all of it or, where that fails, nothing: a line that is cut off would spoil the next one, too.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut done = 0;
        while done < bytes.len() {
            match self.file.write(&bytes[done..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(more) => done += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    if done > 0 {
                        let length = self.file.metadata()?.len();
                        self.file.set_len(length.saturating_sub(done as u64))?;
                    }
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    fn is_due(&mut self) -> io::Result<bool> {
        if self.length == 0 {
            return Ok(false);
        }
        if self.length >= self.rule.size {
            return Ok(true);
        }
        self.calm = self.calm.checked_sub(1).unwrap_or(CALM);
        Ok(self.calm == CALM && self.rule.is_due(&self.path, &self.file.metadata()?, now()))
    }
}

impl Write for Own {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_due()? {
            aside::put(&self.path, &self.path, self.rule.keep)?;
            *self = Self::open(&self.path, self.rule)?;
        }
        self.append(bytes)?;
        self.length += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_log_is_put_aside_between_two_lines_and_only_so_many_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.log");
        let rule = Rule { size: 10, age: Duration::from_secs(3600), keep: 2 };
        let mut log = Own::open(&path, rule).unwrap();
        for line in ["one\n", "two\n", "three\n", "four\n", "five\n", "six\n", "seven\n", "eight\n", "nine\n"]
        {
            log.write_all(line.as_bytes()).unwrap();
        }
        let text = |path: &Path| fs::read_to_string(path).unwrap();
        assert_eq!(text(&aside::place(&path, 2)), "four\nfive\n");
        assert_eq!(text(&aside::place(&path, 1)), "six\nseven\n");
        assert_eq!(text(&path), "eight\nnine\n");
        assert!(!aside::place(&path, 3).exists());
    }
}
