//! The beginning of a line: time, level, process and connection.

use std::fmt;

use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

use super::bytes::{cut, number};
use crate::verdict::closed_enum;

closed_enum! {
    /// Severity, as nginx names it ([source]); the most severe first.
    ///
    /// [source]: https://github.com/nginx/nginx/blob/release-1.28.0/src/core/ngx_log.c#L74
    Level {
        /// The system is unusable.
        Emergency = "emerg",
        /// Immediate attention.
        Alert = "alert",
        /// Critical.
        Critical = "crit",
        /// A request failed.
        Error = "error",
        /// A warning.
        Warning = "warn",
        /// Notable.
        Notice = "notice",
        /// Informational.
        Info = "info",
        /// Debugging.
        Debug = "debug",
    }
}

/// What every line begins with.
pub(super) struct Head {
    pub(super) written: DateTime,
    pub(super) level: Level,
    pub(super) pid: u32,
    pub(super) connection: Option<u64>,
}

/// Reads the beginning of a line and gives back what follows it.
pub(super) fn read(bytes: &[u8]) -> Option<(Head, &[u8])> {
    let (written, rest) = time(bytes)?;
    let (level, rest) = cut(rest.strip_prefix(b" [")?, b"] ")?;
    let level = Level::ALL.iter().copied().find(|known| known.as_str().as_bytes() == level)?;
    let (pid, rest) = number(rest)?;
    let (_thread, rest) = number(rest.strip_prefix(b"#")?)?;
    let rest = rest.strip_prefix(b": ")?;
    let (connection, rest) = match rest.strip_prefix(b"*").and_then(number) {
        Some((connection, rest)) if rest.starts_with(b" ") => (Some(connection), &rest[1..]),
        Some(_) | None => (None, rest),
    };
    Some((Head { written, level, pid: u32::try_from(pid).ok()?, connection }, rest))
}

/// `YYYY/MM/DD HH:MM:SS`
fn time(bytes: &[u8]) -> Option<(DateTime, &[u8])> {
    let (stamp, rest) = bytes.split_at_checked(19)?;
    let separators = [(4, b'/'), (7, b'/'), (10, b' '), (13, b':'), (16, b':')];
    if separators.iter().any(|(at, byte)| stamp[*at] != *byte) {
        return None;
    }
    let part = |from: usize, to: usize| number(&stamp[from..to]).filter(|(_, left)| left.is_empty()).map(|(n, _)| n);
    let small = |from, to| part(from, to).and_then(|n| i8::try_from(n).ok());
    let year = i16::try_from(part(0, 4)?).ok()?;
    // 60 is a leap second, which jiff has no name for.
    let second = small(17, 19)?.min(59);
    let written = DateTime::new(year, small(5, 7)?, small(8, 10)?, small(11, 13)?, small(14, 16)?, second, 0).ok()?;
    Some((written, rest))
}
