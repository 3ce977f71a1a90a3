//! `--record` and `replay`.

use std::{path::PathBuf, time::Duration};

use clap::Args;

use super::{OutputFormat, ReportArgs, settle};
use crate::recording::file::DEFAULT_MAX_BYTES;

/// Whether and how to record a session.
#[derive(Clone, Debug, Args)]
pub struct RecordArgs {
    /// Record all that decides the verdicts in this file, for `reset-observer replay`
    ///
    /// The file must not be there yet. Only its owner can read it: it holds addresses, names and request lines, unless
    /// --redact is given.
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,

    /// Record no more when the file has become so long; 64KiB to 1024GiB
    #[arg(
        long = "record-max-size",
        value_name = "SIZE",
        default_value = "256MiB",
        value_parser = size
    )]
    pub record_max_size: u64,

    /// Replace an older recording in the file
    #[arg(long = "record-overwrite", requires = "record")]
    pub record_overwrite: bool,

    /// Replace addresses, names, paths and hosts in the recording, so that it can be shown to others
    ///
    /// The same is replaced by the same throughout the recording; ports, process ids, times and counts of bytes stay,
    /// because verdicts rest on them. What is shown on the terminal is not redacted.
    #[arg(long, requires = "record")]
    pub redact: bool,
}

/// Flags of `replay`.
#[derive(Clone, Debug, Args)]
pub struct ReplayArgs {
    /// The recording; with --compare, the one before the change and the one after it
    #[arg(value_name = "FILE", required = true, num_args = 1..=2)]
    pub files: Vec<PathBuf>,

    /// How to show verdicts
    #[arg(long, value_enum, default_value_t = OutputFormat::Table)]
    pub output: OutputFormat,

    /// Show harmless closes of idle connections too
    #[arg(long)]
    pub all: bool,

    /// Let verdicts wait for another time than they did [default: as recorded]
    #[arg(long, value_name = "TIME", value_parser = settle)]
    pub settle: Option<Duration>,

    /// Compare two recordings: did what was changed between them help?
    #[arg(long, conflicts_with_all = ["all", "redacted_copy", "report"])]
    pub compare: bool,

    /// Replay nothing, but write a copy with addresses, names, paths and hosts replaced, which can be shown to others
    #[arg(long = "redacted-copy", value_name = "FILE", conflicts_with = "report")]
    pub redacted_copy: Option<PathBuf>,

    /// Whether to write a report of it.
    #[command(flatten)]
    pub report: ReportArgs,
}

impl Default for RecordArgs {
    fn default() -> Self {
        Self { record: None, record_max_size: DEFAULT_MAX_BYTES, record_overwrite: false, redact: false }
    }
}

fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let scale = match unit {
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err("write a number of KiB, MiB or GiB, such as 64MiB".into()),
    };
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(scale));
    bytes.filter(|bytes| (64 << 10..=1 << 40).contains(bytes)).ok_or_else(|| "must be from 64KiB to 1024GiB".into())
}
