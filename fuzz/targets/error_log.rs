//! nginx's error log: whatever clients and backends get nginx to write, each line is read or counted, and what is shown
//! of it holds no control characters.
#![no_main]

use libfuzzer_sys::fuzz_target;
use reset_observer::nginx::error_log::{line::Line, reader::Reader};

fuzz_target!(|data: &[u8]| {
    let mut reader = Reader::default();
    let mut lines = 0;
    for bytes in data.split(|byte| *byte == b'\n') {
        lines += 1;
        if let Some(line) = reader.read(bytes) {
            check(&line);
        }
    }
    let counts = reader.counts();
    assert_eq!(counts.read + counts.unknown + counts.enclosed, lines, "each line is read or counted");
});

fn check(line: &Line) {
    let texts = [&line.server, &line.request, &line.subrequest, &line.host, &line.referrer];
    let uri = line.upstream.as_ref().map(|upstream| upstream.uri.clone());
    for text in texts.into_iter().chain([&uri]).flatten() {
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }
    assert!(line.client.is_some() || (line.server.is_none() && line.upstream.is_none()), "parts come in order");
    _ = (line.method(), line.is_whole());
}
