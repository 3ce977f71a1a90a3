//! One log: the file at its path, and those that stood there before.

use std::{io, time::Duration};

use super::{
    FollowCounts, Log, LogEvent, LogId, Start, Unavailable,
    open_file::{OpenFile, monotonic, not_regular},
    watch::Watch,
};

/// A file that is no longer at the path is given up when it has been still for this long.
const STILL_FOR: Duration = Duration::from_secs(30);

/// Files of one log that are read beside the newest.
const MAX_OLD: usize = 4;

/// The path is looked at this often.
const LOOK_EVERY: Duration = Duration::from_millis(150);

/// The same while the file that is there is watched, so that its being moved or deleted is told: what is left is a link or
/// a directory on the way that changes.
const LOOK_EVERY_WATCHED: Duration = Duration::from_secs(1);

/// One log.
#[derive(Debug)]
pub(super) struct Tail {
    log: Log,
    current: Option<OpenFile>,
    /// The current file is watched.
    watched: bool,
    old: Vec<OpenFile>,
    /// Where to begin in the file that is there at the start; `None` after that.
    start: Option<Start>,
    looked_at: Option<crate::record::KernelTime>,
    said: Option<Unavailable>,
}

impl Tail {
    pub(super) fn new(log: Log) -> Self {
        let start = Some(log.start);
        Self { log, current: None, watched: false, old: Vec::new(), start, looked_at: None, said: None }
    }

    pub(super) const fn id(&self) -> LogId {
        self.log.id
    }

    /// Looks which file is at the path, not more often than needed; `None` if nobody listens any more.
    pub(super) fn look(
        &mut self,
        watch: &mut Watch,
        counts: &FollowCounts,
        tell: &mut impl FnMut(LogEvent) -> Option<()>,
    ) -> Option<()> {
        let now = monotonic();
        let every = if self.watched { LOOK_EVERY_WATCHED } else { LOOK_EVERY };
        let due = self.looked_at.is_none_or(|at| now.since(at) >= every);
        if !due && !watch.something_moved() {
            return Some(());
        }
        self.looked_at = Some(now);
        let start = self.start.take();
        let unavailable = match self.open(start) {
            Ok(Some(new)) => {
                self.watched = watch.add(new.file());
                if let Some(old) = self.current.replace(new) {
                    counts.add(|counts| &counts.rotations, 1);
                    self.old.push(old);
                }
                None
            }
            Ok(None) => None,
            Err(unavailable) => Some(unavailable),
        };
        if self.old.len() > MAX_OLD {
            self.old.remove(0);
        }
        self.old.retain(|old| now.since(old.grew_at) < STILL_FOR);
        self.say(unavailable, tell)
    }

    /// The file at the path, if it is another one.
    fn open(&self, start: Option<Start>) -> Result<Option<OpenFile>, Unavailable> {
        let unavailable = |error: &io::Error| Unavailable::by_error(&self.log.path, error);
        let file = (self.log.open)(&self.log.path).map_err(|error| unavailable(&error))?;
        if let Some(why) = not_regular(&file).map_err(|error| unavailable(&error))? {
            return Err(Unavailable::by_kind(&self.log.path, why));
        }
        let new = OpenFile::begin(file, start).map_err(|error| unavailable(&error))?;
        let is_known = self.current.iter().chain(&self.old).any(|known| known.identity == new.identity);
        Ok((!is_known).then_some(new))
    }

    /// Says once why the log cannot be read. While an old file is being read, the new one is only on its way.
    fn say(&mut self, why: Option<Unavailable>, tell: &mut impl FnMut(LogEvent) -> Option<()>) -> Option<()> {
        if why == self.said {
            return Some(());
        }
        self.said = why;
        match &self.said {
            Some(unavailable) if self.current.is_none() => {
                tell(LogEvent::Unavailable { log: self.log.id, unavailable: unavailable.clone() })
            }
            Some(_) | None => Some(()),
        }
    }

    /// Reads all of its files to their ends, the oldest first; `None` if nobody listens any more.
    pub(super) fn read(&mut self, counts: &FollowCounts, tell: &mut impl FnMut(LogEvent) -> Option<()>) -> Option<()> {
        for file in self.old.iter_mut().chain(&mut self.current) {
            match file.read(self.log.id, counts, tell) {
                Ok(listening) => listening?,
                Err(error) => {
                    counts.add(|counts| &counts.errors, 1);
                    log::debug!("could not read {}: {error}", self.log.path.display());
                }
            }
        }
        Some(())
    }
}
