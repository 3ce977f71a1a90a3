//! Recordings: whatever a file says, it replays to an end or is refused in a sentence, and so does its redacted copy.
#![no_main]

use std::{io, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use reset_observer::{
    record::KernelTime,
    recording::{
        Header, Redactor, block,
        entry::{self, Entry},
        player::{Player, Step},
        reader::Reader,
        tape::Tape,
    },
    sink::{Output as _, clock::WallClock, json::JsonLines},
};

static HEADER: LazyLock<Header> =
    LazyLock::new(|| Header::new(KernelTime(0), WallClock::fixed(0), std::time::Duration::from_millis(300), &[]));

fuzz_target!(|data: &[u8]| {
    // As a file, whose checksums a fuzzer seldom gets right.
    play(data);
    let mut file = HEADER.to_line().unwrap();
    file.extend_from_slice(data);
    play(&file);
    // As entries, in a block that is as it should be.
    let mut file = HEADER.to_line().unwrap();
    file.extend(block::write(data).unwrap());
    let records = play(&file);
    assert!(redacted(data) >= records, "no record is lost by hiding what it says");
});

/// Replays a file, and gives how many records that took.
fn play(file: &[u8]) -> u64 {
    let mut reader = match Reader::open(file) {
        Ok(reader) => reader,
        Err(reason) => {
            assert!(!format!("{reason:#}").is_empty());
            return 0;
        }
    };
    let mut player = Player::new(reader.header());
    let mut output = JsonLines::new(io::sink(), WallClock::fixed(0));
    let mut records = 0;
    while let Ok(Some(entry)) = reader.next_entry() {
        let is_record = matches!(entry, Entry::Record(..));
        match player.play(entry) {
            Ok(Step::Verdicts(verdicts)) => verdicts.iter().for_each(|verdict| output.verdict(verdict).unwrap()),
            Ok(_) => records += u64::from(is_record),
            Err(reason) => {
                assert!(!format!("{reason:#}").is_empty());
                break;
            }
        }
    }
    records
}

/// Hides what the entries say, and gives how many records remain.
fn redacted(entries: &[u8]) -> u64 {
    let (mut tape, mut left) = (Tape::new(Some(Redactor::default())), entries);
    while !left.is_empty() {
        let Ok(entry) = entry::read(&mut left) else { break };
        tape.put(entry);
    }
    let (written, mut records) = (tape.take(), 0);
    let mut left = &written[..];
    while !left.is_empty() {
        records += u64::from(matches!(entry::read(&mut left).unwrap(), Entry::Record(..)));
    }
    records
}
