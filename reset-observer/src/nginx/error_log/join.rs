//! Finds the line of the error log that belongs to a connection's end.
//!
//! Pure: lines, expectations and the time come in, answers and the next deadline go out. A line names the worker, the
//! server and the second, never the connection; so a line may belong to any connection of that worker to that server
//! that ended in a way which makes nginx write such a line, not after the line was seen, and not much before it was
//! written. The rest is bookkeeping (`join/pair.rs`): an answer holds what is the same in every way to give the
//! connections their lines. Where that leaves more than one request, the request is left out.
//!
//! What this rests on: an end that is expected has a line, or a line has its end, within the windows. When something
//! is known to be missing, say so ([`LineJoiner::disturb`]).
//!
//! ```
//! use reset_observer::nginx::error_log::{
//!     join::{Answer, Ending, Expectation, LineJoiner, LogId, Windows, Written},
//!     line::Line,
//! };
//! use reset_observer::record::KernelTime;
//! use std::time::Duration;
//!
//! let ms = |ms: u64| KernelTime(ms * 1_000_000);
//! let mut joiner = LineJoiner::new(Windows::default());
//! // A reset arrives: the kernel's record says on which connection.
//! let ticket = joiner.expect(Expectation {
//!     instance: 1,
//!     pid: 3632,
//!     server: ([10, 99, 2, 1], 3000).into(),
//!     ending: Ending::Reset,
//!     since: ms(1000),
//!     at: ms(1000),
//! });
//! // nginx writes its line a moment later.
//! let line = Line::parse(
//!     b"2026/11/22 13:45:03 [error] 3632#3632: *7 recv() failed (104: Connection reset by peer) while reading \
//!       response header from upstream, client: 127.0.0.1, server: , request: \"GET /ok HTTP/1.1\", \
//!       upstream: \"http://10.99.2.1:3000/ok\", host: \"x\"",
//! )
//! .unwrap();
//! joiner.line(LogId { instance: 1, file: 0 }, line, Written { earliest: ms(999), latest: ms(1001) });
//! assert_eq!(joiner.poll(ms(1100)), [], "another line may come");
//! let answers = joiner.poll(ms(1000).after(Windows::default().patience + Duration::from_millis(20)));
//! let [(answered, Answer::Joined(joined))] = &answers[..] else { panic!("{answers:?}") };
//! assert_eq!(*answered, ticket);
//! assert_eq!(joined.request.as_deref(), Some("GET /ok HTTP/1.1"));
//! ```

use std::{net::SocketAddr, time::Duration};

use foldhash::HashMap;
use serde::{Deserialize, Serialize};

mod bucket;
mod copies;
mod counts;
mod edges;
mod expectation;
mod held;
mod joined;
mod pair;
mod rows;
mod shelf;
mod span;
mod tries;
mod written;

use bucket::Bucket;
use copies::Copies;
use expectation::Endings;
use held::{Expected, Held};
use pair::Pairs;
use tries::Tries;

pub use counts::JoinCounts;
pub use expectation::{Ending, Expectation};
pub use joined::{Answer, Joined, Later};
pub use written::{Seen, Written};

use super::line::Line;
use crate::record::KernelTime;

/// Lines held at a time, over all servers; a line takes up to 3 KB.
const MAX_LINES: usize = 8192;

/// Expectations held at a time, over all servers.
const MAX_EXPECTED: usize = 16_384;

/// What belongs to nothing any more is looked for this often, if no answer is due.
const TIDY_EVERY: Duration = Duration::from_millis(500);

/// Which error log a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LogId {
    /// The instance of nginx that writes it: a number of the caller's choosing, the same in [`Expectation`]. Process
    /// ids repeat between pid namespaces, and so do addresses between network namespaces.
    pub instance: u64,
    /// Which of its files. nginx writes the same line to each of several `error_log` directives.
    pub file: u32,
}

/// Names an expectation until it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(u64);

/// How long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// An expectation is answered so long after its end; up to `notice` later if its log was found meanwhile.
    pub patience: Duration,
    /// [`LineJoiner::expect`] is called within this time after the end. Less than `patience`.
    pub notice: Duration,
    /// The longest time between an end and its line. A worker that is held up for longer than `patience` gets its lines
    /// joined to nothing; held up for longer than this, it could get them joined to other ends.
    pub reach: Duration,
}

impl Default for Windows {
    fn default() -> Self {
        Self {
            patience: Duration::from_millis(300),
            notice: Duration::from_millis(150),
            reach: Duration::from_millis(1200),
        }
    }
}

/// A worker and the server that it talked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    instance: u64,
    pid: u32,
    server: SocketAddr,
}

/// Joins lines to the ends of connections.
#[derive(Debug)]
pub struct LineJoiner {
    windows: Windows,
    buckets: HashMap<Key, Bucket>,
    pairs: Pairs,
    copies: Copies,
    tries: Tries,
    counts: JoinCounts,
    lines: usize,
    expected: usize,
    /// Expectations that need not wait: they found no room, or were withdrawn.
    at_once: Vec<(Ticket, Answer)>,
    /// When something was missing last: of one worker, or of all (`None`).
    disturbed: HashMap<Option<(u64, u32)>, KernelTime>,
    /// How many were given.
    tickets: u64,
    /// The first answer that is due.
    next_due: Option<KernelTime>,
    /// When to look next for what belongs to nothing any more.
    next_tidying: KernelTime,
}

impl LineJoiner {
    /// A joiner that waits as `windows` say.
    #[must_use]
    pub fn new(windows: Windows) -> Self {
        Self {
            windows,
            buckets: HashMap::default(),
            pairs: Pairs::default(),
            copies: Copies::default(),
            tries: Tries::default(),
            counts: JoinCounts::default(),
            lines: 0,
            expected: 0,
            at_once: Vec::new(),
            disturbed: HashMap::default(),
            tickets: 0,
            next_due: None,
            next_tidying: KernelTime(0),
        }
    }

    /// Takes a line, in the order of its file.
    pub fn line(&mut self, log: LogId, line: impl Into<Box<Line>>, written: Written) {
        let line = line.into();
        if self.copies.is_copy(log, &line, written.latest, self.windows.reach) {
            self.counts.copies += 1;
            return;
        }
        let endings = Endings::of(&line);
        let serial = self.tries.add(log.instance, &line, endings, written.latest);
        let Some(server) = line.upstream.as_ref().and_then(|upstream| upstream.peer.tcp()) else { return };
        if endings.is_empty() {
            return;
        }
        if line.contested {
            self.counts.contested += 1;
            self.missing(Some((log.instance, line.pid)), written.latest);
        } else if self.lines >= MAX_LINES {
            self.counts.overflow += 1;
            self.disturb(written.latest);
        } else {
            self.lines += 1;
            let key = Key { instance: log.instance, pid: line.pid, server };
            let perhaps = Endings::perhaps_of(&line);
            self.buckets.entry(key).or_default().line(Held { endings, perhaps, written, serial, line });
        }
    }

    /// Asks for the line of a connection's end; [`Self::poll`] answers under this ticket, once.
    pub fn expect(&mut self, expectation: Expectation) -> Ticket {
        self.expect_until(expectation, expectation.at)
    }

    /// The same of an instance whose log may be found until then: it is answered no sooner.
    pub fn expect_until(&mut self, expectation: Expectation, found: KernelTime) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        if self.expected >= MAX_EXPECTED {
            self.counts.overflow += 1;
            self.disturb(expectation.at);
            self.at_once.push((ticket, Answer::Ambiguous));
            return ticket;
        }
        self.expected += 1;
        let Expectation { instance, pid, server, .. } = expectation;
        let bucket = self.buckets.entry(Key { instance, pid, server }).or_default();
        let due = expectation.at.after(self.windows.patience).max(found);
        let due = bucket.expect(Expected::new(ticket, expectation, due), self.windows);
        self.next_due = self.next_due.into_iter().chain([due]).min();
        ticket
    }

    /// Says that nginx writes no line for the end of this ticket: something that came later shows it. Nothing happens if it
    /// was answered.
    pub fn withdraw(&mut self, ticket: Ticket, expectation: &Expectation) {
        let Expectation { instance, pid, server, .. } = *expectation;
        let bucket = self.buckets.get_mut(&Key { instance, pid, server });
        if bucket.is_some_and(|bucket| bucket.withdraw(ticket)) {
            self.at_once.push((ticket, Answer::NoLine));
        }
    }

    /// Says that lines or ends around `at` are missing: what is not answered by then, and what comes within
    /// [`Windows::reach`], gets no line.
    pub fn disturb(&mut self, at: KernelTime) {
        self.missing(None, at);
    }

    fn missing(&mut self, of: Option<(u64, u32)>, at: KernelTime) {
        let last = self.disturbed.entry(of).or_insert(at);
        *last = at.max(*last);
    }

    /// The answers that are due by `now`.
    pub fn poll(&mut self, now: KernelTime) -> Vec<(Ticket, Answer)> {
        let nothing_due = self.at_once.is_empty() && self.next_due.is_none_or(|due| due > now);
        if nothing_due && now < self.next_tidying {
            return Vec::new();
        }
        self.next_tidying = now.after(TIDY_EVERY);
        let mut answers = std::mem::take(&mut self.at_once);
        let memory = self.windows.reach + self.windows.patience;
        self.disturbed.retain(|_, at| at.after(memory) >= now);
        (self.next_due, self.lines, self.expected) = (None, 0, 0);
        self.buckets.retain(|key, bucket| {
            let first = answers.len();
            bucket.answer(now, self.windows, &mut self.pairs, &mut answers);
            if answers.len() > first {
                let of_worker = Some((key.instance, key.pid));
                let is_missing = [None, of_worker].iter().any(|of| self.disturbed.contains_key(of));
                for (_, answer) in &mut answers[first..] {
                    if is_missing {
                        *answer = Answer::Ambiguous;
                    }
                    self.tries.tell(answer);
                }
            }
            bucket.forget(now, self.windows, |kind| *self.counts.lines_left.entry(kind).or_default() += 1);
            self.next_due = self.next_due.into_iter().chain(bucket.next_due()).min();
            (self.lines, self.expected) = (self.lines + bucket.lines(), self.expected + bucket.expected());
            !bucket.is_empty()
        });
        answers.iter().for_each(|(_, answer)| self.counts.add(answer));
        self.tries.forget(now);
        // The same in every run of the same lines and ends, which the order of a hash map is not.
        answers.sort_by_key(|(ticket, _)| *ticket);
        answers
    }

    /// When [`Self::poll`] has an answer next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<KernelTime> {
        let now = (!self.at_once.is_empty()).then_some(KernelTime(0));
        self.next_due.into_iter().chain(now).min()
    }

    /// The counts so far.
    #[must_use]
    pub const fn counts(&self) -> &JoinCounts {
        &self.counts
    }
}

#[cfg(test)]
mod tests;
