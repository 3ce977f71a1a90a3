//! The file that a session is recorded in.

use std::{
    fs::{File, OpenOptions},
    io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use super::{
    FORMAT, Header, block,
    entry::{self, Context, Entry},
    reader::Reader,
};

/// How long a recording may become unless told otherwise, bytes.
pub const DEFAULT_MAX_BYTES: u64 = 256 << 20;

/// What the mark at the end takes at most.
const MARK_BYTES: u64 = 128;

/// A recording that is being written.
#[derive(Debug)]
pub struct RecordingFile {
    file: File,
    path: PathBuf,
    /// How much was written.
    written: u64,
    max_bytes: u64,
}

/// Whether there is room for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// There is.
    Left,
    /// The file is as long as it may be, and says so at its end. Nothing can be added.
    None,
}

impl RecordingFile {
    /// Makes the file, which only its owner can read. An older recording of that name is replaced if `overwrite`, any other
    /// file never.
    ///
    /// # Errors
    /// If there is one already, or it cannot be made.
    pub fn create(path: &Path, max_bytes: u64, overwrite: bool) -> Result<Self> {
        let file = Self::make(path, overwrite).with_context(|| format!("cannot record to {}", path.display()))?;
        Ok(Self { file, path: path.to_owned(), written: 0, max_bytes })
    }

    fn make(path: &Path, overwrite: bool) -> Result<File> {
        let mut options = OpenOptions::new();
        options.write(true).mode(0o600);
        match options.clone().create_new(true).open(path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists && overwrite => {
                if !is_recording(path)? {
                    bail!("it is there and is no recording, which is not overwritten: name another file");
                }
                Ok(options.truncate(true).open(path)?)
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                bail!("it is there already: name another file, or say --record-overwrite")
            }
            made => Ok(made?),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How long it is by now, bytes.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.written
    }

    /// Whether nothing was written.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.written == 0
    }

    /// Writes the first line.
    ///
    /// # Errors
    /// If the disk is full, or cannot be written to.
    pub fn begin(&mut self, header: &Header) -> Result<()> {
        self.write(&header.to_line()?)
    }

    /// Adds entries. Whole blocks only: what a crash cuts short is known by its checksum.
    ///
    /// # Errors
    /// If the disk is full, or cannot be written to.
    pub fn add(&mut self, entries: &[u8]) -> Result<Room> {
        if entries.is_empty() {
            return Ok(Room::Left);
        }
        let block = block::write(entries)?;
        let after = self.written + u64::try_from(block.len())?;
        if after + MARK_BYTES <= self.max_bytes {
            self.write(&block)?;
            return Ok(Room::Left);
        }
        let mut mark = Vec::new();
        entry::write(&Entry::Context(Box::new(Context::Full)), &mut mark)?;
        self.write(&block::write(&mark)?)?;
        Ok(Room::None)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).with_context(|| format!("cannot write to {}", self.path.display()))?;
        self.written += u64::try_from(bytes.len())?;
        Ok(())
    }
}

/// Opens a recording to be read.
///
/// # Errors
/// It cannot be read, or is none that this program can replay. The sentence names the file and what to do.
pub fn open(path: &Path) -> Result<Reader<BufReader<File>>> {
    let naming = || format!("cannot replay {}", path.display());
    let file = File::open(path).with_context(naming)?;
    if !file.metadata().with_context(naming)?.is_file() {
        return Err(anyhow::anyhow!("it is not a regular file: name a file that `observe --record` wrote"))
            .with_context(naming);
    }
    Reader::open(BufReader::with_capacity(block::FULL_BYTES, file)).with_context(naming)
}

/// Whether the file begins as a recording does.
fn is_recording(path: &Path) -> Result<bool> {
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Ok(false);
    }
    let mut beginning = Vec::new();
    BufReader::new(file.take(256)).read_until(b',', &mut beginning)?;
    Ok(beginning.is_empty() || beginning == format!("{{\"format\":\"{FORMAT}\",").into_bytes())
}

#[cfg(test)]
mod tests;
