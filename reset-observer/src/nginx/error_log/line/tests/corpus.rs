//! What the fuzzer kept: one input for each way through the parser. `fuzz/targets/error_log.rs` asks the same.

use std::{fs, path::Path};

use crate::nginx::error_log::reader::Reader;

#[test]
fn the_fuzzers_corpus_is_read_or_counted() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/error_log");
    let (mut read, mut left_out) = (0, 0);
    for entry in fs::read_dir(corpus).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        let mut reader = Reader::default();
        let lines = bytes.split(|byte| *byte == b'\n').map(|line| reader.read(line)).count();
        let counts = reader.counts();
        assert_eq!(counts.read + counts.unknown + counts.enclosed, lines as u64);
        read += counts.read;
        left_out += counts.unknown + counts.enclosed;
    }
    assert!(read > 20 && left_out > 5, "{read} read, {left_out} left out");
}
