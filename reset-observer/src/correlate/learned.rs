//! What is learned of one server from the ends of its connections.
//!
//! Nothing looks at packets or requests, so only what a socket still knows at its end can be learned:
//!
//! * Its idle timeout, see `learned/idle.rs`.
//! * How long a response takes: from the last request sent to the last payload received. The first byte of a response
//!   leaves no trace in the socket, so this is an upper bound of the time to it, and equal to it for a response that
//!   came at once. Only the last response of a connection that then lay idle shows it.
//! * The round trip time, from the kernel's own minimum of each connection.
//! * The TTL of its SYN-ACK, only from connections that ended in a reset, where the hook on packets is there.
//! * The sizes at which its responses are cut by a reset. The kernel counts the bytes of a connection, not of a
//!   response: a limit shows where the response was the first of its connection, or the ones before had the same size.
//!   A response cut by a FIN looks like one that ends with its connection, and is left out.

use std::time::Duration;

use smallvec::SmallVec;

mod idle;
mod lesson;
mod saved;
mod series;
mod stamp;

use idle::IdleSamples;
pub use idle::{Grade, IdleTimeout};
pub(crate) use lesson::{LONGEST_FAREWELL, farewell_unread};
pub(super) use lesson::{Lesson, cut_size};
pub use saved::{SavedIdle, SavedSample, SavedSeries, SavedServer};
use series::Series;
pub(super) use stamp::Stamp;

use crate::record::KernelTime;

/// Fewer samples than this are no estimate: one may have had other reasons.
const ENOUGH_SAMPLES: usize = 3;

/// TTLs of fewer SYN-ACKs than this are no baseline: paths may differ.
const ENOUGH_TTLS: usize = 5;

/// What is known of one server.
#[derive(Clone, Debug, Default)]
pub struct Learned {
    idle: IdleSamples,
    /// Nanoseconds each.
    responses: Series<u64>,
    /// Nanoseconds each.
    round_trips: Series<u64>,
    syn_ack_ttls: Series<u8>,
    cut_sizes: Series<u64>,
}

/// An estimate of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// The smallest of the newest samples.
    pub smallest: Duration,
    /// Their median.
    pub median: Duration,
    /// The largest minus the smallest of them.
    pub spread: Duration,
    /// How many there are, at most 16.
    pub samples: usize,
    /// How long ago the newest was taken.
    pub age: Duration,
}

/// The TTL or hop limit at which a server's SYN-ACKs arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SynAckTtl {
    /// The most frequent one of the newest 16.
    pub value: u8,
    /// How many of them have it.
    pub samples: usize,
    /// How many have another: paths that change.
    pub others: usize,
}

impl Learned {
    /// What was learned, for a file; ages count from `now`.
    #[must_use]
    pub fn save(&self, now: KernelTime) -> SavedServer {
        SavedServer {
            idle: self.idle.save(now),
            responses_ns: self.responses.save(now),
            round_trips_ns: self.round_trips.save(now),
            syn_ack_ttls: self.syn_ack_ttls.save(now),
            cut_sizes: self.cut_sizes.save(now),
        }
    }

    /// What was saved; of more values than are ever kept, the newest.
    #[must_use]
    pub fn restore(saved: &SavedServer, now: KernelTime) -> Self {
        Self {
            idle: IdleSamples::restore(&saved.idle, now),
            responses: Series::restore(&saved.responses_ns, now),
            round_trips: Series::restore(&saved.round_trips_ns, now),
            syn_ack_ttls: Series::restore(&saved.syn_ack_ttls, now),
            cut_sizes: Series::restore(&saved.cut_sizes, now),
        }
    }

    /// Takes what the end of a connection at `at` shows. `unsettled` if the server as a whole went away around then.
    pub(super) fn take(&mut self, lesson: &Lesson, at: KernelTime, unsettled: bool) {
        if unsettled || lesson.hurt {
            self.idle.disturb(at);
        } else if let Some((idle, grade)) = lesson.idle {
            self.idle.add(idle, grade, at);
        }
        if let Some(gap) = lesson.kept_for {
            self.idle.survived(gap);
        }
        self.responses.add(lesson.response.map(nanoseconds), at);
        self.round_trips.add(lesson.round_trip.map(nanoseconds), at);
        self.syn_ack_ttls.add(lesson.syn_ack_ttl, at);
        self.cut_sizes.add(lesson.cut_size, at);
    }

    /// Nothing was learned yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { idle, responses, round_trips, syn_ack_ttls, cut_sizes } = self;
        idle.is_empty()
            && [responses, round_trips, cut_sizes].iter().all(|series| series.is_empty())
            && syn_ack_ttls.is_empty()
    }

    /// How long it keeps an idle connection, once there are enough samples that agree.
    #[must_use]
    pub fn idle_timeout(&self) -> Option<IdleTimeout> {
        self.idle.estimate().map(|(timeout, _)| timeout)
    }

    /// What kind of closes that rests on.
    #[must_use]
    pub fn idle_grade(&self) -> Option<Grade> {
        self.idle.estimate().map(|(_, grade)| grade)
    }

    /// How long ago the newest close for idleness was.
    #[must_use]
    pub fn idle_age(&self, now: KernelTime) -> Option<Duration> {
        (!self.idle.is_empty()).then(|| self.idle.updated().age(now))
    }

    /// The longest idle time after which the server still took a request. Seldom known: the socket keeps the time before
    /// a request only until the response, so it shows on connections that ended in between.
    #[must_use]
    pub fn idle_kept(&self) -> Option<Duration> {
        self.idle.kept()
    }

    /// From a request to the end of its response: an upper bound of the time to the first byte.
    #[must_use]
    pub fn response_time(&self, now: KernelTime) -> Option<Estimate> {
        estimate(&self.responses, now)
    }

    /// The smallest round trip times of its connections.
    #[must_use]
    pub fn round_trip(&self, now: KernelTime) -> Option<Estimate> {
        estimate(&self.round_trips, now)
    }

    /// The TTL or hop limit of its SYN-ACKs.
    #[must_use]
    pub fn syn_ack_ttl(&self) -> Option<SynAckTtl> {
        let frequent = self.syn_ack_ttls.iter().map(|&ttl| (self.syn_ack_ttls.count(ttl), ttl)).max();
        let all = self.syn_ack_ttls.len();
        frequent.map(|(samples, value)| SynAckTtl { value, samples, others: all - samples })
    }

    /// The same where it can stand for a connection whose own SYN-ACK was not seen: enough of them, all alike.
    #[must_use]
    pub fn ttl_baseline(&self) -> Option<u8> {
        let mut all = self.syn_ack_ttls.iter().copied();
        let first = all.next()?;
        let enough = self.syn_ack_ttls.len() >= ENOUGH_TTLS;
        (enough && all.all(|ttl| ttl == first)).then_some(first)
    }

    /// How many of the newest 16 responses that were cut by a reset were cut after this many bytes of their connection.
    #[must_use]
    pub fn cuts_at(&self, bytes: u64) -> usize {
        self.cut_sizes.count(bytes)
    }
}

fn estimate(samples: &Series<u64>, now: KernelTime) -> Option<Estimate> {
    let mut sorted: SmallVec<[u64; series::KEPT]> = samples.iter().copied().collect();
    sorted.sort_unstable();
    let (&smallest, &largest) = (sorted.first()?, sorted.last()?);
    (sorted.len() >= ENOUGH_SAMPLES).then(|| Estimate {
        smallest: Duration::from_nanos(smallest),
        median: Duration::from_nanos(sorted[sorted.len() / 2]),
        spread: Duration::from_nanos(largest - smallest),
        samples: sorted.len(),
        age: samples.updated().age(now),
    })
}

/// At most 584 years, which no connection lives.
fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
