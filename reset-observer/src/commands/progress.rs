//! How far a replay is, where it takes long enough for somebody to wonder.

use std::{
    fs,
    io::{self, IsTerminal as _},
    os::unix::fs::FileTypeExt as _,
    path::Path,
    time::{Duration, Instant},
};

use anstream::{AutoStream, ColorChoice};

use crate::sink::footer::Footer;

/// Until then it is not worth telling.
const AFTER: Duration = Duration::from_secs(1);

/// How often it is told.
const EVERY: Duration = Duration::from_millis(500);

/// How far a replay is.
pub(super) struct Progress {
    name: String,
    whole: u64,
    /// How far it was at the last look.
    seen: u64,
    next: Instant,
}

impl Progress {
    /// Of the recording at this path.
    pub(super) fn of(path: &Path) -> Self {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let whole = fs::metadata(path).map_or(0, |file| file.len());
        // The name is shown on a terminal.
        let name = name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        Self { name, whole, seen: 0, next: Instant::now() + AFTER }
    }

    /// So many bytes were read: what to tell, if it is time to. No clock is looked at unless there were more.
    pub(super) fn at(&mut self, bytes: u64) -> Option<String> {
        if bytes == self.seen {
            return None;
        }
        self.seen = bytes;
        self.told(Instant::now())
    }

    fn told(&mut self, now: Instant) -> Option<String> {
        if now < self.next {
            return None;
        }
        self.next = now + EVERY;
        Some(format!("replaying {}: {} %", self.name, self.seen.saturating_mul(100) / self.whole.max(1)))
    }
}

/// Where it is told: on standard error, if somebody looks at it and no other program shows what is on standard output.
pub(super) fn footer() -> Option<Footer> {
    let piped = fs::metadata("/proc/self/fd/1").is_ok_and(|stdout| stdout.file_type().is_fifo());
    let colour = io::stderr().is_terminal() && AutoStream::choice(&io::stderr()) != ColorChoice::Never;
    Footer::on_stderr(colour).filter(|_| !piped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_tells_how_far_it_is_after_a_second_and_not_all_the_time() {
        let mut progress = Progress { name: "a.rec".into(), whole: 200, seen: 50, next: Instant::now() };
        let start = progress.next;
        assert_eq!(progress.told(start).as_deref(), Some("replaying a.rec: 25 %"));
        assert_eq!(progress.told(start + EVERY / 2), None);
        progress.seen = 200;
        assert_eq!(progress.told(start + EVERY).as_deref(), Some("replaying a.rec: 100 %"));
        assert!(Progress::of(Path::new("/nonexistent/b.rec")).at(7).is_none(), "the first second is over in a moment");
    }
}
