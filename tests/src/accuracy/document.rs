//! The page `docs/accuracy.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Result;

use super::bounds::Tally;
use super::ledger::Entry;
use super::matrix;
use crate::bench::machine::Machine;

/// What the truths leave open, and why.
const NOT_ASKED: &str = "\n## Not asked\n\n\
    - `timeout_midway`: when nginx gives up a backend that stops in the middle of a response, the connection looks idle \
    to the kernel, and only nginx's log tells of it, without saying of which connection: no verdict is due.\n\
    - `client_abort` and its kin: nginx has had one connection to the backend before. Of an nginx that started after the \
    observer, and of whose connections none has ended yet, clients are not recognised as such, and what such an nginx \
    closes for its very first client that leaves is `unknown`.\n\
    - A worker that is killed while its parent serves on is `backend_crash` where the host is in sight; elsewhere it is one \
    connection that was cut by a server that lives, and `backend_abort` is as right.\n\
    - What haproxy in TCP mode closes for idleness is a `keepalive_race` if a request crosses it: the socket at the other \
    end of nginx's connection is haproxy's own.\n\
    - Where the backend's host is out of sight, causes that look the same there count as right, but never at `high`.\n";

/// The whole page.
pub(super) fn page(entries: &[Entry], tally: &Tally, seed: u64) -> Result<String> {
    let mut page = String::from(
        "# Accuracy, as measured\n\n\
         Written by `cargo xtask accuracy --document docs/accuracy.md`; do not edit. Each trial is a scenario of the lab \
         whose truth is known because the lab did the deed itself, with a real nginx, under circumstances drawn at \
         random: IPv4 or IPv6; plain, TLS, HTTP/1.0, chunked, large bodies up or down, gRPC; loopback, a router without \
         delay, 1 ms, 20 ms; both ends in sight of the observer or the proxy's alone; an idle machine or another nginx \
         beside it under wrk; a backend of the lab's own, or Node, gunicorn, uvicorn, Apache, gRPC's own server, and \
         haproxy in TCP mode before Node.\n\n## The machine\n\n",
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
    page += "\n## Missed\n\n";
    let missed: Vec<&Entry> = entries.iter().filter(|entry| !entry.faults.is_empty()).collect();
    if missed.is_empty() {
        page += "Nothing.\n";
    }
    for Entry { scenario, cell, faults, .. } in missed {
        writeln!(page, "- `{scenario}` in `{cell}`: {}", faults.join("; "))?;
    }
    page += NOT_ASKED;
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
