//! Where the frames of a WebSocket begin and end (RFC 6455, section 5.2), for as much as closing it needs.

/// Who sends frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Service,
}

impl Side {
    /// A close frame with the code 1001, going away. What a client sends is masked; nothing of these two bytes needs
    /// to be hidden, so the mask is always the same.
    pub(super) const fn going_away(self) -> &'static [u8] {
        const MASK: [u8; 4] = [0x57, 0x4c, 0x44, 0x21];
        match self {
            Self::Client => &[0x88, 0x82, MASK[0], MASK[1], MASK[2], MASK[3], 0x03 ^ MASK[0], 0xe9 ^ MASK[1]],
            Self::Service => &[0x88, 0x02, 0x03, 0xe9],
        }
    }
}

/// The place in what one side sends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Frames {
    header: [u8; 14],
    have: usize,
    /// Of the payload.
    left: u64,
    closed: bool,
}

impl Frames {
    /// Whether the next byte begins a frame.
    pub(super) const fn is_between(&self) -> bool {
        self.have == 0 && self.left == 0
    }

    /// Whether a close frame has begun.
    pub(super) const fn was_closed(&self) -> bool {
        self.closed
    }

    /// These bytes passed.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = &bytes[self.step(bytes)..];
        }
    }

    /// How many of these bytes belong to the frame that is under way, where its end is among them.
    pub(super) fn rest(&self, bytes: &[u8]) -> Option<usize> {
        let mut frames = self.clone();
        let mut at = 0;
        while !frames.is_between() {
            if at == bytes.len() {
                return None;
            }
            at += frames.step(&bytes[at..]);
        }
        Some(at)
    }

    /// Takes at least one byte, and no more than to the end of the frame.
    fn step(&mut self, bytes: &[u8]) -> usize {
        if self.left > 0 {
            let here = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
            self.left -= here as u64;
            return here;
        }
        self.header[self.have] = bytes[0];
        self.have += 1;
        if let Some(length) = self.payload() {
            self.closed |= self.header[0] & 0x0f == 0x8;
            self.left = length;
            self.have = 0;
        }
        1
    }

    /// The payload's length, when the header is complete.
    fn payload(&self) -> Option<u64> {
        if self.have < 2 {
            return None;
        }
        let mask = if self.header[1] & 0x80 == 0 { 0 } else { 4 };
        let (bytes, short) = match self.header[1] & 0x7f {
            126 => (2, None),
            127 => (8, None),
            length => (0, Some(u64::from(length))),
        };
        if self.have < 2 + bytes + mask {
            return None;
        }
        let long = || self.header[2..2 + bytes].iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte));
        Some(short.unwrap_or_else(long))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An unmasked, a masked, a long and an empty frame.
    fn frames() -> Vec<Vec<u8>> {
        let mut long = vec![0x82, 126, 0x01, 0x00];
        long.extend([7; 256]);
        let mut huge = vec![0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4];
        huge.extend([7; 65536]);
        vec![
            vec![0x81, 3, b'a', b'b', b'c'],
            vec![0x01, 0x82, 1, 2, 3, 4, b'x', b'y'],
            long,
            huge,
            vec![0x8a, 0],
        ]
    }

    #[test]
    fn a_frame_ends_where_it_ends_in_whatever_pieces_it_comes() {
        for size in [1, 2, 3, 7, 1000, usize::MAX] {
            let mut all = Frames::default();
            for frame in frames() {
                let size = size.min(frame.len());
                for (index, piece) in frame.chunks(size).enumerate() {
                    assert_eq!(all.is_between(), index == 0, "in pieces of {size}");
                    all.pass(piece);
                }
            }
            assert!(all.is_between() && !all.was_closed());
            all.pass(Side::Client.going_away());
            assert!(all.is_between() && all.was_closed());
        }
    }

    #[test]
    fn the_rest_of_a_frame_ends_before_the_next() {
        for frame in frames() {
            let next = [frame.clone(), vec![0x81, 1, b'z']].concat();
            for at in 1..frame.len().min(300) {
                let mut frames = Frames::default();
                frames.pass(&frame[..at]);
                assert_eq!(frames.rest(&next[at..]), Some(frame.len() - at));
                assert_eq!(frames.rest(&frame[at..frame.len() - 1]), None, "not all is there");
            }
            assert_eq!(Frames::default().rest(&next), Some(0), "between two frames nothing is left");
        }
    }

    #[test]
    fn a_clients_close_frame_unmasks_to_the_code_1001() {
        let frame = Side::Client.going_away();
        let code = [frame[6] ^ frame[2], frame[7] ^ frame[3]];
        assert_eq!(u16::from_be_bytes(code), 1001);
        assert_eq!(u16::from_be_bytes([Side::Service.going_away()[2], Side::Service.going_away()[3]]), 1001);
    }
}
