//! The file that a report goes to.

use std::{
    fs::File,
    io::{ErrorKind, Read as _, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use tempfile::NamedTempFile;

use crate::{cli::ReportArgs, sink::html::REPORT_MARK};

/// Where a report goes once the session has ended: replaced as a whole, so that a reader finds all of it or nothing.
pub(super) struct ReportFile {
    path: PathBuf,
    overwrite: bool,
}

impl ReportFile {
    /// The file, if one is asked for. A place that cannot be written to is told of at once.
    pub(super) fn open(args: &ReportArgs) -> Result<Option<Self>> {
        let Some(path) = &args.report else { return Ok(None) };
        let file = Self { path: path.clone(), overwrite: args.report_overwrite };
        file.check()?;
        Ok(Some(file))
    }

    /// Where it will be.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it could be written by now: nothing is left behind.
    pub(super) fn check(&self) -> Result<()> {
        self.look().with_context(|| format!("cannot report to {}", self.path.display()))
    }

    fn look(&self) -> Result<()> {
        if self.path.file_name().is_none() {
            bail!("that is not the name of a file: name one, such as report.html");
        }
        match is_report(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error).context("something else is there: name another file"),
            Ok(false) => bail!("it is there and is no report, which is not overwritten: name another file"),
            Ok(true) if !self.overwrite => {
                bail!("it is there already: name another file, or say --report-overwrite")
            }
            Ok(true) => {}
        }
        self.new_file().map(drop)
    }

    fn new_file(&self) -> Result<NamedTempFile> {
        let directory = self.path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let made = tempfile::Builder::new().prefix(".reset-observer-report-").tempfile_in(directory);
        made.context("make its directory, or name a file in one that you may write to")
    }

    /// Writes it; only its owner can read it. What cannot get its name, because something took it meanwhile, is kept under
    /// another one, which the error tells.
    pub(super) fn write(&self, report: &str) -> Result<()> {
        self.put(report).with_context(|| format!("cannot write the report {}", self.path.display()))
    }

    fn put(&self, report: &str) -> Result<()> {
        let mut new = self.new_file()?;
        new.write_all(report.as_bytes()).context("free some room, and replay the recording if there is one")?;
        new.as_file().sync_all()?;
        let named = if self.overwrite { new.persist(&self.path) } else { new.persist_noclobber(&self.path) };
        match named {
            Ok(_) => Ok(()),
            Err(refused) => {
                let (_, kept) = refused.file.keep().context("it could not be kept either")?;
                Err(refused.error).with_context(|| format!("it is kept as {}", kept.display()))
            }
        }
    }
}

/// Whether the file begins as a report does.
fn is_report(path: &Path) -> std::io::Result<bool> {
    // A pipe or a device would be waited for, or is nothing to be replaced.
    if !std::fs::symlink_metadata(path)?.is_file() {
        return Ok(false);
    }
    let mut begin = Vec::new();
    let longest = u64::try_from(REPORT_MARK.len()).unwrap_or(u64::MAX);
    File::open(path)?.take(longest).read_to_end(&mut begin)?;
    Ok(begin == REPORT_MARK.as_bytes())
}

#[cfg(test)]
mod tests;
