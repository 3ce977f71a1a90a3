//! How fast recordings are replayed: multiplies each recording of a directory in time, replays it on one core to JSON
//! lines that go nowhere, and prints records per second. Run by `cargo xtask bench replay`.

use std::{env, fs, io, path::Path, time::Duration, time::Instant};

use anyhow::{Context as _, Result, ensure};
use reset_observer::{
    record::KernelTime,
    recording::{
        Header, block,
        entry::{self, Context, Entry, RECORD_BYTES},
        file,
        player::{Player, Step},
        reader::Reader,
    },
    sink::{Output as _, json::JsonLines},
};
use reset_observer_ebpf::record::RawRecord;
use zerocopy::{FromBytes as _, IntoBytes as _};

/// Records of each recording, multiplied.
const RECORDS: u64 = 100_000;

/// Between two copies: longer than anything is remembered of a connection.
const APART: Duration = Duration::from_secs(5);

fn main() -> Result<()> {
    let directory = env::args().nth(1).context("name a directory with recordings")?;
    let mut paths: Vec<_> = fs::read_dir(&directory)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "rec"));
    paths.sort();
    ensure!(!paths.is_empty(), "there is no recording (*.rec) in {directory}");
    let (mut all, mut took) = (0, Duration::ZERO);
    for path in &paths {
        let recording = multiplied(path)?;
        let (records, verdicts, time) = replay(&recording)?;
        println!(
            "{:<36} {records:>8} records {verdicts:>8} verdicts {:>9.0} records/s {:>5.1} bytes/record",
            path.file_stem().unwrap_or_default().to_string_lossy(),
            rate(records, time),
            rate(recording.len() as u64, Duration::from_secs(records)),
        );
        all += records;
        took += time;
    }
    println!("{:<36} {all:>8} records in {took:.2?}: {:.0} records/s", "all", rate(all, took));
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a rate needs no more digits")]
fn rate(records: u64, time: Duration) -> f64 {
    records as f64 / time.as_secs_f64()
}

/// Replays a recording as the program does; gives its records, its verdicts, and how long that took.
fn replay(recording: &[u8]) -> Result<(u64, u64, Duration)> {
    let started = Instant::now();
    let mut reader = Reader::open(recording)?;
    let (mut player, clock) = (Player::new(reader.header()), reader.header().clock());
    let (mut output, mut shown) = (JsonLines::new(io::sink(), clock), 0);
    while let Some(entry) = reader.next_entry()? {
        match player.play(entry)? {
            Step::Verdicts(verdicts) => {
                for verdict in &verdicts {
                    output.verdict(verdict)?;
                    shown += 1;
                }
            }
            Step::News(news) => {
                for news in &news {
                    output.upstream(news)?;
                }
            }
            Step::Nothing | Step::Ready(_) | Step::Counts(..) | Step::End(..) => {}
        }
    }
    Ok((player.pipeline().counts().decoded, shown, started.elapsed()))
}

/// The recording with its middle many times over, each later than the one before.
fn multiplied(path: &Path) -> Result<Vec<u8>> {
    let mut reader = file::open(path)?;
    let header = reader.header().clone();
    let (mut before, mut middle, mut last) = (Vec::new(), Vec::new(), header.started_ns);
    let mut records = 0;
    while let Some(entry) = reader.next_entry()? {
        match &entry {
            Entry::Due(at) => last = *at,
            Entry::Record(..) | Entry::Loose(_) => records += 1,
            Entry::Placing(_) | Entry::Context(_) => {}
        }
        let ends = |context: &Context| matches!(context, Context::Flush | Context::End { .. });
        if matches!(&entry, Entry::Context(context) if ends(context)) {
            continue;
        }
        let stands = matches!(entry, Entry::Placing(_) | Entry::Context(_)) && !moves(&entry);
        entry::write(&entry, if stands { &mut before } else { &mut middle })?;
    }
    let span = last.since(header.started_ns) + APART;
    copies(&header, &before, &middle, RECORDS.div_ceil(records.max(1)), span)
}

/// Whether it has a time of its own.
fn moves(entry: &Entry<'_>) -> bool {
    let Entry::Context(context) = entry else { return false };
    matches!(**context, Context::Line { .. } | Context::News { .. })
}

fn copies(header: &Header, before: &[u8], middle: &[u8], copies: u64, span: Duration) -> Result<Vec<u8>> {
    let mut recording = header.to_line()?;
    let mut entries = before.to_vec();
    for copy in 0..copies {
        let later = u64::try_from(span.as_nanos())? * copy;
        let mut left = middle;
        while !left.is_empty() {
            write_later(entry::read(&mut left)?, later, &mut entries)?;
            if entries.len() >= block::FULL_BYTES {
                recording.extend(block::write(&std::mem::take(&mut entries))?);
            }
        }
    }
    recording.extend(block::write(&entries)?);
    Ok(recording)
}

fn write_later(entry: Entry<'_>, later: u64, to: &mut Vec<u8>) -> Result<()> {
    match entry {
        Entry::Record(bytes, placing) => {
            let raw = record_later(bytes, later)?;
            let bytes: &[u8; RECORD_BYTES] = raw.as_bytes().try_into()?;
            entry::write(&Entry::Record(bytes, placing), to)
        }
        Entry::Loose(bytes) => entry::write(&Entry::Loose(record_later(bytes, later)?.as_bytes()), to),
        Entry::Due(at) => entry::write(&Entry::Due(KernelTime(at.0 + later)), to),
        Entry::Placing(_) => entry::write(&entry, to),
        Entry::Context(mut context) => {
            if let Context::News { at, .. } = &mut *context {
                at.0 += later;
            } else if let Context::Line { written, .. } = &mut *context {
                written.earliest.0 += later;
                written.latest.0 += later;
            }
            entry::write(&Entry::Context(context), to)
        }
    }
}

/// The record as if all had happened later. Jiffies of 250 Hz and of 1000 Hz divide whole milliseconds.
fn record_later(bytes: &[u8], later: u64) -> Result<RawRecord> {
    let mut raw = RawRecord::read_from_bytes(bytes).ok().context("a record of another length")?;
    let later = later / 4_000_000 * 4_000_000;
    let hz = if raw.jiffies == 0 { 0 } else { 250 };
    let jiffies = later / (1_000_000_000 / hz.max(1));
    raw.time_ns += later;
    raw.jiffies += jiffies;
    if raw.opened_ns != 0 {
        raw.opened_ns += later;
    }
    let snapshot = &mut raw.snapshot;
    for time in [&mut snapshot.first_transmit_us, &mut snapshot.delivered_us, &mut snapshot.clock_us] {
        if *time != 0 {
            *time += later / 1000;
        }
    }
    for time in [&mut snapshot.last_send, &mut snapshot.last_receive] {
        *time = time.wrapping_add(u32::try_from(jiffies & u64::from(u32::MAX))?);
    }
    Ok(raw)
}
