//! Waits until a file that is read has changed.

use std::{
    fs::File,
    mem::MaybeUninit,
    os::fd::{AsFd as _, AsRawFd as _, OwnedFd},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags},
};

/// The longest wait.
const TICK: Duration = Duration::from_millis(200);

/// The same while a log is being rotated.
const HURRIED_TICK: Duration = Duration::from_millis(10);

/// A log that was moved away is expected to be made anew within this time: nginx is told to right after.
const HURRY: Duration = Duration::from_secs(1);

/// Before the next turn, if there was something in the last: a storm of lines is read in pieces of a millisecond, not line
/// by line.
const PAUSE: Duration = Duration::from_millis(1);

/// Waits by inotify where that works, and by the clock.
#[derive(Debug)]
pub(super) struct Watch {
    inotify: Option<OwnedFd>,
    /// Readable when somebody asked for a change.
    asked: Arc<OwnedFd>,
    /// A file was moved or deleted at this time: the next one appears soon.
    moved_at: Option<Instant>,
    /// The last wait was ended by a change.
    busy: bool,
}

impl Watch {
    /// A watch that `asked`, an event descriptor, ends the wait of too.
    pub(super) fn new(asked: Arc<OwnedFd>) -> Self {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK);
        if let Err(error) = &inotify {
            log::info!("error logs are looked at five times a second, because inotify does not work: {error}");
        }
        Self { inotify: inotify.ok(), asked, moved_at: None, busy: false }
    }

    /// Watches an open file; says whether that works. Its watch ends with the file.
    pub(super) fn add(&self, file: &File) -> bool {
        let Some(inotify) = &self.inotify else { return false };
        // By its descriptor: its path may mean another file here, or none.
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        let changes = WatchFlags::MODIFY | WatchFlags::ATTRIB | WatchFlags::MOVE_SELF | WatchFlags::DELETE_SELF;
        let added = inotify::add_watch(inotify, path, changes);
        if let Err(error) = &added {
            log::debug!("an error log is only looked at five times a second: {error}");
        }
        added.is_ok()
    }

    /// Whether a watched file was moved, deleted or unlinked within the last second.
    pub(super) fn something_moved(&self) -> bool {
        self.moved_at.is_some_and(|at| at.elapsed() < HURRY)
    }

    /// Waits for a change: at most a fifth of a second, or without a bound if no log is followed.
    pub(super) fn wait(&mut self, following: bool) {
        if std::mem::take(&mut self.busy) {
            thread::sleep(PAUSE);
        }
        let tick = if self.something_moved() { HURRIED_TICK } else { TICK };
        let timeout = Timespec { tv_sec: 0, tv_nsec: tick.subsec_nanos().into() };
        let asked = PollFd::from_borrowed_fd(self.asked.as_fd(), PollFlags::IN);
        let changed = self.inotify.as_ref().map(|inotify| PollFd::new(inotify, PollFlags::IN));
        let mut both: Vec<PollFd<'_>> = changed.into_iter().chain([asked]).collect();
        // An error, such as a signal, ends the wait early, which does no harm.
        self.busy = poll(&mut both, following.then_some(&timeout)).is_ok_and(|ready| ready > 0);
        if self.busy {
            let _ = rustix::io::read(&self.asked, &mut [0_u8; 8]);
            self.take_changes();
        }
    }

    fn take_changes(&mut self) {
        let Some(inotify) = &self.inotify else { return };
        let mut room = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(inotify, &mut room);
        let gone = ReadFlags::ATTRIB | ReadFlags::MOVE_SELF | ReadFlags::DELETE_SELF | ReadFlags::IGNORED;
        while let Ok(event) = events.next() {
            if event.events().intersects(gone) {
                self.moved_at = Some(Instant::now());
            }
        }
    }
}
