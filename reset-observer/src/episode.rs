//! Episodes: what ended together at one upstream server, as one crash or restart.
//!
//! Pure: cases with their verdicts and the time come in, episodes go out once they are over. The kernel tells of ends of
//! connections and of refusals only, so how long a server was away is known within bounds: at least until the last
//! refusal, at most until the first connection was opened that it then served, where one of those has ended by now.

use std::{collections::BTreeMap, time::Duration};

use serde::{Serialize, Serializer};

mod open;
mod tracker;

pub use tracker::Episodes;

use crate::{
    record::KernelTime,
    verdict::{Cause, Confidence, Impact, ProcessLabel, UpstreamLabel},
};

/// One crash or restart of one upstream server, or a time when it refused.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Episode {
    /// Name of this episode, which its verdicts bear too: the server, and the milliseconds of the monotonic clock at which
    /// it was noticed. The same in a replay.
    pub id: String,
    /// Whom it happened to.
    pub upstream: UpstreamLabel,
    /// `backend_crash`, `backend_restart`, or `connection_refused` if nothing but refusals was seen.
    pub cause: Cause,
    /// How sure: as the surest of its verdicts with that cause.
    pub confidence: Confidence,
    /// First sign of it.
    #[serde(skip)]
    pub from: KernelTime,
    /// Last sign of it.
    #[serde(skip)]
    pub to: KernelTime,
    /// Connections that were cut, idle ones included.
    pub connections: u64,
    /// Connections that were refused.
    pub refused: u64,
    /// Connections with a request, by what became of it; only what occurred.
    pub requests: BTreeMap<Impact, u64>,
    /// Verdicts by cause; only what occurred.
    pub causes: BTreeMap<Cause, u64>,
    /// How long the server was away.
    pub away: Away,
    /// The process that ended, where it is on this host.
    pub process: Option<ProcessLabel>,
    /// How it ended, where it is on this host: `SIGKILL`, `exit status 1`.
    pub exit: Option<String>,
    /// The out-of-memory killer had chosen it.
    pub oom_killed: bool,
}

/// How long a server was away, counted from the first sign.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Away {
    /// Until it refused for the last time, milliseconds; zero if it never did.
    #[serde(rename = "at_least_ms", serialize_with = "milliseconds")]
    pub at_least: Duration,
    /// Until the first connection was opened that it served, milliseconds; `null` if none of those has ended yet.
    #[serde(rename = "at_most_ms", serialize_with = "milliseconds_if_known")]
    pub at_most: Option<Duration>,
}

fn milliseconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64() * 1e3)
}

fn milliseconds_if_known<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => milliseconds(time, serializer),
        None => serializer.serialize_none(),
    }
}

impl Episode {
    /// How many requests it met.
    #[must_use]
    pub fn requests_hurt(&self) -> u64 {
        self.requests.values().sum()
    }
}

#[cfg(test)]
mod tests;
