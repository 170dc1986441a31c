//! Executable lines of one file and which of them ran, as bits: two for a line instead of an entry for each.

use super::model::Share;

/// Sixty-four lines: their number divided by 64, which are executable, which ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Block {
    index: u32,
    found: u64,
    hit: u64,
}

/// A set of lines, each run or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// Sorted by index, once settled.
    blocks: Vec<Block>,
    unsorted: bool,
}

impl Lines {
    /// Notes an executable line. A line noted twice ran if either note says so.
    pub fn note(&mut self, line: u32, hit: bool) {
        let index = line / 64;
        let bit = 1_u64 << (line % 64);
        let hit = if hit { bit } else { 0 };
        match self.blocks.last_mut() {
            Some(last) if last.index == index => {
                last.found |= bit;
                last.hit |= hit;
            }
            last => {
                self.unsorted |= last.is_some_and(|last| last.index > index);
                self.blocks.push(Block { index, found: bit, hit });
            }
        }
        // A report that jumps about must not make this grow with its length.
        if self.unsorted && self.blocks.len().is_power_of_two() && self.blocks.len() >= 1024 {
            self.settle();
        }
    }

    /// Sorts and joins. To be called when a section of a report ends.
    pub fn settle(&mut self) {
        if self.unsorted {
            self.blocks.sort_by_key(|block| block.index);
            self.blocks.dedup_by(|later, kept| {
                let same = later.index == kept.index;
                if same {
                    kept.found |= later.found;
                    kept.hit |= later.hit;
                }
                same
            });
            self.unsorted = false;
        }
    }

    /// Adds another report's lines.
    pub fn merge(&mut self, other: &Self) {
        self.blocks.extend_from_slice(&other.blocks);
        self.unsorted = true;
        self.settle();
    }

    /// How many there are and how many ran.
    #[must_use]
    pub fn share(&self) -> Share {
        self.blocks.iter().fold(Share::default(), |mut sum, block| {
            sum.add(Share {
                hit: u64::from(block.hit.count_ones()),
                found: u64::from(block.found.count_ones()),
            });
            sum
        })
    }

    /// Whether `line` ran; `None` when it is not executable.
    #[must_use]
    pub fn hit(&self, line: u32) -> Option<bool> {
        let at = self.blocks.binary_search_by_key(&(line / 64), |block| block.index).ok()?;
        let bit = 1 << (line % 64);
        let block = self.blocks[at];
        (block.found & bit != 0).then_some(block.hit & bit != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_in_any_order_and_twice_are_one_set() {
        let mut lines = Lines::default();
        for (line, hit) in
            [(1, true), (200, false), (2, false), (1, false), (200, true), (63, false), (64, true)]
        {
            lines.note(line, hit);
        }
        lines.settle();
        assert_eq!(lines.share(), Share { hit: 3, found: 5 });
        let seen: Vec<_> = [1, 2, 3, 63, 64, 200].map(|line| lines.hit(line)).into();
        assert_eq!(seen, [Some(true), Some(false), None, Some(false), Some(true), Some(true)]);
    }

    #[test]
    fn jumping_about_does_not_grow_with_the_report() {
        let mut lines = Lines::default();
        for round in 0..100_000_u32 {
            lines.note(round % 2 * 1000, true);
        }
        assert!(lines.blocks.len() <= 1024);
    }
}
