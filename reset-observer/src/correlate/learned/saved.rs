//! What was learned, as it is kept over a restart: numbers and ages, for the monotonic clock does not survive a boot.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Grade;

/// What was learned of one server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedServer {
    /// Its closes of idle connections.
    pub idle: SavedIdle,
    /// From the last request to the end of its response, nanoseconds.
    pub responses_ns: SavedSeries<u64>,
    /// Smallest round trip of each connection, nanoseconds.
    pub round_trips_ns: SavedSeries<u64>,
    /// TTL or hop limit of SYN-ACKs.
    pub syn_ack_ttls: SavedSeries<u8>,
    /// Payload bytes of connections whose response a reset cut.
    pub cut_sizes: SavedSeries<u64>,
}

impl SavedServer {
    /// Lets everything grow older by `time`, and forgets what is older than `longest` then.
    #[must_use]
    pub fn aged(mut self, time: Duration, longest: Duration) -> Self {
        let older = |age_ms: u64| age_ms.saturating_add(milliseconds(time));
        let longest = milliseconds(longest);
        self.idle.age_ms = older(self.idle.age_ms);
        if self.idle.age_ms > longest {
            self.idle = SavedIdle::default();
        }
        for series in [&mut self.responses_ns, &mut self.round_trips_ns, &mut self.cut_sizes] {
            *series = std::mem::take(series).aged(older, longest);
        }
        self.syn_ack_ttls = self.syn_ack_ttls.aged(older, longest);
        self
    }
}

/// Closes of idle connections.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedIdle {
    /// The newest last.
    pub samples: Vec<SavedSample>,
    /// The longest idle time after which a request was taken, nanoseconds.
    pub kept_ns: Option<u64>,
    /// How old the newest sample is, milliseconds.
    pub age_ms: u64,
}

/// One instant at which idle connections were closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedSample {
    /// How long they had been idle, nanoseconds.
    pub idle_ns: u64,
    /// On what that rests.
    pub grade: Grade,
}

/// The newest values of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedSeries<T> {
    /// The newest last.
    pub values: Vec<T>,
    /// How old the newest is, milliseconds.
    pub age_ms: u64,
}

impl<T> Default for SavedSeries<T> {
    fn default() -> Self {
        Self { values: Vec::new(), age_ms: 0 }
    }
}

impl<T> SavedSeries<T> {
    pub(super) fn age(&self) -> Duration {
        Duration::from_millis(self.age_ms)
    }

    fn aged(self, older: impl Fn(u64) -> u64, longest_ms: u64) -> Self {
        let age_ms = older(self.age_ms);
        if age_ms > longest_ms { Self::default() } else { Self { age_ms, ..self } }
    }
}

/// At most 584 million years.
pub(super) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
