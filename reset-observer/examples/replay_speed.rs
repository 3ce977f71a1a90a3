//! How fast recordings are replayed on one core, by its own time. Run by `cargo xtask bench replay`.
//!
//! Each recording of a directory is multiplied: copies of its records, each of other connections (ports) and later than the
//! one before, so that those of `--side-by-side` copies are open at a time. It is read, decoded, correlated, classified and
//! written as JSON lines that go nowhere: every verdict, and then once more only those that `replay` shows without `--all`.
//! With `--checksum`, the CRC-32 of all lines of each recording is printed instead, by which two versions of the program are
//! compared.

use std::{
    fs, io,
    num::NonZeroU64,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use reset_observer::{
    record::KernelTime,
    recording::{
        Header, block,
        entry::{self, Context, Entry},
        file,
        player::{Player, Step},
        reader::Reader,
    },
    sink::{Output as _, json::JsonLines, summary::Summary},
    verdict::Cause,
};
use reset_observer_ebpf::record::RawRecord;
use rustix::time::{ClockId, clock_gettime};
use zerocopy::{FromBytes as _, IntoBytes as _};

/// Records of each recording, multiplied.
const RECORDS: u64 = 100_000;

/// Ports from here on are given anew to each connection: those that Linux gives to a client unless told otherwise.
const EPHEMERAL: u16 = 32_768;

/// How many of them are given.
const PORTS: u64 = 28_000;

/// Jiffies in a second, of the kernel that the corpus was recorded on. A multiple of 4 ms is a whole number of them.
const HZ: u64 = 250;

/// What to replay, and how.
#[derive(Parser)]
struct Arguments {
    /// Where the recordings (*.rec) are.
    directory: PathBuf,
    /// Prints a checksum of each recording's lines instead of its speed.
    #[arg(long)]
    checksum: bool,
    /// So many copies of each recording overlap.
    #[arg(long, value_name = "COPIES", default_value = "64")]
    side_by_side: NonZeroU64,
}

fn main() -> Result<()> {
    let Arguments { directory, checksum, side_by_side } = Arguments::parse();
    let mut paths: Vec<_> = fs::read_dir(&directory)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "rec"));
    paths.sort();
    ensure!(!paths.is_empty(), "there is no recording (*.rec) in {}", directory.display());
    let mut totals = [(0, Duration::ZERO); 2];
    for path in &paths {
        let (recording, multiplied) = multiplied(path, side_by_side)?;
        print!("{:<36}", path.file_stem().unwrap_or_default().to_string_lossy());
        if checksum {
            let mut sum = Checksum::default();
            replay(&recording, true, &mut sum)?;
            println!(" {:08x}", sum.0.finalize());
            continue;
        }
        for (shown, total) in [true, false].into_iter().zip(&mut totals) {
            let (records, verdicts, time) = replay(&recording, shown, io::sink())?;
            ensure!(records == multiplied, "{records} of {multiplied} records were read");
            print!(" {verdicts:>7} verdicts {:>9.0} records/s", rate(records, time));
            *total = (total.0 + records, total.1 + time);
        }
        println!(" {:>5.1} bytes/record", rate(recording.len() as u64, Duration::from_secs(multiplied)));
    }
    if checksum {
        return Ok(());
    }
    for (what, (records, time)) in ["every verdict shown", "without --all"].iter().zip(totals) {
        println!("{what:<36} {records:>8} records in {time:.2?}: {:.0} records/s", rate(records, time));
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a rate needs no more digits")]
fn rate(records: u64, time: Duration) -> f64 {
    records as f64 / time.as_secs_f64()
}

/// What this thread has taken of a processor, whatever else runs on this machine.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// Of what was written.
#[derive(Default)]
struct Checksum(crc32fast::Hasher);

impl io::Write for Checksum {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Replays a recording as the program does; gives its records, the verdicts shown, and the time of a processor that took.
fn replay(recording: &[u8], all: bool, out: impl io::Write) -> Result<(u64, u64, Duration)> {
    let started = processor_time();
    let mut reader = Reader::open(recording)?;
    let (mut player, clock) = (Player::new(reader.header()), reader.header().clock());
    let (mut output, mut summary, mut shown) = (JsonLines::new(out, clock), Summary::start(KernelTime(0)), 0);
    while let Some(entry) = reader.next_entry()? {
        match player.play(entry)? {
            Step::Verdicts(verdicts) => {
                for verdict in &verdicts {
                    summary.add(verdict);
                    if all || verdict.cause != Cause::IdleClose {
                        output.verdict(verdict)?;
                        shown += 1;
                    }
                }
                for episode in player.pipeline().take_episodes() {
                    output.episode(&episode)?;
                }
            }
            Step::News(news) => {
                for news in &news {
                    output.upstream(news)?;
                }
            }
            Step::Nothing | Step::Ready(_) | Step::Counts(..) | Step::Mark(..) | Step::End(..) => {}
        }
    }
    Ok((player.pipeline().counts().decoded, shown, processor_time() - started))
}

/// The recording with its middle many times over, so many of them `side_by_side`, and how many records that makes.
fn multiplied(path: &Path, side_by_side: NonZeroU64) -> Result<(Vec<u8>, u64)> {
    let mut reader = file::open(path)?;
    let header = reader.header().clone();
    let (mut before, mut middle, mut last) = (Vec::new(), Vec::new(), header.started_ns);
    let mut records = 0;
    while let Some(entry) = reader.next_entry()? {
        if let Some(at) = time_of(&entry) {
            last = at;
            records += u64::from(matches!(entry, Entry::Record(..) | Entry::Loose(_)));
            let mut bytes = Vec::new();
            entry::write(&entry, &mut bytes)?;
            middle.push((at.max(header.started_ns), bytes));
        } else if !is_end(&entry) {
            entry::write(&entry, &mut before)?;
        }
    }
    let copies = RECORDS.div_ceil(records.max(1));
    let length = u64::try_from(last.since(header.started_ns).as_nanos())?;
    let step = length.div_ceil(side_by_side.get()).next_multiple_of(4_000_000);
    let mut entries = Vec::new();
    for copy in 0..copies {
        for (at, bytes) in &middle {
            let later = KernelTime(at.0 + step * copy);
            entries.push((later, another(entry::read(&mut &bytes[..])?, step * copy, copy)?));
        }
    }
    entries.sort_by_key(|(at, _)| *at);
    Ok((in_blocks(&header, before, &entries)?, copies * records))
}

fn is_end(entry: &Entry<'_>) -> bool {
    let Entry::Context(context) = entry else { return false };
    matches!(**context, Context::Flush | Context::End { .. })
}

/// When it was, of what is multiplied.
fn time_of(entry: &Entry<'_>) -> Option<KernelTime> {
    match entry {
        Entry::Record(bytes, _) => RawRecord::read_from_bytes(&bytes[..]).ok().map(|raw| KernelTime(raw.time_ns)),
        Entry::Loose(bytes) => RawRecord::read_from_bytes(bytes).ok().map(|raw| KernelTime(raw.time_ns)),
        Entry::Due(at) => Some(*at),
        Entry::Placing(_) => None,
        Entry::Context(context) => {
            if let Context::News { at, .. } = **context {
                Some(at)
            } else if let Context::Line { written, .. } = **context {
                Some(written.latest)
            } else {
                None
            }
        }
    }
}

fn in_blocks(header: &Header, before: Vec<u8>, entries: &[(KernelTime, Vec<u8>)]) -> Result<Vec<u8>> {
    let (mut recording, mut block) = (header.to_line()?, before);
    for (_, entry) in entries {
        block.extend_from_slice(entry);
        if block.len() >= block::FULL_BYTES {
            recording.extend(block::write(&std::mem::take(&mut block))?);
        }
    }
    recording.extend(block::write(&block)?);
    Ok(recording)
}

/// The same of another connection, and later.
fn another(entry: Entry<'_>, later: u64, copy: u64) -> Result<Vec<u8>> {
    let mut written = Vec::new();
    let entry = match entry {
        Entry::Record(bytes, placing) => {
            let raw = another_record(bytes, later, copy)?;
            entry::write(&Entry::Record(raw.as_bytes().try_into()?, placing), &mut written)?;
            return Ok(written);
        }
        Entry::Loose(bytes) => {
            entry::write(&Entry::Loose(another_record(bytes, later, copy)?.as_bytes()), &mut written)?;
            return Ok(written);
        }
        Entry::Due(at) => Entry::Due(KernelTime(at.0 + later)),
        Entry::Placing(placing) => Entry::Placing(placing),
        Entry::Context(mut context) => {
            if let Context::News { at, .. } = &mut *context {
                at.0 += later;
            } else if let Context::Line { written, .. } = &mut *context {
                written.earliest.0 += later;
                written.latest.0 += later;
            }
            Entry::Context(context)
        }
    };
    entry::write(&entry, &mut written)?;
    Ok(written)
}

/// The record as if all had happened later, to a connection with another port.
fn another_record(bytes: &[u8], later: u64, copy: u64) -> Result<RawRecord> {
    let mut raw = RawRecord::read_from_bytes(bytes).ok().context("a record of another length")?;
    let jiffies = if raw.jiffies == 0 { 0 } else { later / 1_000_000 * HZ / 1000 };
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
    for port in [&mut raw.local_port, &mut raw.remote_port] {
        if *port >= EPHEMERAL {
            *port = EPHEMERAL + u16::try_from((u64::from(*port - EPHEMERAL) + copy * 7) % PORTS)?;
        }
    }
    let snapshot = &mut raw.snapshot;
    let further = u32::try_from(copy % 0xfff)? << 20;
    // The same for both ends, so that they still meet.
    for number in [
        &mut snapshot.snd_una,
        &mut snapshot.snd_nxt,
        &mut snapshot.write_seq,
        &mut snapshot.rcv_nxt,
        &mut snapshot.copied_seq,
    ] {
        *number = number.wrapping_add(further);
    }
    raw.socket = raw.socket.wrapping_add(copy << 20);
    Ok(raw)
}
