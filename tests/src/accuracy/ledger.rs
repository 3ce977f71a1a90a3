//! What came of each trial, kept in a file so that a run that was cut off can be taken up again.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::draw::Draw;
use super::reading::Reading;

/// One trial.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Entry {
    /// The scenario's name.
    pub(super) scenario: String,
    /// The cell's name.
    pub(super) cell: String,
    /// In which round.
    pub(super) round: u32,
    /// How long it took, in milliseconds.
    pub(super) ms: u128,
    /// What was said of each true end.
    pub(super) readings: Vec<Reading>,
    /// What was wrong, in words.
    pub(super) faults: Vec<String>,
    /// Truth and verdicts of a trial in which something was wrong.
    pub(super) story: Vec<String>,
    /// Why nothing could be judged: the lab did not get its deed done.
    pub(super) spoiled: Option<String>,
}

/// All trials so far.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    entries: Vec<Entry>,
    known: HashSet<(String, String, u32)>,
    file: Option<File>,
}

impl Ledger {
    /// Reads what is in the file already; without one, all is kept in memory alone.
    pub(super) fn open(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else { return Ok(Self::default()) };
        let open = || OpenOptions::new().read(true).append(true).create(true).open(path);
        let file = open().with_context(|| format!("cannot open {}", path.display()))?;
        let mut ledger = Self::default();
        for (index, line) in BufReader::new(&file).lines().enumerate() {
            let entry = serde_json::from_str(&line?).with_context(|| {
                format!("line {} of {} is no result of a trial; name another file", index + 1, path.display())
            })?;
            ledger.keep(entry);
        }
        ledger.file = Some(file);
        Ok(ledger)
    }

    /// Whether this trial was held.
    pub(super) fn has(&self, draw: &Draw) -> bool {
        self.known.contains(&(draw.scenario.name.to_owned(), draw.cell.to_string(), draw.round))
    }

    /// Adds a trial.
    pub(super) fn add(&mut self, entry: Entry) -> Result<()> {
        if let Some(file) = &mut self.file {
            writeln!(file, "{}", serde_json::to_string(&entry)?)?;
        }
        self.keep(entry);
        Ok(())
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn keep(&mut self, entry: Entry) {
        self.known.insert((entry.scenario.clone(), entry.cell.clone(), entry.round));
        self.entries.push(entry);
    }
}
