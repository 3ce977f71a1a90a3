use super::{ReadCounts, Reader};
use crate::nginx::error_log::line::Kind;

const WHOLE: &[u8] =
    b"2026/11/22 13:45:03 [error] 12#12: *7 upstream timed out (110: Connection timed out) while connecting \
                       to upstream, client: 10.0.0.9, server: s, request: \"GET / HTTP/1.1\", \
                       upstream: \"http://10.0.0.1:80/\", host: \"x\"";

#[test]
fn other_programs_lines_are_counted_not_refused() {
    let mut reader = Reader::default();
    assert!(reader.read(b"PHP Warning: something").is_none());
    assert!(reader.read(WHOLE).is_some());
    assert_eq!(reader.counts(), ReadCounts { read: 1, unknown: 1, ..ReadCounts::default() });
}

#[test]
fn a_line_made_up_within_a_message_is_left_out() {
    let mut reader = Reader::default();
    assert!(reader.read(b"2026/11/22 13:45:03 [error] 12#12: *9 open() \"/srv/").is_some());
    assert!(reader.read(WHOLE).is_none(), "the client asked for /%0A2026...");
    let end =
        b"\" failed (2: No such file or directory), client: 10.0.0.9, server: s, request: \"GET /%0A2026 HTTP/1.1\"";
    assert!(reader.read(end).is_none());
    assert!(reader.read(WHOLE).is_some(), "the message has ended");
    assert_eq!(reader.counts(), ReadCounts { read: 2, unknown: 1, enclosed: 1, truncated: 0 });
}

#[test]
fn a_message_without_an_end_encloses_no_more_than_nginx_can_write() {
    let mut reader = Reader::default();
    reader.read(b"2026/11/22 13:45:03 [error] 12#12: *9 something of a module that names no client");
    let left_out = std::iter::repeat_with(|| reader.read(WHOLE)).take_while(Option::is_none).count();
    assert!((1..=12).contains(&left_out), "{left_out}");
    assert!(reader.read(WHOLE).is_some());
}

/// Written by the nginx of the lab, at level `info`, with requests that fail in each way that its backend knows.
#[test]
fn every_line_of_a_real_log_is_read() {
    let log = include_bytes!("../../../../../fuzz/corpus/error_log/nginx-1.22.1");
    let mut reader = Reader::default();
    let lines: Vec<_> = log.trim_ascii_end().split(|byte| *byte == b'\n').map(|line| reader.read(line)).collect();
    assert_eq!(reader.counts().read, lines.len() as u64, "{:?}", reader.counts());
    assert_eq!(reader.counts().truncated, 1);
    let of_upstream: Vec<_> = lines.into_iter().flatten().filter(|line| line.upstream.is_some()).collect();
    assert!(of_upstream.len() > 20);
    for line in of_upstream {
        assert!(line.action.is_some() && line.request.is_some() && line.client.is_some(), "{line:?}");
        assert!(![Kind::Other, Kind::ProcessEnded].contains(&line.complaint.kind), "{line:?}");
    }
}
