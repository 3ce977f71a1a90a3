//! `replay --compare`: two recordings side by side.

use std::{
    io::{self, Write as _},
    path::Path,
};

use anyhow::{Context as _, Result};

use super::tell_ending;
use crate::{
    cli::{OutputFormat, ReplayArgs},
    comparison::{Comparison, Stretch},
    counts::KernelCounts,
    record::KernelTime,
    recording::{
        Header,
        entry::Entry,
        file,
        player::{Player, Step},
    },
    sink::{Output as _, OutputError, json::JsonLines},
};

/// Shows what the second recording says beside the first.
pub(super) fn compare(args: &ReplayArgs, before: &Path, after: &Path) -> Result<()> {
    let (_, before, _) = stretch(args, before)?;
    let (header, after, ended_at) = stretch(args, after)?;
    let comparison = Comparison::of(before, after);
    let shown = match args.output {
        OutputFormat::Table => write!(io::stdout(), "{comparison}").map_err(OutputError::from),
        OutputFormat::Json => JsonLines::new(io::stdout(), header.clock()).comparison(&comparison, ended_at),
    };
    Ok(shown?)
}

/// What one recording saw, and when it ended.
fn stretch(args: &ReplayArgs, path: &Path) -> Result<(Header, Stretch, KernelTime)> {
    let mut reader = file::open(path)?;
    let mut header = reader.header().clone();
    if let Some(settle) = args.settle {
        header.settle_ms = u64::try_from(settle.as_millis())?;
    }
    let mut player = Player::new(&header);
    let (mut stretch, mut others_count) = (Stretch::default(), false);
    let (mut started_at, mut ended_at, mut kernel) = (header.started_ns, header.started_ns, KernelCounts::default());
    let naming = || format!("cannot replay all of {}", path.display());
    while let Some(entry) = reader.next_entry().with_context(naming)? {
        if let Entry::Due(at) = entry {
            ended_at = at;
        }
        match player.play(entry).with_context(naming)? {
            Step::Nothing | Step::News(_) | Step::Mark(..) => {}
            Step::Ready(ready) => (started_at, others_count) = (ready.at, ready.nginx.workers == 0),
            Step::Verdicts(verdicts) => verdicts.iter().for_each(|verdict| stretch.add(verdict, others_count)),
            Step::Counts(_, counts) => kernel = *counts,
            Step::End(at, counts) => (ended_at, kernel) = (at, *counts),
        }
    }
    tell_ending(reader.ending(), path);
    let connections = Stretch::opened(&KernelCounts::default(), &kernel);
    stretch.end(ended_at.since(started_at), connections, player.pipeline().counts().decoded);
    Ok((header, stretch, ended_at))
}
