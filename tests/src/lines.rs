//! What a child process says, line by line, kept and awaited.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::interrupt;

/// The longest sleep between two looks at the interrupt flag.
const INTERRUPT_SLICE: Duration = Duration::from_millis(50);

#[derive(Debug, Default)]
struct Said {
    lines: Vec<String>,
    ended: bool,
}

/// All lines of one stream of a child, collected by a thread; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Lines {
    shared: Arc<(Mutex<Said>, Condvar)>,
}

impl Lines {
    /// Collects the lines of `stream` until it ends; `on_line` sees each as it comes.
    pub fn collect(stream: impl Read + Send + 'static, on_line: impl Fn(&str) + Send + 'static) -> Self {
        let lines = Self::default();
        let writer = lines.clone();
        thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                on_line(&line);
                writer.said().lines.push(line);
                writer.shared.1.notify_all();
            }
            writer.said().ended = true;
            writer.shared.1.notify_all();
        });
        lines
    }

    /// Everything said so far.
    pub fn all(&self) -> Vec<String> {
        self.since(0)
    }

    /// Everything said so far but the first `seen` lines.
    pub fn since(&self, seen: usize) -> Vec<String> {
        self.said().lines.iter().skip(seen).cloned().collect()
    }

    /// How many lines were said so far: a bookmark for [`Lines::since`] and [`Lines::wait_for`].
    pub fn count(&self) -> usize {
        self.said().lines.len()
    }

    /// Waits for the first line from bookmark `seen` on for which `pick` gives something.
    ///
    /// Fails with what was said instead when `patience` ends, the stream ends, or the lab is interrupted.
    pub fn wait_for<T>(&self, seen: usize, patience: Duration, pick: impl Fn(&str) -> Option<T>) -> Result<T> {
        let deadline = Instant::now() + patience;
        let mut next = seen;
        let mut said = self.said();
        loop {
            while let Some(line) = said.lines.get(next) {
                if let Some(found) = pick(line) {
                    return Ok(found);
                }
                next += 1;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if said.ended || left.is_zero() {
                let why = if said.ended { "it ended" } else { "it did not come in time" };
                let tail: Vec<_> = said.lines.iter().skip(seen).cloned().collect();
                bail!("{why}; it said: {tail:#?}");
            }
            said = self.pause(said, left)?;
        }
    }

    /// Waits until the stream has ended; false if it has not within `patience`.
    pub fn wait_for_end(&self, patience: Duration) -> Result<bool> {
        let deadline = Instant::now() + patience;
        let mut said = self.said();
        while !said.ended {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            said = self.pause(said, left)?;
        }
        Ok(true)
    }

    fn pause<'a>(&'a self, said: MutexGuard<'a, Said>, left: Duration) -> Result<MutexGuard<'a, Said>> {
        let waited = self.shared.1.wait_timeout(said, left.min(INTERRUPT_SLICE));
        let (said, _) = waited.unwrap_or_else(PoisonError::into_inner);
        interrupt::check()?;
        Ok(said)
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
