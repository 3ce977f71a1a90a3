//! `--report`.

use std::path::PathBuf;

use clap::Args;

/// Whether and where to write a report.
#[derive(Clone, Debug, Default, Args)]
pub struct ReportArgs {
    /// Write a report to this file at the end: one HTML file to read offline, or to attach to a ticket
    ///
    /// What was observed, the causes and what to change, when verdicts fell, how long connections to each server lay idle
    /// beside both sides' timeouts, the requests that were hurt, and the evidence. The file must not be there yet. Only its
    /// owner can read it: it names addresses and requests, unless it is of a redacted recording.
    #[arg(long, value_name = "FILE.html")]
    pub report: Option<PathBuf>,

    /// Replace an older report in the file
    #[arg(long = "report-overwrite", requires = "report")]
    pub report_overwrite: bool,
}
