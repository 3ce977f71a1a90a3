//! The confusion matrix: true causes down, what was said across, by confidence.

use std::collections::{BTreeMap, BTreeSet};

use super::ledger::Entry;
use crate::bench::table::columns;

/// The letters of the confidences, most confident first.
const CONFIDENCES: [(&str, &str); 3] = [("high", "h"), ("medium", "m"), ("low", "l")];

/// How often each confidence was said.
type Counts = BTreeMap<String, usize>;

/// The table: `12h 3m` is twelve times with high confidence and three times with medium.
pub(super) fn table(entries: &[Entry]) -> String {
    let (heads, rows) = cells(entries);
    let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
    columns(&heads, 1, &rows)
}

/// Head and rows.
pub(super) fn cells(entries: &[Entry]) -> (Vec<String>, Vec<Vec<String>>) {
    let mut counts: BTreeMap<&str, BTreeMap<&str, Counts>> = BTreeMap::new();
    let mut said = BTreeSet::new();
    for reading in entries.iter().flat_map(|entry| &entry.readings) {
        said.insert(reading.said.as_str());
        let row = counts.entry(&reading.truth).or_default();
        *row.entry(&reading.said).or_default().entry(reading.confidence.clone()).or_default() += 1;
    }
    let heads = std::iter::once("truth").chain(said.iter().copied()).map(str::to_owned).collect();
    let row = |(truth, row): (&&str, &BTreeMap<&str, Counts>)| {
        let cells = said.iter().map(|cause| row.get(cause).map_or_else(|| "-".to_owned(), describe));
        std::iter::once((*truth).to_owned()).chain(cells).collect()
    };
    (heads, counts.iter().map(row).collect())
}

fn describe(counts: &Counts) -> String {
    let by_confidence = CONFIDENCES.iter().filter_map(|(name, letter)| Some(format!("{}{letter}", counts.get(*name)?)));
    let silent = counts.get("").map(ToString::to_string);
    by_confidence.chain(silent).collect::<Vec<_>>().join(" ")
}
