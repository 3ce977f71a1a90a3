//! What went wrong, with what it takes to see it again.

use std::fmt::Write as _;

use super::ledger::Entry;

/// Every trial with a fault, then every one that was spoiled.
pub(super) fn list(entries: &[Entry], seed: u64) -> String {
    let mut text = String::new();
    for entry in entries.iter().filter(|entry| !entry.faults.is_empty()) {
        let Entry { scenario, cell, round, faults, story, .. } = entry;
        let _ = writeln!(text, "\nMISS {scenario} in {cell} (round {round}, seed {seed}): {}", faults.join("; "));
        let _ = writeln!(text, "  again: cargo xtask accuracy --only {scenario} --cells {cell} --rounds 5");
        for line in story {
            let _ = writeln!(text, "  {line}");
        }
    }
    for entry in entries {
        if let Some(reason) = &entry.spoiled {
            let _ = writeln!(text, "\nSPOILED {} in {}: {reason}", entry.scenario, entry.cell);
        }
    }
    text
}
