//! The first line of a recording, which tells people and programs what it is.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use reset_observer_ebpf::record::{RECORD_VERSION, RawRecord};
use serde::{Deserialize, Serialize, de::IgnoredAny};

use crate::{record::KernelTime, sink::clock::WallClock};

/// What the first line of each recording says it is.
pub const FORMAT: &str = "reset-observer recording";

/// The same as it stands in the file.
pub(super) const BEGINNING: &str = r#"{"format":"reset-observer recording","#;

/// The version of all that follows the first line. A newer one is refused in words.
pub const VERSION: u32 = 1;

/// No first line is longer.
pub(super) const MAX_HEADER: usize = 256 << 10;

/// What a recording is, and what its records cannot be read without.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub version: u32,
    /// Version of the program that recorded.
    pub recorded_by: String,
    /// Release of the kernel that it ran on, as of uname(2).
    pub kernel: String,
    /// When it started, on the wall clock.
    pub started: String,
    /// The same on the monotonic clock, nanoseconds.
    pub started_ns: KernelTime,
    /// How far the wall clock was ahead of the monotonic one, nanoseconds.
    pub clock_ahead_ns: i64,
    /// How long verdicts waited for what belongs to them.
    pub settle_ms: u64,
    /// The session ended after so many verdicts shown.
    pub count: Option<u64>,
    /// Addresses, names and paths are replaced.
    pub redacted: bool,
    /// `little` or `big`: of the numbers in records.
    pub byte_order: String,
    /// Version of the records' layout.
    pub record_version: u16,
    /// Length of a record, bytes.
    pub record_bytes: usize,
    /// The kernel's reasons for resets, by number.
    pub reset_reasons: Vec<(String, u32)>,
}

/// As much of the first line as every version has.
#[derive(Debug, Deserialize)]
struct AnyHeader {
    format: String,
    version: u32,
    #[serde(default)]
    recorded_by: String,
}

impl Header {
    /// The header of a session that starts at `at` on this machine.
    #[must_use]
    pub fn new(at: KernelTime, clock: WallClock, settle: Duration, reset_reasons: &[(String, u32)]) -> Self {
        Self {
            format: FORMAT.into(),
            version: VERSION,
            recorded_by: env!("CARGO_PKG_VERSION").into(),
            kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
            started: clock.rfc3339(at),
            started_ns: at,
            clock_ahead_ns: clock.ahead_ns(),
            settle_ms: u64::try_from(settle.as_millis()).unwrap_or(u64::MAX),
            count: None,
            redacted: false,
            byte_order: BYTE_ORDER.into(),
            record_version: RECORD_VERSION,
            record_bytes: size_of::<RawRecord>(),
            reset_reasons: reset_reasons.to_vec(),
        }
    }

    /// The clock that its times are shown by.
    #[must_use]
    pub const fn clock(&self) -> WallClock {
        WallClock::fixed(self.clock_ahead_ns)
    }

    /// How long verdicts waited for what belongs to them.
    #[must_use]
    pub const fn settle(&self) -> Duration {
        Duration::from_millis(self.settle_ms)
    }

    /// The line, with its line feed.
    ///
    /// # Errors
    /// None in practice: numbers and text always have a form in JSON.
    pub fn to_line(&self) -> Result<Vec<u8>> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        Ok(line)
    }

    /// Reads a first line, given without its line feed.
    ///
    /// # Errors
    /// It is not that of a recording, or of one that this program cannot replay.
    pub fn parse(line: &[u8]) -> Result<Self> {
        if line.starts_with(BEGINNING.as_bytes()) && serde_json::from_slice::<IgnoredAny>(line).is_err() {
            bail!("its first line is damaged or cut short: copy the recording again from where it was made");
        }
        let any: AnyHeader = serde_json::from_slice(line).ok().context(
            "it is not a recording: its first line is not that of one; name a file that `observe --record` wrote",
        )?;
        let (format, writer) = (&any.format, &any.recorded_by);
        if format != FORMAT {
            bail!("it is not a recording but {format:?}: name a file that `observe --record` wrote");
        }
        ensure!(
            any.version == VERSION,
            "it is a recording of version {}, made by reset-observer {writer}, and this program reads version {VERSION}: \
             replay it with that version of reset-observer, or a newer one",
            any.version
        );
        let header: Self = serde_json::from_slice(line)
            .context("its first line is damaged: copy the recording again from where it was made")?;
        ensure!(
            header.byte_order == BYTE_ORDER,
            "it was made on a machine whose numbers are {}-endian: replay it on such a machine",
            header.byte_order
        );
        let known = (RECORD_VERSION, size_of::<RawRecord>());
        ensure!(
            (header.record_version, header.record_bytes) == known,
            "its records are of version {} ({} bytes) and those of this program of version {} ({} bytes): replay it with \
             reset-observer {writer}",
            header.record_version,
            header.record_bytes,
            known.0,
            known.1
        );
        Ok(header)
    }
}

const BYTE_ORDER: &str = if cfg!(target_endian = "little") { "little" } else { "big" };
