//! What recordings consist of. The frequent entries are bytes as they are, or in postcard's format, which is read many times
//! faster than JSON; the others JSON, which a reader of a later version still understands.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context as _, Result, bail, ensure};
use reset_observer_ebpf::record::RawRecord;
use serde::{Deserialize, Serialize};

use super::Placing;
use crate::{
    correlate::learned::SavedServer,
    counts::KernelCounts,
    nginx::{
        error_log::{
            join::{LogId, Written},
            line::Line,
        },
        processes::InstanceId,
        upstream_settings::UpstreamSettings,
    },
    record::KernelTime,
    sink::{MarkedBy, Ready},
    verdict::UpstreamLabel,
};

mod line;

const RECORD: u8 = 1;
const LOOSE: u8 = 2;
const DUE: u8 = 3;
const PLACING: u8 = 4;
const CONTEXT: u8 = 5;
/// [`Context::Line`]; as JSON at first, which is still read.
const LINE: u8 = 6;
/// [`Context::News`]; the same.
const NEWS: u8 = 7;

/// Length of a record.
pub const RECORD_BYTES: usize = size_of::<RawRecord>();

/// Placings that are known at a time; then they are numbered anew.
pub const MAX_PLACINGS: usize = 4096;

/// One thing that happened, in the order in which it did.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry<'a> {
    /// The record of a connection, and the number of its placing.
    Record(&'a [u8; RECORD_BYTES], u32),
    /// A record that has no place: of a process, or one that could not be read.
    Loose(&'a [u8]),
    /// Verdicts were asked for.
    Due(KernelTime),
    /// The next placing, by number. After [`MAX_PLACINGS`] of them, the first again.
    Placing(Box<Placing>),
    /// Anything else.
    Context(Box<Context>),
}

/// What is rare.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Context {
    /// The observer was ready.
    Ready {
        /// When.
        at: KernelTime,
        /// What it said.
        ready: Ready,
    },
    /// A line of an error log.
    Line {
        /// Which log.
        log: LogId,
        /// When it was written.
        written: Written,
        /// What it says.
        line: Box<Line>,
    },
    /// Lines of error logs, or records, were lost.
    LinesLost {
        /// Around this instant.
        at: KernelTime,
    },
    /// The logs of these instances were read from then on.
    Follow {
        /// In the order of their numbers.
        instances: Vec<InstanceId>,
    },
    /// What had been learned of a server before the session.
    Recall {
        /// Its address.
        server: SocketAddr,
        /// How long before `at` it had been heard of, milliseconds.
        age_ms: u64,
        /// When the session took it.
        at: KernelTime,
        /// What had been learned.
        learned: SavedServer,
    },
    /// What nginx calls a server, from then on.
    Named {
        /// The worker that was asked about; `None`: all of nginx on the host.
        worker: Option<u32>,
        /// The address.
        remote: SocketAddr,
        /// Its name.
        upstream: Option<Arc<UpstreamLabel>>,
        /// What counts for it.
        settings: Option<Box<UpstreamSettings>>,
    },
    /// News of servers were asked for.
    News {
        /// When.
        at: KernelTime,
        /// Of the configurations, where these are read.
        revision: Option<u64>,
    },
    /// The kernel's counters, as they were read when a loss was told of.
    Counts {
        /// When.
        at: KernelTime,
        /// What they said.
        kernel: KernelCounts,
    },
    /// Something was changed: what was said before is to be compared with what is said after.
    Mark {
        /// When.
        at: KernelTime,
        /// The kernel's counters by then.
        kernel: KernelCounts,
        /// What marked it.
        #[serde(default)]
        by: MarkedBy,
    },
    /// What was left was judged, without waiting.
    Flush,
    /// The session ended.
    End {
        /// When.
        at: KernelTime,
        /// The kernel's counters by then.
        kernel: KernelCounts,
    },
    /// No more was recorded, because the file had become as long as it may.
    Full,
}

/// Adds an entry to the bytes of a block.
///
/// # Errors
/// None in practice: every context has a form in JSON.
pub fn write(entry: &Entry<'_>, to: &mut Vec<u8>) -> Result<()> {
    match entry {
        Entry::Record(bytes, placing) => {
            to.push(RECORD);
            to.extend_from_slice(&placing.to_le_bytes());
            to.extend_from_slice(*bytes);
        }
        Entry::Loose(bytes) => sized(LOOSE, bytes, to)?,
        Entry::Due(at) => {
            to.push(DUE);
            to.extend_from_slice(&at.0.to_le_bytes());
        }
        Entry::Placing(placing) => sized(PLACING, &serde_json::to_vec(placing)?, to)?,
        Entry::Context(context) => write_context(context, to)?,
    }
    Ok(())
}

fn write_context(context: &Context, to: &mut Vec<u8>) -> Result<()> {
    if let Context::Line { log, written, line } = context {
        return sized(LINE, &postcard::to_stdvec(&(log, written, line))?, to);
    }
    if let Context::News { at, revision } = context {
        to.push(NEWS);
        to.extend_from_slice(&at.0.to_le_bytes());
        to.push(u8::from(revision.is_some()));
        to.extend_from_slice(&revision.unwrap_or_default().to_le_bytes());
        return Ok(());
    }
    sized(CONTEXT, &serde_json::to_vec(context)?, to)
}

fn sized(tag: u8, bytes: &[u8], to: &mut Vec<u8>) -> Result<()> {
    to.push(tag);
    to.extend_from_slice(&u32::try_from(bytes.len())?.to_le_bytes());
    to.extend_from_slice(bytes);
    Ok(())
}

/// Takes the first entry off the bytes of a block, which must not be empty.
///
/// # Errors
/// If it is none that this program knows, or has not the length that it says.
pub fn read<'a>(bytes: &mut &'a [u8]) -> Result<Entry<'a>> {
    let tag = take::<1>(bytes)?[0];
    Ok(match tag {
        RECORD => {
            let placing = u32::from_le_bytes(*take(bytes)?);
            Entry::Record(take(bytes)?, placing)
        }
        LOOSE => Entry::Loose(take_sized(bytes)?),
        DUE => Entry::Due(KernelTime(u64::from_le_bytes(*take(bytes)?))),
        PLACING => {
            let placing: Box<Placing> = serde_json::from_str(take_text(bytes)?).context("a placing")?;
            Entry::Placing(Box::new(placing.whole()))
        }
        CONTEXT => Entry::Context(serde_json::from_str(take_text(bytes)?).context("a context")?),
        LINE => {
            let bytes = take_sized(bytes)?;
            let read = line::read(bytes).map_or_else(|| postcard::from_bytes(bytes), Ok);
            let (log, written, line) = read.context("a line of an error log")?;
            Entry::Context(Box::new(Context::Line { log, written, line }))
        }
        NEWS => {
            let at = KernelTime(u64::from_le_bytes(*take(bytes)?));
            let known = take::<1>(bytes)?[0] != 0;
            let revision = u64::from_le_bytes(*take(bytes)?);
            Entry::Context(Box::new(Context::News { at, revision: known.then_some(revision) }))
        }
        tag => bail!("an entry of the unknown kind {tag}"),
    })
}

fn take<'a, const N: usize>(bytes: &mut &'a [u8]) -> Result<&'a [u8; N]> {
    let (taken, rest) = bytes.split_first_chunk().context("an entry is cut")?;
    *bytes = rest;
    Ok(taken)
}

fn take_sized<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8]> {
    let len = usize::try_from(u32::from_le_bytes(*take(bytes)?))?;
    ensure!(len <= bytes.len(), "an entry is cut");
    let (taken, rest) = bytes.split_at(len);
    *bytes = rest;
    Ok(taken)
}

/// JSON, looked through for what is no UTF-8 as a whole, and not string by string.
fn take_text<'a>(bytes: &mut &'a [u8]) -> Result<&'a str> {
    std::str::from_utf8(take_sized(bytes)?).context("an entry that is no UTF-8")
}

#[cfg(test)]
mod tests;
