//! Reads lines one after another, and keeps apart what only looks like one.

use super::line::{Line, MAX_LINE};

/// How many lines were what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadCounts {
    /// Read.
    pub read: u64,
    /// Not nginx's: messages of other programs, and second lines of messages that hold a line feed.
    pub unknown: u64,
    /// They look like nginx's own, but stand within another message that holds a line feed.
    pub enclosed: u64,
    /// Read, but longer than nginx's limit or cut by it.
    pub truncated: u64,
}

/// Reads the lines of one file in their order.
///
/// nginx writes a record with one call, so that its lines stand together in the file. A message may hold a line feed
/// (the path of a file that a client asked for, what a FastCGI application says): after a record that has not ended
/// with its client, what looks like another record may be part of it, made up by whoever sent that text. It is left out
/// until a line ends the message, or until no record can be that long.
#[derive(Debug, Default)]
pub struct Reader {
    counts: ReadCounts,
    /// Bytes that the open record may still have.
    open: usize,
}

impl Reader {
    /// Reads the next line, given without its line feed; `None` if it is none of nginx's, which is counted.
    pub fn read(&mut self, bytes: &[u8]) -> Option<Line> {
        let line = Line::parse(bytes);
        let enclosed = bytes.len() < self.open;
        self.open = if enclosed { self.open - bytes.len() - 1 } else { 0 };
        let Some(line) = line else {
            self.counts.unknown += 1;
            self.open = 0;
            return None;
        };
        if enclosed {
            self.counts.enclosed += 1;
            return None;
        }
        if !line.is_whole() {
            self.open = MAX_LINE.saturating_sub(bytes.len() + 1);
        }
        self.counts.read += 1;
        self.counts.truncated += u64::from(line.truncated);
        Some(line)
    }

    /// The counts so far.
    #[must_use]
    pub const fn counts(&self) -> ReadCounts {
        self.counts
    }
}

#[cfg(test)]
mod tests;
