use std::time::Duration;

use super::*;
use crate::{record::KernelTime, recording::VERSION, sink::clock::WallClock};

fn header() -> Header {
    Header::new(
        KernelTime(5),
        WallClock::fixed(0),
        Duration::from_millis(300),
        &[("SK_RST_REASON_TCP_STATE".into(), 7)],
    )
}

fn block_of(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    entries.iter().for_each(|entry| entry::write(entry, &mut bytes).unwrap());
    block::write(&bytes).unwrap()
}

fn recording(blocks: &[Vec<u8>]) -> Vec<u8> {
    let mut file = header().to_line().unwrap();
    blocks.iter().for_each(|block| file.extend_from_slice(block));
    file
}

/// How many entries there are, and the ending.
fn read_all(bytes: &[u8]) -> Result<(usize, Ending)> {
    let mut reader = Reader::open(bytes)?;
    let mut entries = 0;
    while reader.next_entry()?.is_some() {
        entries += 1;
    }
    Ok((entries, reader.ending()))
}

fn end() -> Entry<'static> {
    Entry::Context(Box::new(Context::End { at: KernelTime(9), kernel: Default::default() }))
}

fn refusal(bytes: &[u8]) -> String {
    format!("{:#}", read_all(bytes).unwrap_err())
}

#[test]
fn a_recording_is_read_to_its_end() {
    let due = Entry::Due(KernelTime(7));
    let file = recording(&[block_of(&[due.clone(), due.clone()]), block_of(&[due, end()])]);
    assert_eq!(read_all(&file).unwrap(), (4, Ending::Whole));
    assert_eq!(Reader::open(&file[..]).unwrap().header(), &header());
}

#[test]
fn a_recording_that_is_cut_anywhere_gives_its_whole_blocks() {
    let due = Entry::Due(KernelTime(7));
    let (first, second) = (block_of(&[due.clone(), due]), block_of(&[end()]));
    let file = recording(&[first.clone(), second.clone()]);
    let begin = file.len() - first.len() - second.len();
    for len in begin..file.len() {
        let expected = if len < begin + first.len() { 0 } else { 2 };
        assert_eq!(read_all(&file[..len]).unwrap(), (expected, Ending::CutShort), "{len} bytes");
    }
}

#[test]
fn a_full_recording_says_so() {
    let file = recording(&[block_of(&[Entry::Context(Box::new(Context::Full))])]);
    assert_eq!(read_all(&file).unwrap(), (1, Ending::Full));
}

#[test]
fn a_damaged_block_is_named_with_what_to_do() {
    let mut file = recording(&[block_of(&[end()]), block_of(&[end()])]);
    let last = file.len() - 1;
    file[last] ^= 1;
    let sentence = refusal(&file);
    assert!(sentence.contains("block 2 is damaged") && sentence.contains("copy the recording again"), "{sentence}");
}

#[test]
fn what_is_no_recording_is_told_apart() {
    let newer = Header { version: VERSION + 1, recorded_by: "9.8.7".into(), ..header() }.to_line().unwrap();
    let other = br#"{"format":"reset-observer state","version":1}"#;
    let order = Header { byte_order: "middle".into(), ..header() }.to_line().unwrap();
    let layout = Header { record_bytes: 300, ..header() }.to_line().unwrap();
    let partial = br#"{"format":"reset-observer recording","version":1}"#;
    for (bytes, expected) in [
        (&b""[..], "it is empty"),
        (b"\x7fELF\x02\x01", "it is not a recording"),
        (b"{\"type\":\"verdict\"}\n", "it is not a recording"),
        (other, "not a recording but \"reset-observer state\""),
        (&newer, "made by reset-observer 9.8.7, and this program reads version 1"),
        (&order, "middle-endian"),
        (&layout, "300 bytes"),
        (partial, "its first line is damaged"),
        (&partial[..partial.len() - 1], "its first line is damaged or cut short: copy the recording again"),
    ] {
        let sentence = refusal(bytes);
        assert!(sentence.contains(expected), "{sentence}");
    }
    assert!(refusal(&vec![b'x'; 1 << 20]).contains("it is not a recording"));
}

#[test]
fn a_whole_block_with_an_entry_of_a_later_program_is_refused_with_the_version_to_use() {
    let mut entry = vec![5];
    let context = br#"{"weather":{"at":7}}"#;
    entry.extend_from_slice(&u32::try_from(context.len()).unwrap().to_le_bytes());
    entry.extend_from_slice(context);
    let sentence = refusal(&recording(&[block_of(&[end()]), block::write(&entry).unwrap()]));
    assert!(sentence.contains("block 2 is whole"), "{sentence}");
    assert!(sentence.contains(concat!("replay it with reset-observer ", env!("CARGO_PKG_VERSION"))), "{sentence}");
    assert!(sentence.contains("`weather`"), "{sentence}");
}

#[test]
fn an_entry_of_a_kind_that_is_not_known_is_refused_with_the_version_to_use() {
    let sentence = refusal(&recording(&[block::write(&[99, 0, 0, 0, 0]).unwrap()]));
    assert!(sentence.contains("block 1 is whole") && sentence.contains("unknown kind 99"), "{sentence}");
    assert!(sentence.contains(concat!("replay it with reset-observer ", env!("CARGO_PKG_VERSION"))), "{sentence}");
}

#[test]
fn a_recording_with_any_byte_changed_is_read_or_refused_in_words_that_say_what_to_do() {
    let file = recording(&[block_of(&[Entry::Due(KernelTime(7)), end()])]);
    let first_block = header().to_line().unwrap().len();
    for at in 0..file.len() {
        let mut changed = file.clone();
        changed[at] ^= 0x55;
        match read_all(&changed) {
            // A block that says it is longer than what there is ends as one that was cut short does.
            Ok((_, ending)) => assert!(at < first_block || ending == Ending::CutShort, "byte {at}"),
            Err(error) => {
                let sentence = format!("{error:#}");
                let remedies = ["copy the recording again", "replay it ", "name a file that"];
                assert!(remedies.iter().any(|remedy| sentence.contains(remedy)), "byte {at}: {sentence}");
            }
        }
    }
}
