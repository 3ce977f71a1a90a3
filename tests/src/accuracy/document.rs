//! The page `docs/accuracy.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Result;

use super::bounds::Tally;
use super::ledger::Entry;
use super::matrix;
use crate::bench::machine::Machine;

/// The whole page.
pub(super) fn page(entries: &[Entry], tally: &Tally, seed: u64) -> Result<String> {
    let mut page = String::from(
        "# Accuracy, as measured\n\n\
         Written by `cargo xtask accuracy --document docs/accuracy.md`; do not edit. Each trial is a scenario of the lab \
         whose truth is known because the lab did the deed itself, with a real nginx, under circumstances drawn at \
         random: IPv4 or IPv6; plain, TLS, HTTP/1.0, chunked, large bodies up or down; loopback, a router without delay, \
         1 ms, 20 ms; both ends in sight of the observer or the proxy's alone; an idle machine or another nginx beside \
         it under wrk.\n\n## The machine\n\n",
    );
    writeln!(page, "```text\n{}```\n", Machine::describe()?)?;
    writeln!(page, "## Bounds\n\n```text{tally}```\n")?;
    page += "## Truth and verdicts\n\n\
             True causes down, what was said across; `12h 3m` is twelve times with high confidence, three times with \
             medium, `l` is low. Right closes of idle connections count once for each trial.\n\n";
    let (heads, rows) = matrix::cells(entries);
    writeln!(page, "| {} |\n|{}", heads.join(" | "), "---|".repeat(heads.len()))?;
    for row in rows {
        writeln!(page, "| {} |", row.join(" | "))?;
    }
    page += "\n## By scenario\n\n| scenario | trials | without a fault |\n|---|---|---|\n";
    for (scenario, (trials, clean)) in by_scenario(entries) {
        writeln!(page, "| `{scenario}` | {trials} | {clean} |")?;
    }
    writeln!(page, "\n## Again\n\n`cargo xtask accuracy --seed {seed} --rounds {}`, as root.", rounds(entries))?;
    Ok(page)
}

fn by_scenario(entries: &[Entry]) -> BTreeMap<&str, (usize, usize)> {
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.spoiled.is_none()) {
        let (trials, clean) = counts.entry(&entry.scenario).or_default();
        *trials += 1;
        *clean += usize::from(entry.faults.is_empty());
    }
    counts
}

fn rounds(entries: &[Entry]) -> u32 {
    entries.iter().map(|entry| entry.round + 1).max().unwrap_or(1)
}
