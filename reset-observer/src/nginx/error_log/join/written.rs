//! When a line was written.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::record::KernelTime;

/// How far the time in a line can lie behind the writing of it, beside the second that is cut off: nginx takes it from
/// the start of the turn of its event loop ([source]), which may have a long file to read.
///
/// [source]: https://github.com/nginx/nginx/blob/release-1.28.0/src/core/ngx_times.c#L28
const STALE: Duration = Duration::from_secs(1);

/// One instant on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// CLOCK_MONOTONIC.
    pub at: KernelTime,
    /// CLOCK_REALTIME.
    pub wall: Timestamp,
}

/// Between which instants a line was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Not before.
    pub earliest: KernelTime,
    /// Not after.
    pub latest: KernelTime,
}

impl Written {
    /// A line that says it was written in `second`, was not yet there when its file was read last at `after`, and was
    /// there when it was `seen`. The second is not believed where it contradicts these: somebody set the clock, or the
    /// time zone is another one.
    #[must_use]
    pub fn new(second: Option<Timestamp>, after: KernelTime, seen: Seen) -> Self {
        let read = Self { earliest: after.min(seen.at), latest: seen.at };
        let ago = second.and_then(|second| Duration::try_from(seen.wall.duration_since(second)).ok());
        let Some(ago) = ago else { return read };
        let second = seen.at.before(ago);
        let earliest = read.earliest.max(second);
        let latest = read.latest.min(second.after(Duration::from_secs(1) + STALE));
        if earliest <= latest { Self { earliest, latest } } else { read }
    }
}
