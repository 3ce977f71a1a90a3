//! Follows error logs as nginx writes them.
//!
//! A thread of its own reads: a file may lie on a network file system that takes its time. inotify wakes it within a
//! fraction of a millisecond; five looks a second are the net below it, for file systems that tell nothing of writes made
//! elsewhere. Nothing is lost over a rotation: the old file is read on beside the new one until it has been still for
//! half a minute, because each worker turns to the new one when it gets round to it.

use std::{
    fmt,
    fs::File,
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
};

use rustix::event::{EventfdFlags, eventfd};

mod open_file;
mod splitter;
mod tail;
mod target;
mod watch;

pub use target::{Target, Unavailable};

use super::join::{LogId, Seen, Written};
use super::line::Line;
use super::zone::Zone;
use crate::record::KernelTime;
use tail::Tail;
use watch::Watch;

/// Opens a path as nginx sees it: in another root, a file may lie elsewhere. It must not block on a pipe: open with
/// `O_NONBLOCK`.
pub type Opener = Arc<dyn Fn(&Path) -> io::Result<File> + Send + Sync>;

/// Where to begin in a log that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At its end: only what comes from now on.
    End,
    /// So many bytes before its end, from the first whole line on.
    Last(u64),
}

/// A log to follow.
#[derive(Clone)]
pub struct Log {
    /// Its name here; each log has another.
    pub id: LogId,
    /// Its path, as nginx sees it.
    pub path: PathBuf,
    /// Opens that path.
    pub open: Opener,
    /// Where to begin. A log that appears later is read from its beginning.
    pub start: Start,
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("id", &self.id).field("path", &self.path).finish_non_exhaustive()
    }
}

/// A line as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundLine {
    /// Its log.
    pub log: LogId,
    /// Its bytes, without the line feed; at most 4096.
    pub bytes: Vec<u8>,
    /// It was not there yet at this time.
    pub after: KernelTime,
    /// It was there at this time.
    pub seen: Seen,
}

impl FoundLine {
    /// When it was written, by what it says itself in the local time of nginx, and by when it was found.
    #[must_use]
    pub fn written(&self, line: &Line, zone: &Zone) -> Written {
        Written::new(zone.instant(line.written, self.seen.wall), self.after, self.seen)
    }
}

/// What a follower tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogEvent {
    /// A line.
    Line(FoundLine),
    /// So many bytes were left out, because nginx writes faster than they are taken.
    Skipped {
        /// Of which log.
        log: LogId,
        /// How many bytes.
        bytes: u64,
    },
    /// A log that cannot be read, once for each reason. It is tried again.
    Unavailable {
        /// Which.
        log: LogId,
        /// Why.
        unavailable: Unavailable,
    },
}

/// What happened to the logs; may be read at any time.
#[derive(Debug, Default)]
pub struct FollowCounts {
    /// Lines found.
    pub lines: AtomicU64,
    /// Lines cut because they were too long.
    pub cut: AtomicU64,
    /// Bytes left out because nginx writes faster than they are taken.
    pub skipped_bytes: AtomicU64,
    /// Times that another file stood at the path.
    pub rotations: AtomicU64,
    /// Times that a file was cut in place (copytruncate).
    pub truncations: AtomicU64,
    /// Reads that failed.
    pub errors: AtomicU64,
}

impl FollowCounts {
    fn add(&self, counter: impl Fn(&Self) -> &AtomicU64, by: u64) {
        counter(self).fetch_add(by, Ordering::Relaxed);
    }
}

/// A change to what is followed.
#[derive(Debug)]
enum Change {
    Add(Log),
    Remove(LogId),
}

/// Follows logs until it is dropped.
#[derive(Debug)]
pub struct Follower {
    /// What was found, in the order of each file. When nobody takes it, the logs wait where they are.
    pub events: tokio::sync::mpsc::Receiver<LogEvent>,
    /// What happened so far.
    pub counts: Arc<FollowCounts>,
    changes: mpsc::Sender<Change>,
    asked: Arc<OwnedFd>,
}

impl Follower {
    /// Starts to follow; at most `capacity` events wait to be taken.
    ///
    /// # Errors
    /// The thread could not be started.
    pub fn start(logs: Vec<Log>, capacity: usize) -> io::Result<Self> {
        let (sender, events) = tokio::sync::mpsc::channel(capacity.max(1));
        let (changes, changed) = mpsc::channel();
        let counts = Arc::new(FollowCounts::default());
        let asked = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let watch = Watch::new(Arc::clone(&asked));
        let tails = logs.into_iter().map(Tail::new).collect();
        let mut reading = Reading { tails, watch, changed, events: sender, counts: Arc::clone(&counts) };
        thread::Builder::new().name("error-log".into()).spawn(move || while reading.turn().is_some() {})?;
        Ok(Self { events, counts, changes, asked })
    }

    /// Follows one more log from now on, as after a reload of nginx.
    pub fn add(&self, log: Log) {
        // The other end is gone with the thread only, which lives as long as `events`.
        let _ = self.changes.send(Change::Add(log));
        self.ask();
    }

    /// Follows a log no more.
    pub fn remove(&self, log: LogId) {
        let _ = self.changes.send(Change::Remove(log));
        self.ask();
    }

    /// Ends the wait of the thread.
    fn ask(&self) {
        let _ = rustix::io::write(&self.asked, &1_u64.to_ne_bytes());
    }
}

impl Drop for Follower {
    /// Ends the thread, which may wait for nothing but being asked.
    fn drop(&mut self) {
        self.events.close();
        self.ask();
    }
}

/// What the thread works on.
struct Reading {
    tails: Vec<Tail>,
    watch: Watch,
    changed: mpsc::Receiver<Change>,
    events: tokio::sync::mpsc::Sender<LogEvent>,
    counts: Arc<FollowCounts>,
}

impl Reading {
    /// Reads what is there, then waits for more; `None` if nobody listens any more.
    fn turn(&mut self) -> Option<()> {
        while let Ok(change) = self.changed.try_recv() {
            match change {
                Change::Add(log) => self.tails.push(Tail::new(log)),
                Change::Remove(id) => self.tails.retain(|tail| tail.id() != id),
            }
        }
        let mut tell = |event| self.events.blocking_send(event).ok();
        for tail in &mut self.tails {
            tail.look(&mut self.watch, &self.counts, &mut tell)?;
            tail.read(&self.counts, &mut tell)?;
        }
        self.watch.wait(!self.tails.is_empty());
        (!self.events.is_closed()).then_some(())
    }
}

#[cfg(test)]
mod tests;
