//! The local time of nginx.

use std::{fs::File, io, io::Read as _, path::Path};

use jiff::{
    Timestamp,
    civil::DateTime,
    tz::{AmbiguousOffset, TimeZone},
};

/// The largest time zone file that is read; those of the IANA database are a few kilobytes long.
const MAX_ZONE_FILE: u64 = 256 * 1024;

/// The time zone that nginx logs in.
#[derive(Clone, Debug)]
pub struct Zone(TimeZone);

impl Zone {
    /// The time zone of this host.
    #[must_use]
    pub fn of_host() -> Self {
        Self(TimeZone::system())
    }

    /// A known time zone.
    #[must_use]
    pub const fn fixed(zone: TimeZone) -> Self {
        Self(zone)
    }

    /// The time zone of a process, as localtime(3) finds it there: by its variable `TZ`, else by `/etc/localtime`,
    /// else UTC. `open` opens a path as that process would.
    pub fn of_process(tz: Option<&str>, open: impl Fn(&Path) -> io::Result<File>) -> Self {
        let file = |path: &str| read_zone(path, &open);
        let zone = match tz.map(|tz| tz.strip_prefix(':').unwrap_or(tz)) {
            None => file("/etc/localtime"),
            Some("") => None,
            Some(path) if path.starts_with('/') => file(path),
            Some(name) => file(&format!("/usr/share/zoneinfo/{name}")).or_else(|| TimeZone::posix(name).ok()),
        };
        Self(zone.unwrap_or(TimeZone::UTC))
    }

    /// The instant that nginx meant. Of the two in the hour that comes twice in autumn it is the one nearer to `near`.
    /// In the hour that is left out in spring, as if the clock had not been changed. `None` beyond year 9999.
    #[must_use]
    pub fn instant(&self, written: DateTime, near: Timestamp) -> Option<Timestamp> {
        let ambiguous = self.0.to_ambiguous_timestamp(written);
        match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Gap { .. } => ambiguous.compatible().ok(),
            AmbiguousOffset::Fold { .. } => {
                let (earlier, later) = (ambiguous.earlier().ok()?, ambiguous.later().ok()?);
                let far = |instant: Timestamp| instant.duration_since(near).unsigned_abs();
                Some(if far(earlier) < far(later) { earlier } else { later })
            }
        }
    }
}

fn read_zone(path: &str, open: impl Fn(&Path) -> io::Result<File>) -> Option<TimeZone> {
    let mut data = Vec::new();
    open(Path::new(path)).ok()?.take(MAX_ZONE_FILE).read_to_end(&mut data).ok()?;
    TimeZone::tzif(path, &data).ok()
}

#[cfg(test)]
mod tests;
