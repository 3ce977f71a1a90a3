//! One open file of a log, and how far it was read.

use std::{
    fs::File,
    io,
    os::unix::fs::{FileExt as _, FileTypeExt as _, MetadataExt as _},
};

use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};

use super::{FollowCounts, FoundLine, LogEvent, LogId, Seen, Start, splitter::Splitter};
use crate::record::KernelTime;

/// A reader that is further behind than this goes on at half of it: a verdict does not wait for old lines.
const MAX_BEHIND: u64 = 8 << 20;

/// Bytes before the place that was read up to, by which the file is known again.
const REMEMBERED: usize = 64;

/// Bytes read at a time.
const PIECE: usize = 64 << 10;

/// What a file is, if it is no file with lines.
pub(super) fn not_regular(file: &File) -> io::Result<Option<&'static str>> {
    let kind = file.metadata()?.file_type();
    Ok(match () {
        () if kind.is_file() => None,
        () if kind.is_fifo() => Some("it is a pipe, and what is read from that is lost to its reader"),
        () if kind.is_char_device() => Some("it is a device or a terminal"),
        () if kind.is_dir() => Some("it is a directory"),
        () => Some("it is no regular file"),
    })
}

/// One open file.
#[derive(Debug)]
pub(super) struct OpenFile {
    file: File,
    /// Device and inode: which file it is.
    pub(super) identity: (u64, u64),
    offset: u64,
    /// The last bytes before `offset`.
    remembered: Vec<u8>,
    splitter: Splitter,
    /// Everything before this time is read.
    read_at: KernelTime,
    /// When it last had something new.
    pub(super) grew_at: KernelTime,
}

impl OpenFile {
    /// Begins to read `file` at its beginning (`None`), or where `start` says.
    pub(super) fn begin(file: File, start: Option<Start>) -> io::Result<Self> {
        let now = monotonic();
        let metadata = file.metadata()?;
        let (offset, read_at) = match start {
            None => (0, KernelTime(0)),
            Some(Start::End) => (metadata.len(), now),
            Some(Start::Last(bytes)) => (metadata.len().saturating_sub(bytes), KernelTime(0)),
        };
        let remembered = read_before(&file, offset)?;
        let within_a_line = remembered.last().is_some_and(|byte| *byte != b'\n');
        let splitter = if within_a_line { Splitter::within_a_line() } else { Splitter::default() };
        let identity = (metadata.dev(), metadata.ino());
        Ok(Self { file, identity, offset, remembered, splitter, read_at, grew_at: now })
    }

    /// The file itself, to be watched.
    pub(super) const fn file(&self) -> &File {
        &self.file
    }

    /// Reads to the end; `None` if nobody listens any more.
    pub(super) fn read(
        &mut self,
        log: LogId,
        counts: &FollowCounts,
        tell: &mut impl FnMut(LogEvent) -> Option<()>,
    ) -> io::Result<Option<()>> {
        let behind = self.file.metadata()?.len().saturating_sub(self.offset);
        if behind > MAX_BEHIND {
            let bytes = behind - MAX_BEHIND / 2;
            counts.add(|counts| &counts.skipped_bytes, bytes);
            self.offset += bytes;
            self.remembered = read_before(&self.file, self.offset)?;
            self.splitter = Splitter::within_a_line();
            if tell(LogEvent::Skipped { log, bytes }).is_none() {
                return Ok(None);
            }
        }
        let mut piece = vec![0; PIECE];
        loop {
            let asked_at = monotonic();
            let Some(length) = self.next_piece(&mut piece)? else {
                counts.add(|counts| &counts.truncations, 1);
                continue;
            };
            if length == 0 {
                self.read_at = asked_at;
                return Ok(Some(()));
            }
            if self.take(&piece[..length], log, counts, tell).is_none() {
                return Ok(None);
            }
        }
    }

    /// Reads on; the number of bytes, 0 at the end. `None` if the file was cut in place and may have grown since: then
    /// it is read from its beginning. One call reads what is remembered and what comes after it, so that nothing can
    /// happen between the two.
    fn next_piece(&mut self, piece: &mut [u8]) -> io::Result<Option<usize>> {
        let known = self.remembered.len();
        let length = self.file.read_at(piece, self.offset - known as u64)?;
        if !piece[..length].starts_with(&self.remembered) {
            (self.offset, self.splitter) = (0, Splitter::default());
            self.remembered.clear();
            return Ok(None);
        }
        let new = length - known;
        self.offset += new as u64;
        self.remembered = piece[length.saturating_sub(REMEMBERED)..length].to_vec();
        piece.copy_within(known..length, 0);
        Ok(Some(new))
    }

    /// Tells the lines that a piece completes.
    fn take(
        &mut self,
        piece: &[u8],
        log: LogId,
        counts: &FollowCounts,
        tell: &mut impl FnMut(LogEvent) -> Option<()>,
    ) -> Option<()> {
        let seen = Seen { at: monotonic(), wall: Timestamp::now() };
        self.grew_at = seen.at;
        let mut lines = Vec::new();
        self.splitter.push(piece, |bytes, cut| lines.push((bytes, cut)));
        for (bytes, cut) in lines {
            counts.add(|counts| &counts.lines, 1);
            counts.add(|counts| &counts.cut, u64::from(cut));
            tell(LogEvent::Line(FoundLine { log, bytes, after: self.read_at, seen }))?;
        }
        Some(())
    }
}

/// The last bytes before `offset`.
fn read_before(file: &File, offset: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(offset).unwrap_or(REMEMBERED).min(REMEMBERED)];
    let from = offset - bytes.len() as u64;
    file.read_exact_at(&mut bytes, from)?;
    Ok(bytes)
}

/// CLOCK_MONOTONIC.
pub(super) fn monotonic() -> KernelTime {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    KernelTime(seconds * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or_default())
}
