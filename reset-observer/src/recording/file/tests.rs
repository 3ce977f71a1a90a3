use std::{fs, os::unix::fs::PermissionsExt as _, time::Duration};

use super::*;
use crate::{record::KernelTime, recording::reader::Ending, sink::clock::WallClock};

fn header() -> Header {
    Header::new(KernelTime(5), WallClock::fixed(0), Duration::from_millis(300), &[])
}

fn due(count: u64) -> Vec<u8> {
    let mut entries = Vec::new();
    for at in 0..count {
        entry::write(&Entry::Due(KernelTime(at.wrapping_mul(0x9e37_79b9_7f4a_7c15))), &mut entries).unwrap();
    }
    entries
}

#[test]
fn only_the_owner_can_read_it_and_it_is_not_overwritten_unasked() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.rec");
    RecordingFile::create(&path, DEFAULT_MAX_BYTES, false).unwrap().begin(&header()).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let refused = format!("{:#}", RecordingFile::create(&path, DEFAULT_MAX_BYTES, false).unwrap_err());
    assert!(refused.contains("a.rec") && refused.contains("--record-overwrite"), "{refused}");
    RecordingFile::create(&path, DEFAULT_MAX_BYTES, true).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().len(), 0);
}

#[test]
fn what_is_no_recording_is_never_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("thesis.tex");
    fs::write(&path, "years of work").unwrap();
    let refused = format!("{:#}", RecordingFile::create(&path, DEFAULT_MAX_BYTES, true).unwrap_err());
    assert!(refused.contains("no recording"), "{refused}");
    assert!(RecordingFile::create(Path::new("/dev/null"), DEFAULT_MAX_BYTES, true).is_err());
    assert_eq!(fs::read(&path).unwrap(), b"years of work");
}

#[test]
fn it_stops_at_its_limit_and_says_so_at_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.rec");
    let max = 64 << 10;
    let mut file = RecordingFile::create(&path, max, false).unwrap();
    file.begin(&header()).unwrap();
    while file.add(&due(1000)).unwrap() == Room::Left {}
    assert!(fs::metadata(&path).unwrap().len() <= max);
    let mut reader = open(&path).unwrap();
    let mut entries = 0;
    while reader.next_entry().unwrap().is_some() {
        entries += 1;
    }
    assert_eq!((entries % 1000, reader.ending()), (1, Ending::Full));
}

#[test]
fn what_cannot_be_read_is_named_with_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    let missing = format!("{:#}", open(&directory.path().join("none.rec")).unwrap_err());
    assert!(missing.contains("none.rec") && missing.contains("No such file"), "{missing}");
    let not_a_file = format!("{:#}", open(directory.path()).unwrap_err());
    assert!(not_a_file.contains("not a regular file"), "{not_a_file}");
}
