//! Whether the files are newer than what nginx runs with.

use std::{
    fmt,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::Configuration;

/// Start times are known to a clock tick, times of files to one of a few milliseconds, and the clock may have been set in
/// between: a file that is newer by less is taken for loaded.
const MARGIN: Duration = Duration::from_secs(1);

/// A file that was written after nginx last read its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale {
    /// The newest such file.
    pub file: Arc<Path>,
    /// How long after nginx read its configuration it was written.
    pub by: Duration,
}

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, by) = (self.file.display(), self.by.as_secs());
        write!(
            f,
            "{file} was written {by} s after nginx read its configuration, so nginx may run with other settings: "
        )?;
        write!(f, "check with `nginx -t`, then reload")
    }
}

/// Compares the files with the time at which nginx loaded them: the earliest start of those of its workers that are not
/// shutting down. A reload replaces all of them at once; one that died and was replaced is younger than the rest.
///
/// A file that was removed since, or a new one that an older date was given to, is not noticed.
#[must_use]
pub fn stale(configuration: &Configuration, loaded: SystemTime) -> Option<Stale> {
    let newest = configuration.files.iter().max_by_key(|file| file.modified)?;
    let by = newest.modified.duration_since(loaded).ok().filter(|by| *by > MARGIN)?;
    Some(Stale { file: newest.path.clone(), by })
}

/// When a process started: `start_ticks` is field 22 of `/proc/PID/stat`, in clock ticks since boot.
#[must_use]
pub fn started_at(start_ticks: u64, ticks_per_second: u64, booted: SystemTime) -> Option<SystemTime> {
    let (seconds, rest) = (start_ticks.checked_div(ticks_per_second)?, start_ticks.checked_rem(ticks_per_second)?);
    let since =
        Duration::from_secs(seconds) + Duration::from_nanos(rest.saturating_mul(1_000_000_000) / ticks_per_second);
    booted.checked_add(since)
}

#[cfg(test)]
mod tests;
