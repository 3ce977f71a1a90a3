//! Reads recordings. Bounded in memory whatever they hold: one block at a time.

use std::io::{BufRead, ErrorKind, Read};

use anyhow::{Context as _, Result, bail};

use super::{
    Header,
    block::{self, HEAD_BYTES},
    entry::{self, Context, Entry},
    header::MAX_HEADER,
};

/// What to do about a block that cannot be read.
const REMEDY: &str = "what came before it is right; copy the recording again from where it was made";

/// How a recording ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With the session.
    Whole,
    /// When it had become as long as it may.
    Full,
    /// In the middle: the program was killed, or the copy is not complete.
    CutShort,
}

/// A recording that is being read.
#[derive(Debug)]
pub struct Reader<R> {
    header: Header,
    input: R,
    compressed: Vec<u8>,
    entries: Vec<u8>,
    /// How far the block has been read.
    read: usize,
    /// How many blocks were read.
    blocks: u64,
    /// How long they were, heads included.
    bytes: u64,
    ending: Ending,
}

impl<R: BufRead> Reader<R> {
    /// Reads the first line.
    ///
    /// # Errors
    /// It cannot be read, or is not that of a recording that this program can replay: in words that follow the file's name.
    pub fn open(mut input: R) -> Result<Self> {
        let mut line = Vec::new();
        let longest = u64::try_from(MAX_HEADER).unwrap_or(u64::MAX);
        (&mut input).take(longest).read_until(b'\n', &mut line).context("it cannot be read")?;
        if line.is_empty() {
            bail!("it is empty: nothing was recorded");
        }
        let header = Header::parse(line.strip_suffix(b"\n").unwrap_or(&line))?;
        let (compressed, entries) = (Vec::new(), Vec::new());
        Ok(Self { header, input, compressed, entries, read: 0, blocks: 0, bytes: 0, ending: Ending::CutShort })
    }

    /// What its first line says.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// How it ended, as far as it was read.
    #[must_use]
    pub const fn ending(&self) -> Ending {
        self.ending
    }

    /// How many bytes of blocks were read.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The next entry; `None` at the end, also of a recording that was cut short.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn next_entry(&mut self) -> Result<Option<Entry<'_>>> {
        while self.read >= self.entries.len() {
            if !self.next_block()? {
                return Ok(None);
            }
        }
        let mut left = &self.entries[self.read..];
        let entry = entry::read(&mut left).with_context(|| unknown(self.blocks, &self.header.recorded_by))?;
        self.read = self.entries.len() - left.len();
        if let Entry::Context(context) = &entry {
            if matches!(**context, Context::End { .. }) {
                self.ending = Ending::Whole;
            } else if matches!(**context, Context::Full) {
                self.ending = Ending::Full;
            }
        }
        Ok(Some(entry))
    }

    /// Whether there was a whole one.
    fn next_block(&mut self) -> Result<bool> {
        let mut head = [0; HEAD_BYTES];
        if !fill(&mut self.input, &mut head)? {
            return Ok(false);
        }
        self.blocks += 1;
        let number = self.blocks;
        let head = block::head(&head).with_context(|| damaged(number))?;
        self.compressed.resize(head.compressed, 0);
        if !fill(&mut self.input, &mut self.compressed)? {
            return Ok(false);
        }
        block::read(head, &self.compressed, &mut self.entries).with_context(|| damaged(number))?;
        self.bytes += u64::try_from(HEAD_BYTES + self.compressed.len()).unwrap_or_default();
        self.read = 0;
        Ok(true)
    }
}

fn damaged(block: u64) -> String {
    format!("block {block} is damaged ({REMEDY})")
}

/// The checksum is right, so that it is as it was written.
fn unknown(block: u64, writer: &str) -> String {
    format!("block {block} is whole and holds what this program does not know: replay it with reset-observer {writer}")
}

/// Whether there was as much.
fn fill(input: &mut impl Read, bytes: &mut [u8]) -> Result<bool> {
    match input.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error).context("it cannot be read to its end"),
    }
}

#[cfg(test)]
mod tests;
