//! XML, event by event: encodings, places of errors, and what is refused of the language.
//!
//! No entity but the five predefined ones is known: a document that declares any, or uses one, is refused. Document types that
//! only name an external file are common in reports; the file is never opened.

use std::io::{BufReader, Read};

use quick_xml::encoding::DecodingReader;
use quick_xml::events::{BytesDecl, BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::Trouble;
use super::markup::Markup;

/// How deeply elements may nest.
const DEEPEST: usize = 256;

/// A document that is being read.
pub(super) struct Document<R: Read> {
    reader: Reader<Markup<DecodingReader<BufReader<R>>>>,
    buffer: Vec<u8>,
    depth: usize,
}

/// What happens next in a document, for a format to react to.
pub(super) enum Item<'a> {
    /// An element begins. An empty one begins and ends.
    Begin(&'a Element<'a>),
    /// An element ends.
    End(&'a str),
    /// Text, or CDATA. Long ones are cut.
    Text(&'a str),
}

/// An element's beginning.
pub(super) struct Element<'a>(BytesStart<'a>);

impl Element<'_> {
    /// Its name, without a prefix.
    pub(super) fn name(&self) -> &str {
        self.0.local_name().into_inner()
    }

    /// The value of an attribute, with references resolved.
    pub(super) fn attribute(&self, name: &str) -> Result<Option<String>, Trouble> {
        let mut found = None;
        self.each(|key, value| {
            if key == name && found.is_none() {
                found = Some(value()?);
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// Visits the attributes; the value is resolved only when it is asked for.
    pub(super) fn each(
        &self,
        mut visit: impl FnMut(&str, &dyn Fn() -> Result<String, Trouble>) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        for attribute in self.0.attributes() {
            let attribute =
                attribute.map_err(|error| Trouble::malformed(format!("malformed attribute: {error}")))?;
            let value = || {
                attribute
                    .normalized_value(XmlVersion::Implicit1_0)
                    .map(std::borrow::Cow::into_owned)
                    .map_err(|error| Trouble::malformed(format!("malformed attribute value: {error}")))
            };
            visit(attribute.key.local_name().into_inner(), &value)?;
        }
        Ok(())
    }

    /// Visits the attributes as they are written, references unresolved: for numbers.
    pub(super) fn each_raw(&self, mut visit: impl FnMut(&str, &str)) -> Result<(), Trouble> {
        for attribute in self.0.attributes() {
            let attribute =
                attribute.map_err(|error| Trouble::malformed(format!("malformed attribute: {error}")))?;
            visit(attribute.key.local_name().into_inner(), &attribute.value);
        }
        Ok(())
    }
}

impl<R: Read> Document<R> {
    /// Begins to read. `head` is the start of what `inner` will give.
    pub(super) fn new(inner: R, head: &[u8]) -> Result<Self, Trouble> {
        let mut decoding = DecodingReader::new(BufReader::with_capacity(64 * 1024, inner));
        if let Some(name) = declared_encoding(head) {
            let declaration = BytesDecl::new("1.0", Some(&name), None);
            let encoding = declaration
                .encoder()
                .ok_or_else(|| Trouble::malformed(format!("unknown encoding {name:?}")))?;
            decoding.set_encoding(encoding);
        }
        let mut reader = Reader::from_reader(Markup::new(decoding));
        reader.config_mut().allow_dangling_amp = true;
        Ok(Self { reader, buffer: Vec::new(), depth: 0 })
    }

    /// Reads to the end and hands every item to `visit`.
    pub(super) fn read(
        &mut self,
        mut visit: impl FnMut(Item<'_>) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        let mut has_root = false;
        loop {
            self.buffer.clear();
            let event = match self.reader.read_event_into(&mut self.buffer) {
                Ok(event) => event,
                Err(error) => {
                    let line = self.reader.get_ref().line();
                    let trouble = match error {
                        // The reader gives this of markup that the input ends in, and of nothing else.
                        quick_xml::Error::Syntax(cut) => Trouble::truncated(cut.to_string()),
                        other => Trouble::malformed(other.to_string()),
                    };
                    return Err(trouble.at_line(line));
                }
            };
            let depth = &mut self.depth;
            let visited = match event {
                Event::Start(start) => {
                    *depth += 1;
                    if *depth > DEEPEST {
                        Err(Trouble::malformed(format!("elements nest deeper than {DEEPEST}")))
                    } else if *depth == 1 && has_root {
                        Err(Trouble::malformed("a second root element"))
                    } else {
                        has_root = true;
                        visit(Item::Begin(&Element(start)))
                    }
                }
                Event::Empty(_) if *depth == 0 && has_root => {
                    Err(Trouble::malformed("a second root element"))
                }
                Event::Empty(start) => {
                    has_root = true;
                    let element = Element(start);
                    visit(Item::Begin(&element)).and_then(|()| visit(Item::End(element.name())))
                }
                Event::End(end) => {
                    *depth = depth.saturating_sub(1);
                    visit(Item::End(end.local_name().into_inner()))
                }
                Event::Text(text) if *depth == 0 && !text.trim().is_empty() => {
                    Err(Trouble::malformed("text outside of the root element"))
                }
                Event::Text(text) => visit(Item::Text(&text)),
                Event::CData(text) => visit(Item::Text(&text)),
                Event::GeneralRef(reference) => match (&*reference, reference.is_char_ref()) {
                    ("lt" | "gt" | "amp" | "apos" | "quot", _) | (_, true) => Ok(()),
                    (name, false) => Err(Trouble::refused(format!("entity {name:?} is not resolved"))),
                },
                Event::DocType(text) if text.contains("<!ENTITY") => {
                    Err(Trouble::refused("the document declares entities, which are not resolved"))
                }
                Event::DocType(_) | Event::Decl(_) | Event::Comment(_) | Event::PI(_) => Ok(()),
                Event::Eof if *depth > 0 => Err(Trouble::truncated("the file ends inside an element")),
                Event::Eof if !has_root => Err(Trouble::truncated("no element in the file")),
                Event::Eof => return Ok(()),
            };
            visited.map_err(|trouble| trouble.at_line(self.reader.get_ref().line()))?;
        }
    }
}

/// The encoding that the XML declaration names, where the bytes do not show it themselves. A file that says UTF-16
/// and plainly is not, as some runners write, is read as UTF-8, which is then checked.
fn declared_encoding(head: &[u8]) -> Option<String> {
    let head = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
    if !head.starts_with(b"<?xml") {
        return None;
    }
    let end = memchr::memmem::find(head, b"?>").unwrap_or(head.len());
    let declaration = String::from_utf8_lossy(&head[..end]).into_owned();
    let value = declaration.split_once("encoding")?.1.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let name = value[1..].split(quote).next()?.trim();
    (!name.to_ascii_lowercase().starts_with("utf-16") && !name.eq_ignore_ascii_case("utf-8"))
        .then(|| name.to_owned())
}

/// Whether these are the first bytes of an XML document, in whatever encoding.
pub(super) fn looks_like_xml(head: &[u8]) -> bool {
    let utf16 = [&[0xFF, 0xFE][..], &[0xFE, 0xFF], &[0, b'<'], &[b'<', 0]]
        .iter()
        .any(|start| head.starts_with(start));
    let text = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head).trim_ascii_start();
    utf16 || text.first() == Some(&b'<')
}
