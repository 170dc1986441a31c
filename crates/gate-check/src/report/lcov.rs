//! lcov tracefiles, 1.x and 2.x. Source: geninfo(1), "TRACEFILE FORMAT".

use std::collections::HashMap;
use std::io::{self, BufRead};

use super::Trouble;
use super::model::{Coverage, FileCoverage, key_of};

/// The longest line, in bytes.
const LONGEST_LINE: usize = 256 * 1024;

/// Whether these are the first bytes of a tracefile.
pub(super) fn recognises(head: &[u8]) -> bool {
    let text = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
    text.split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .find(|line| !line.is_empty() && !line.starts_with(b"#"))
        .is_some_and(|line| line.starts_with(b"TN:") || line.starts_with(b"SF:"))
}

/// A file's section that is being read.
struct Section {
    name: String,
    file: FileCoverage,
    /// The first line of each function, by the index that 2.x gives it.
    starts: HashMap<u64, u64>,
}

/// Reads a tracefile.
pub(super) fn read(reader: &mut impl BufRead) -> Result<Coverage, Trouble> {
    let mut coverage = Coverage::default();
    let mut section: Option<Section> = None;
    let mut long = Vec::new();
    let mut number = 0_u64;
    loop {
        number += 1;
        let at_line = |trouble: Trouble| trouble.at_line(number);
        // Lines lie whole in the reader's buffer but for those at its end.
        let available = match reader.fill_buf() {
            Ok(available) => available,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                number -= 1;
                continue;
            }
            Err(error) => return Err(at_line(Trouble::Unreadable(error))),
        };
        if available.is_empty() {
            break;
        }
        if let Some(end) = memchr::memchr(b'\n', available) {
            record(&available[..end], &mut section, &mut coverage).map_err(at_line)?;
            reader.consume(end + 1);
            continue;
        }
        long.clear();
        let taken = io::Read::take(&mut *reader, LONGEST_LINE as u64)
            .read_until(b'\n', &mut long)
            .map_err(|error| at_line(Trouble::Unreadable(error)))?;
        if taken == LONGEST_LINE && long.last() != Some(&b'\n') {
            return Err(at_line(Trouble::malformed("a line is longer than 256 KiB")));
        }
        record(&long, &mut section, &mut coverage).map_err(at_line)?;
    }
    match section {
        Some(section) => {
            Err(Trouble::truncated(format!("no end_of_record for {:?}", section.name)).at_line(number))
        }
        None => Ok(coverage),
    }
}

fn record(line: &[u8], section: &mut Option<Section>, coverage: &mut Coverage) -> Result<(), Trouble> {
    let line = line.trim_ascii_end();
    let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
    if line.is_empty() || line.starts_with(b"#") {
        return Ok(());
    }
    if line == b"end_of_record" {
        let section = section.take().ok_or_else(|| Trouble::malformed("end_of_record without SF"))?;
        close(section, coverage);
        return Ok(());
    }
    let Some(colon) = memchr::memchr(b':', line) else {
        return Err(Trouble::malformed(format!("not a record: {:?}", shown(line))));
    };
    let (kind, value) = (&line[..colon], &line[colon + 1..]);
    if kind == b"SF" {
        return match section {
            Some(open) => {
                Err(Trouble::truncated(format!("no end_of_record for {:?} before the next SF", open.name)))
            }
            None => {
                *section = Some(open(value, coverage)?);
                Ok(())
            }
        };
    }
    let known = matches!(kind, b"DA" | b"BRDA" | b"FN" | b"FNDA" | b"FNL" | b"FNA");
    let Some(section) = section else {
        return if known {
            Err(Trouble::malformed(format!("{} outside of a section", shown(kind))))
        } else {
            unknown(kind, line)
        };
    };
    let read = match kind {
        b"DA" => line_hits(value, section),
        b"BRDA" => branch(value, section),
        b"FN" => function(value, section),
        b"FNDA" => function_hits(value, section),
        b"FNL" => function_line(value, section),
        b"FNA" => function_alias(value, section),
        _ => return unknown(kind, line),
    };
    read.ok_or_else(|| Trouble::malformed(format!("unreadable record {:?}", shown(line))))
}

/// Records that later versions add are capitals and a colon; anything else is no tracefile.
fn unknown(kind: &[u8], line: &[u8]) -> Result<(), Trouble> {
    if !kind.is_empty() && kind.iter().all(u8::is_ascii_uppercase) {
        Ok(())
    } else {
        Err(Trouble::malformed(format!("not a record: {:?}", shown(line))))
    }
}

fn open(name: &[u8], coverage: &mut Coverage) -> Result<Section, Trouble> {
    let name = String::from_utf8_lossy(name.trim_ascii()).replace('\\', "/");
    if name.is_empty() {
        return Err(Trouble::malformed("SF without a name"));
    }
    // A file may have many sections: one a test.
    let file = coverage.files.remove(&name).unwrap_or_default();
    Ok(Section { name, file, starts: HashMap::new() })
}

fn close(section: Section, coverage: &mut Coverage) {
    let mut file = section.file;
    file.lines.settle();
    file.branches.settle();
    file.functions.settle();
    coverage.files.insert(section.name, file);
}

/// `DA:LINE,HITS[,CHECKSUM]`
fn line_hits(value: &[u8], section: &mut Section) -> Option<()> {
    let (line, rest) = cut(value)?;
    let hits = cut(rest).map_or(rest, |(hits, _)| hits);
    section.file.lines.note(u32::try_from(whole(line)?).ok()?, is_hit(hits)?);
    Some(())
}

/// `BRDA:LINE,[e]BLOCK,BRANCH,TAKEN` where TAKEN is a count, or `-` for a line that did not run. BRANCH may be an
/// expression with commas.
fn branch(value: &[u8], section: &mut Section) -> Option<()> {
    let at = memchr::memrchr(b',', value)?;
    let (place, taken) = (&value[..at], &value[at + 1..]);
    let (line, rest) = cut(place)?;
    whole(line)?;
    cut(rest)?;
    let hit = if taken == b"-" { false } else { is_hit(taken)? };
    section.file.branches.note(key_of(&[place]), hit);
    Some(())
}

/// `FN:START[,END],NAME`
fn function(value: &[u8], section: &mut Section) -> Option<()> {
    let (start, rest) = cut(value)?;
    whole(start)?;
    let name = match cut(rest) {
        Some((end, name)) if whole(end).is_some() => name,
        _ => rest,
    };
    section.file.functions.note(key_of(&[name]), false);
    Some(())
}

/// `FNDA:HITS,NAME`
fn function_hits(value: &[u8], section: &mut Section) -> Option<()> {
    let (hits, name) = cut(value)?;
    section.file.functions.note(key_of(&[name]), is_hit(hits)?);
    Some(())
}

/// `FNL:INDEX,START[,END]`, since 2.2
fn function_line(value: &[u8], section: &mut Section) -> Option<()> {
    let (index, rest) = cut(value)?;
    let start = whole(cut(rest).map_or(rest, |(start, _)| start))?;
    section.starts.insert(whole(index)?, start);
    section.file.functions.note(key_of(&[b"line", &start.to_le_bytes()]), false);
    Some(())
}

/// `FNA:INDEX,HITS,NAME`, since 2.2: one of the names of a function; any of them entered is the function entered
fn function_alias(value: &[u8], section: &mut Section) -> Option<()> {
    let (index, rest) = cut(value)?;
    let (hits, _) = cut(rest)?;
    let start = section.starts.get(&whole(index)?)?;
    section.file.functions.note(key_of(&[b"line", &start.to_le_bytes()]), is_hit(hits)?);
    Some(())
}

fn cut(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(b',', value)?;
    Some((&value[..at], &value[at + 1..]))
}

fn whole(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        digit.is_ascii_digit().then(|| number * 10 + u64::from(digit - b'0'))
    })
}

/// Whether a count is above zero. Overflowing counters give negative ones: not a hit.
fn is_hit(count: &[u8]) -> Option<bool> {
    if let Some(count) = whole(count) {
        return Some(count > 0);
    }
    let count: f64 = std::str::from_utf8(count).ok()?.trim().parse().ok()?;
    count.is_finite().then_some(count > 0.0)
}

fn shown(line: &[u8]) -> String {
    String::from_utf8_lossy(&line[..line.len().min(80)]).into_owned()
}
