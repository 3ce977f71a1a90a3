//! Lines out of pieces of a file.

use std::mem;

use super::super::line::MAX_LINE;

/// The longest line that is kept. nginx writes none that is longer than half of it.
pub(super) const MAX_BYTES: usize = 2 * MAX_LINE;

/// Puts lines together from the pieces in which they are read.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    partial: Vec<u8>,
    /// Up to the next line feed nothing is taken.
    skipping: bool,
}

impl Splitter {
    /// One that begins within a line, whose rest it leaves out.
    pub(super) fn within_a_line() -> Self {
        Self { partial: Vec::new(), skipping: true }
    }

    /// Takes a piece; gives each line that it completes to `line`, and says whether that was cut.
    pub(super) fn push(&mut self, mut piece: &[u8], mut line: impl FnMut(Vec<u8>, bool)) {
        while let Some(end) = piece.iter().position(|byte| *byte == b'\n') {
            let (last, rest) = piece.split_at(end);
            piece = &rest[1..];
            if !mem::take(&mut self.skipping) {
                let cut = self.extend(last);
                line(mem::take(&mut self.partial), cut);
            }
        }
        if !self.skipping && self.extend(piece) {
            self.skipping = true;
            line(mem::take(&mut self.partial), true);
        }
    }

    /// Adds to the line as much as it may have; whether that was not all.
    fn extend(&mut self, bytes: &[u8]) -> bool {
        let room = MAX_BYTES - self.partial.len();
        self.partial.extend(&bytes[..bytes.len().min(room)]);
        bytes.len() > room
    }
}
