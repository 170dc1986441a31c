//! A reader that hands XML on without the bulk of its text: long texts, CDATA sections and comments are cut.
//!
//! A report's markup is all that is read of it, and test runners put whole logs into CDATA: with them cut, memory does
//! not grow with the file. Also counts lines, so that an error has a place.

use std::io::{self, BufRead, Read};

/// How many bytes of one text, CDATA section or comment are handed on.
const KEPT: usize = 16 * 1024;
/// The largest tag, in bytes.
const LARGEST_TAG: usize = 4 * 1024 * 1024;
/// The bytes that are read at once.
const BUFFER: usize = 64 * 1024;

/// Where in the document the next byte is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Text {
        kept: usize,
    },
    CData {
        kept: usize,
    },
    Comment {
        kept: usize,
    },
    /// A tag, a processing instruction or a document type; brackets are those of the latter.
    Tag {
        quote: Option<u8>,
        length: usize,
        brackets: u8,
    },
}

/// The reader.
pub(super) struct Markup<R> {
    inner: R,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// How many bytes from `start` may be handed out.
    ready: usize,
    ended: bool,
    state: State,
    line: u64,
}

impl<R: Read> Markup<R> {
    pub(super) fn new(inner: R) -> Self {
        Self {
            inner,
            buffer: vec![0; BUFFER].into_boxed_slice(),
            start: 0,
            end: 0,
            ready: 0,
            ended: false,
            state: State::Text { kept: 0 },
            line: 1,
        }
    }

    /// The line that has been read to, from 1.
    pub(super) const fn line(&self) -> u64 {
        self.line
    }

    fn pending(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    fn refill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        loop {
            match self.inner.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.ended = true,
                Ok(count) => self.end += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            return Ok(());
        }
    }

    fn advance(&mut self, count: usize) {
        let passed = &self.buffer[self.start..self.start + count];
        self.line += passed.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.start += count;
    }

    /// Decides what becomes of the pending bytes: makes some of them ready, or drops some, or asks for more.
    fn scan(&mut self) -> io::Result<()> {
        match self.state {
            State::Text { kept } => self.scan_text(kept),
            State::CData { kept } => self.scan_until(kept, b"]]>", |kept| State::CData { kept }),
            State::Comment { kept } => self.scan_until(kept, b"-->", |kept| State::Comment { kept }),
            State::Tag { quote, length, brackets } => self.scan_tag(quote, length, brackets),
        }
    }

    fn scan_text(&mut self, kept: usize) -> io::Result<()> {
        const LONGEST_OPENING: usize = b"<![CDATA[".len();
        let pending = self.pending();
        let length = memchr::memchr(b'<', pending).unwrap_or(pending.len());
        if length > 0 {
            let kept = self.pass_or_drop(length, kept);
            self.state = State::Text { kept };
            return Ok(());
        }
        if pending.len() < LONGEST_OPENING && !self.ended {
            return self.refill();
        }
        (self.ready, self.state) = if pending.starts_with(b"<![CDATA[") {
            (LONGEST_OPENING, State::CData { kept: 0 })
        } else if pending.starts_with(b"<!--") {
            (4, State::Comment { kept: 0 })
        } else {
            (1, State::Tag { quote: None, length: 1, brackets: 0 })
        };
        Ok(())
    }

    fn scan_until(&mut self, kept: usize, closing: &[u8; 3], state: fn(usize) -> State) -> io::Result<()> {
        let pending = self.pending();
        let found = memchr::memmem::find(pending, closing);
        let length = match found {
            Some(0) => {
                self.ready = closing.len();
                self.state = State::Text { kept: 0 };
                return Ok(());
            }
            Some(at) => at,
            None if self.ended => pending.len(),
            // The last two bytes may be the closing's first.
            None if pending.len() > 2 => pending.len() - 2,
            None => return self.refill(),
        };
        let kept = self.pass_or_drop(length, kept);
        self.state = state(kept);
        Ok(())
    }

    fn scan_tag(&mut self, quote: Option<u8>, length: usize, brackets: u8) -> io::Result<()> {
        let pending = self.pending();
        let at = match quote {
            Some(quote) => memchr::memchr(quote, pending),
            None => pending.iter().position(|byte| matches!(byte, b'"' | b'\'' | b'>' | b'[' | b']')),
        };
        let count = at.map_or(pending.len(), |at| at + 1);
        let length = length + count;
        if length > LARGEST_TAG {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a tag is larger than 4 MiB"));
        }
        self.state = match (at.map(|at| pending[at]), quote) {
            (None, quote) => State::Tag { quote, length, brackets },
            (Some(_), Some(_)) => State::Tag { quote: None, length, brackets },
            (Some(b'>'), None) if brackets == 0 => State::Text { kept: 0 },
            (Some(b'['), None) => State::Tag { quote: None, length, brackets: brackets.saturating_add(1) },
            (Some(b']'), None) => State::Tag { quote: None, length, brackets: brackets.saturating_sub(1) },
            (Some(byte), None) => {
                let quote = (byte != b'>').then_some(byte);
                State::Tag { quote, length, brackets }
            }
        };
        self.ready = count;
        Ok(())
    }

    /// Makes so many bytes ready as may still be kept, else drops them; never in the middle of a character.
    fn pass_or_drop(&mut self, length: usize, kept: usize) -> usize {
        let mut count = length.min(KEPT - kept);
        if count < length {
            while count > 0 && self.buffer[self.start + count] & 0b1100_0000 == 0b1000_0000 {
                count -= 1;
            }
        }
        if count > 0 {
            self.ready = count;
            // Cut once, cut for good: what follows is not the continuation of what was kept.
            if count < length { KEPT } else { kept + count }
        } else {
            self.advance(length);
            KEPT
        }
    }
}

impl<R: Read> BufRead for Markup<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.ready == 0 {
            if self.start == self.end {
                if self.ended {
                    return Ok(&[]);
                }
                self.refill()?;
            } else {
                self.scan()?;
            }
        }
        Ok(&self.buffer[self.start..self.start + self.ready])
    }

    fn consume(&mut self, count: usize) {
        self.advance(count);
        self.ready -= count;
    }
}

impl<R: Read> Read for Markup<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let count = available.len().min(out.len());
        out[..count].copy_from_slice(&available[..count]);
        self.consume(count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(text: &str) -> String {
        let mut out = String::new();
        Markup::new(text.as_bytes()).read_to_string(&mut out).unwrap();
        out
    }

    #[test]
    fn short_documents_are_handed_on_unchanged() {
        for text in [
            "",
            "<",
            "<a b='x>y' c=\"<z>'\">t</a>",
            "<!DOCTYPE a [<!ENTITY x '>'>]><a><!-- - -- > --><![CDATA[ ] ]] ]>&<b> ]]></a>",
            "<a><![CDATA[never closed",
        ] {
            assert_eq!(through(text), text);
        }
    }

    #[test]
    fn long_text_cdata_and_comments_are_cut_at_a_character_and_the_markup_stays() {
        let long = "é".repeat(200_000);
        let cut = "é".repeat(KEPT / 2);
        for (open, close) in [("<a>x", "</a>"), ("<a><![CDATA[x", "]]></a>"), ("<a><!--x", "--></a>")] {
            let out = through(&format!("{open}{long}{close}"));
            assert!(out.len() < 2 * KEPT && out.starts_with(open) && out.ends_with(close), "{open}");
            assert!(out.len() > cut.len() - 8, "{open}");
        }
    }

    #[test]
    fn lines_of_cut_text_are_counted_and_a_giant_tag_is_an_error() {
        let text = format!("<a>{}</a>", "\n".repeat(100_000));
        let mut markup = Markup::new(text.as_bytes());
        io::copy(&mut markup, &mut io::sink()).unwrap();
        assert_eq!(markup.line(), 100_001);
        let giant = format!("<a b='{}", "x".repeat(LARGEST_TAG + 1));
        assert!(io::copy(&mut Markup::new(giant.as_bytes()), &mut io::sink()).is_err());
    }
}
