use proptest::prelude::*;

use super::*;
use crate::{nginx::error_log::line::ProcessEnd, record::Exit};

const LINES: [&[u8]; 5] = [
    b"2026/11/22 13:45:03 [error] 3632#3632: *7 recv() failed (104: Connection reset by peer) while reading response \
      header from upstream, client: 2001:db8::7, server: a.example, request: \"GET /ok HTTP/1.1\", subrequest: \"/s\", \
      upstream: \"https://[2001:db8::1]:3000/a-path-that-is-too-long-to-lie-in-its-place\", host: \"x\", referrer: \"y\"",
    b"2026/11/22 13:45:03 [info] 3632#3632: *18446744073709551615 client closed connection while waiting for request, \
      client: unix:, server: 0.0.0.0:80",
    b"2026/11/22 13:45:03 [crit] 4294967295#0: *1 connect() to unix:/s failed (2: No such file or directory) while \
      connecting to upstream, client: 10.0.0.1, server: \xc3\xa4, request: \"GET / HTTP/1.1\", upstream: \
      \"http://unix:/s:/\", host: \"\"",
    b"2026/11/22 13:45:03 [error] 1#1: *2 no live upstreams while connecting to upstream, client: 10.0.0.1, server: , \
      request: \"GET / HTTP/1.1\", upstream: \"http://app/\", host: \"x\"",
    b"2026/11/22 13:45:03 [notice] 1#1: signal process started",
];

type Told = (LogId, Written, Box<Line>);

fn told(text: &[u8]) -> Told {
    let written = Written { earliest: KernelTime(0), latest: KernelTime(u64::MAX) };
    (LogId { instance: 300, file: u32::MAX }, written, Box::new(Line::parse(text).unwrap()))
}

fn by_postcard(bytes: &[u8]) -> Option<Told> {
    postcard::from_bytes(bytes).ok()
}

#[test]
fn a_line_is_read_as_postcard_wrote_it() {
    for text in LINES {
        let told = told(text);
        assert_eq!(read(&postcard::to_stdvec(&told).unwrap()), Some(told));
    }
}

#[test]
fn a_line_that_is_cut_anywhere_is_left_to_postcard() {
    for text in LINES {
        let bytes = postcard::to_stdvec(&told(text)).unwrap();
        for len in 0..bytes.len() {
            assert_eq!((read(&bytes[..len]), by_postcard(&bytes[..len])), (None, None), "{len} bytes");
        }
    }
}

#[test]
fn the_end_of_a_process_is_left_to_postcard() {
    let mut told = told(LINES[4]);
    told.2.complaint.process = Some(ProcessEnd { pid: 7, worker: true, exit: Exit::Signal(9) });
    let bytes = postcard::to_stdvec(&told).unwrap();
    assert_eq!((read(&bytes), by_postcard(&bytes)), (None, Some(told)));
}

proptest! {
    #[test]
    fn numbers_are_read_as_postcard_reads_them(bytes in prop::collection::vec(any::<u8>(), 0..12), value: u64, sign: i32) {
        if let Some(number) = Fields(&bytes).number() {
            prop_assert_eq!(postcard::from_bytes(&bytes), Ok(number));
        }
        prop_assert_eq!(Fields(&postcard::to_stdvec(&value).unwrap()).number(), Some(value));
        prop_assert_eq!(Fields(&postcard::to_stdvec(&sign).unwrap()).signed(), Some(sign));
    }

    /// Never something else than postcard, whatever the bytes.
    #[test]
    fn what_is_changed_anywhere_is_read_as_postcard_reads_it_or_left_to_it(
        text in 0..LINES.len(), at: prop::sample::Index, bits in 1_u8..,
    ) {
        let mut bytes = postcard::to_stdvec(&told(LINES[text])).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= bits;
        if let Some(told) = read(&bytes) {
            prop_assert_eq!(by_postcard(&bytes), Some(told));
        }
    }
}
