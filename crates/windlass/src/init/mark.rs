//! The mark of a written file: one comment line with the version that wrote it, the words that it was written with, and
//! the hash of the rest. By it a later `init` knows whether the file is still as it was written, and writes it again.

use windlass_domain::digest::Digest;

use super::words::Words;

/// How the line begins, after the sign of a comment.
const BEGIN: &str = "windlass init ";

/// A mark that was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// The version that wrote the file.
    pub(super) version: String,
    /// The words that it was written with.
    pub(super) words: Words,
    /// Whether the rest is as it was written.
    pub(super) holds: bool,
}

/// The text with its mark: on the first line, or below the one that names a shell.
pub(super) fn marked(text: &str, path: &str, words: &Words) -> String {
    let sign = if path.ends_with("Jenkinsfile") { "//" } else { "#" };
    let mut line = format!("{sign} {BEGIN}{} {}", env!("CARGO_PKG_VERSION"), hash(text));
    for (name, value) in words {
        line.push_str(&format!(" {name}={}", encoded(value)));
    }
    let cut = if text.starts_with("#!") { text.find('\n').map_or(text.len(), |at| at + 1) } else { 0 };
    let (before, after) = text.split_at(cut);
    format!("{before}{line}\n{after}")
}

/// Reads the mark of a text; nothing where it has none.
pub(super) fn read(text: &str) -> Option<Mark> {
    let (at, line) = text
        .split_inclusive('\n')
        .take(2)
        .enumerate()
        .find(|(_, line)| line.trim_start_matches(['#', '/']).trim_start().starts_with(BEGIN))?;
    let told = line.trim_start_matches(['#', '/']).trim().strip_prefix(BEGIN)?;
    let mut parts = told.split(' ').filter(|part| !part.is_empty());
    let version = parts.next()?.to_owned();
    let written = parts.next()?.to_owned();
    let words = parts
        .filter_map(|part| part.split_once('='))
        .map(|(name, value)| (name.to_owned(), decoded(value)))
        .collect();
    let rest: String = text
        .split_inclusive('\n')
        .enumerate()
        .filter(|(index, _)| *index != at)
        .map(|(_, line)| line)
        .collect();
    // Git may have changed the ends of lines; nobody edited the file by that.
    let holds = hash(&rest.replace("\r\n", "\n")) == written;
    Some(Mark { version, words, holds })
}

fn hash(text: &str) -> String {
    let digest = Digest::of(text.as_bytes()).to_string();
    digest.chars().take("sha256:".len() + 16).collect()
}

/// One word without spaces, so that the line can be taken apart again.
fn encoded(value: &str) -> String {
    let mut out = String::new();
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"._/:,@[]-".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02x}"));
        }
    }
    out
}

fn decoded(value: &str) -> String {
    let bytes = value.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let hex = (*byte == b'%').then(|| value.get(at + 1..at + 3)).flatten();
        if let Some(code) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            out.push(code);
            at += 3;
        } else {
            out.push(*byte);
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_says_what_it_was_written_with_and_sees_every_change() {
        let words: Words = [("run", "[sh, -c, \"a % b\"]"), ("app", "shop")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        for (text, path) in
            [("a: 1\nb: 2\n", "x.yml"), ("#!/bin/sh\nset -eu\n", "x.sh"), ("pipeline {\n}\n", "Jenkinsfile")]
        {
            let written = marked(text, path, &words);
            let mark = read(&written).unwrap();
            assert_eq!(
                (mark.version.as_str(), &mark.words),
                (env!("CARGO_PKG_VERSION"), &words),
                "{written}"
            );
            assert!(mark.holds, "{written}");
            assert!(read(&written.replace('\n', "\r\n")).unwrap().holds, "{path}");
            assert_eq!(written.lines().next().unwrap().starts_with("#!"), text.starts_with("#!"));
            assert_eq!(written.starts_with("//"), path == "Jenkinsfile");
            let begin = written
                .find("windlass init")
                .map(|at| written[..at].rfind('\n').map_or(0, |at| at + 1))
                .unwrap();
            let end = begin + written[begin..].find('\n').unwrap();
            for index in (0..begin).chain(end + 1..written.len()) {
                let mut other = written.clone();
                other.insert(index, 'x');
                assert!(!read(&other).is_some_and(|mark| mark.holds), "{index}: {other}");
            }
        }
        assert_eq!(read("a: 1\n# windlass of old\n"), None);
        assert_eq!(read(""), None);
    }
}
