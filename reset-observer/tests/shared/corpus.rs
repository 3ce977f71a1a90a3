//! The recordings of the lab.

use std::{fs, path::PathBuf};

/// Where they lie.
pub(crate) const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/recordings");

/// All of them, in the order of their names.
pub(crate) fn corpus() -> Vec<PathBuf> {
    let files = fs::read_dir(CORPUS).unwrap().map(|entry| entry.unwrap().path());
    let mut recordings: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|end| end == "rec")).collect();
    recordings.sort();
    assert!(recordings.len() >= 30, "the corpus has shrunk to {}", recordings.len());
    recordings
}
