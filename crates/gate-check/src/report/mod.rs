//! Reports of tests, coverage and static analysis: found by their content, never by their name; read as streams.
//!
//! What cannot be read whole is a [`Trouble`] with its place, and never an empty report.

mod cobertura;
mod junit;
mod lcov;
pub mod lines;
mod markup;
pub mod model;
mod sarif;
mod seconds;
mod tee;
mod xml;

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;
use windlass_domain::digest::Digest;

use self::cobertura::Cobertura;
use self::junit::Junit;
use self::model::Content;
use self::tee::Tee;
use self::xml::Item;

/// A form of report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// JUnit XML.
    Junit,
    /// An lcov tracefile.
    Lcov,
    /// Cobertura XML.
    Cobertura,
    /// SARIF 2.1.0.
    Sarif,
}

impl Format {
    /// Every form that is read.
    pub const ALL: [Self; 4] = [Self::Junit, Self::Lcov, Self::Cobertura, Self::Sarif];

    /// Its name for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Junit => "JUnit XML",
            Self::Lcov => "lcov",
            Self::Cobertura => "Cobertura XML",
            Self::Sarif => "SARIF",
        }
    }
}

/// A report that was read whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// Its form.
    pub format: Format,
    /// What it says.
    pub content: Content,
    /// The sha256 of its bytes, of the very bytes that were read.
    pub digest: Digest,
}

/// Why a report could not be read.
#[derive(Debug)]
pub enum Trouble {
    /// The file cannot be read.
    Unreadable(io::Error),
    /// The file has no content.
    Empty,
    /// It is none of the known forms; with what it seems to be.
    Unknown(String),
    /// It ends too early.
    Truncated {
        /// What is missing.
        what: String,
        /// The line, from 1, where it is known.
        line: Option<u64>,
    },
    /// It is not well-formed.
    Malformed {
        /// What is wrong.
        what: String,
        /// The line, from 1, where it is known.
        line: Option<u64>,
    },
    /// It asks for something that is refused.
    Refused {
        /// What.
        what: String,
        /// The line, from 1, where it is known.
        line: Option<u64>,
    },
}

impl Trouble {
    fn malformed(what: impl Into<String>) -> Self {
        Self::Malformed { what: what.into(), line: None }
    }

    fn truncated(what: impl Into<String>) -> Self {
        Self::Truncated { what: what.into(), line: None }
    }

    fn refused(what: impl Into<String>) -> Self {
        Self::Refused { what: what.into(), line: None }
    }

    fn at_line(mut self, at: u64) -> Self {
        match &mut self {
            Self::Truncated { line, .. } | Self::Malformed { line, .. } | Self::Refused { line, .. } => {
                line.get_or_insert(at);
            }
            Self::Unreadable(_) | Self::Empty | Self::Unknown(_) => {}
        }
        self
    }

    /// The line, from 1, where it is known.
    #[must_use]
    pub const fn line(&self) -> Option<u64> {
        match self {
            Self::Truncated { line, .. } | Self::Malformed { line, .. } | Self::Refused { line, .. } => *line,
            Self::Unreadable(_) | Self::Empty | Self::Unknown(_) => None,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "cannot be read: {error}"),
            Self::Empty => f.write_str("is empty"),
            Self::Unknown(what) => write!(f, "is not a known report: {what}"),
            Self::Truncated { what, .. } => write!(f, "is truncated: {what}"),
            Self::Malformed { what, .. } => write!(f, "is not well-formed: {what}"),
            Self::Refused { what, .. } => write!(f, "is refused: {what}"),
        }?;
        self.line().map_or(Ok(()), |line| write!(f, " (line {line})"))
    }
}

impl std::error::Error for Trouble {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable(error) => Some(error),
            Self::Empty
            | Self::Unknown(_)
            | Self::Truncated { .. }
            | Self::Malformed { .. }
            | Self::Refused { .. } => None,
        }
    }
}

/// Reads the report at `path`.
///
/// # Errors
/// See [`Trouble`]; never a report of what could be read so far.
pub fn read_file(path: &Path) -> Result<Parsed, Trouble> {
    let file = std::fs::File::open(path).map_err(Trouble::Unreadable)?;
    if file.metadata().map_err(Trouble::Unreadable)?.is_dir() {
        return Err(Trouble::Unreadable(io::Error::from(io::ErrorKind::IsADirectory)));
    }
    read(file)
}

/// Reads a report from its first byte to its last.
///
/// # Errors
/// As [`read_file`].
pub fn read(inner: impl Read) -> Result<Parsed, Trouble> {
    let mut reader = BufReader::with_capacity(128 * 1024, Tee::new(inner));
    let head = loop {
        match reader.fill_buf() {
            Ok(head) => break head.to_vec(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Trouble::Unreadable(error)),
        }
    };
    let text = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&head);
    if text.trim_ascii().is_empty() && head.len() < 4096 {
        return Err(Trouble::Empty);
    }
    let (format, content) = if lcov::recognises(&head) {
        (Format::Lcov, Content::Coverage(lcov::read(&mut reader)?))
    } else if text.trim_ascii_start().starts_with(b"{") {
        reader.consume(head.len() - text.len());
        (Format::Sarif, Content::Findings(sarif::read(&mut reader)?))
    } else if xml::looks_like_xml(&head) {
        read_xml(&mut reader, &head)?
    } else {
        return Err(Trouble::Unknown("neither XML, lcov nor JSON".into()));
    };
    io::copy(&mut reader, &mut io::sink()).map_err(Trouble::Unreadable)?;
    Ok(Parsed { format, content, digest: reader.into_inner().digest() })
}

/// The forms of XML, told apart by the root.
enum Xml {
    Unseen,
    Junit(Box<Junit>),
    Cobertura(Box<Cobertura>),
}

fn read_xml(reader: &mut impl Read, head: &[u8]) -> Result<(Format, Content), Trouble> {
    let mut form = Xml::Unseen;
    xml::Document::new(reader, head)?.read(|item| {
        if let (Xml::Unseen, Item::Begin(root)) = (&form, &item) {
            form = recognise(root)?;
        }
        match &mut form {
            Xml::Unseen => Ok(()),
            Xml::Junit(junit) => junit.item(item),
            Xml::Cobertura(cobertura) => cobertura.item(item),
        }
    })?;
    match form {
        Xml::Unseen => Err(Trouble::truncated("no element in the file")),
        Xml::Junit(junit) => Ok((Format::Junit, Content::Tests(junit.finish()))),
        Xml::Cobertura(cobertura) => Ok((Format::Cobertura, Content::Coverage(cobertura.finish()))),
    }
}

fn recognise(root: &xml::Element<'_>) -> Result<Xml, Trouble> {
    if Junit::recognises(root.name()) {
        Ok(Xml::Junit(Box::default()))
    } else if Cobertura::recognises(root)? {
        Ok(Xml::Cobertura(Box::default()))
    } else {
        Err(Trouble::Unknown(format!("XML with the root element {:?}", root.name())))
    }
}

#[cfg(test)]
mod tests;
