use super::*;
use crate::{
    nginx::error_log::line::{Action, Call, Kind, Level},
    sink::NginxFound,
};

fn ready() -> Ready {
    Ready {
        at: KernelTime(0),
        version: "0.1.0".into(),
        programs: vec!["tcp_receive_reset".into()],
        features: [("fentry".to_owned(), true)].into(),
        ports: vec![3000],
        nginx: NginxFound { masters: 1, workers: 2, listening: 3 },
        node: "web-7".into(),
    }
}

fn line() -> Context {
    let text =
        b"2026/11/22 13:45:03 [error] 3632#3632: *7 recv() failed (104: Connection reset by peer) while reading \
        response header from upstream, client: 2001:db8::7, server: , request: \"GET /ok HTTP/1.1\", \
        upstream: \"http://10.99.2.1:3000/ok\", host: \"x\"";
    let line = Box::new(Line::parse(text).unwrap());
    let written = Written { earliest: KernelTime(8), latest: KernelTime(9) };
    Context::Line { log: LogId { instance: 1, file: 2 }, written, line }
}

#[test]
fn entries_read_back_as_they_were_written() {
    let bytes = [7; RECORD_BYTES];
    let entries = [
        Entry::Record(&bytes, 3),
        Entry::Loose(b"short"),
        Entry::Due(KernelTime(9)),
        Entry::Context(Box::new(Context::Ready { at: KernelTime(1), ready: ready() })),
        Entry::Context(Box::new(Context::News { at: KernelTime(u64::MAX), revision: None })),
        Entry::Context(Box::new(Context::News { at: KernelTime(7), revision: Some(u64::MAX) })),
        Entry::Context(Box::new(line())),
        Entry::Context(Box::new(Context::Flush)),
    ];
    let mut written = Vec::new();
    entries.iter().for_each(|entry| write(entry, &mut written).unwrap());
    let mut left = &written[..];
    for entry in &entries {
        assert_eq!(&read(&mut left).unwrap(), entry);
    }
    assert!(left.is_empty());
}

#[test]
fn an_entry_that_is_cut_anywhere_is_refused() {
    let mut written = Vec::new();
    write(&Entry::Context(Box::new(Context::Full)), &mut written).unwrap();
    for len in 1..written.len() {
        assert!(read(&mut &written[..len]).is_err(), "{len} bytes");
    }
    let unknown = read(&mut &[99, 0, 0][..]).unwrap_err();
    assert!(unknown.to_string().contains("unknown kind 99"), "{unknown:#}");
}

/// A context with `edit` made to its JSON, read again.
fn edited(context: Context, edit: impl FnOnce(&mut serde_json::Value)) -> Context {
    let mut json = serde_json::to_value(context).unwrap();
    edit(&mut json);
    let mut bytes = Vec::new();
    sized(CONTEXT, &serde_json::to_vec(&json).unwrap(), &mut bytes).unwrap();
    let Entry::Context(context) = read(&mut &bytes[..]).unwrap() else { panic!() };
    *context
}

fn named() -> Context {
    Context::Named {
        worker: Some(3632),
        remote: crate::sample::server(),
        upstream: None,
        settings: Some(Box::new(crate::sample::configured())),
    }
}

#[test]
fn a_field_that_an_older_program_did_not_write_has_its_default() {
    let read = edited(named(), |json| {
        json["named"]["settings"].as_object_mut().unwrap().remove("send_timeouts").unwrap();
    });
    let settings = UpstreamSettings { send_timeouts: Vec::new(), ..crate::sample::configured() };
    let Context::Named { settings: found, .. } = read else { panic!() };
    assert_eq!(*found.unwrap(), settings);
}

#[test]
fn a_field_of_a_newer_program_is_passed_over() {
    let read = edited(named(), |json| {
        json["named"]["settings"]["colour"] = "green".into();
        json["named"]["weather"] = 7.into();
    });
    assert_eq!(read, named());
}

#[test]
fn what_older_programs_wrote_as_json_is_read() {
    for context in [line(), Context::News { at: KernelTime(7), revision: Some(3) }] {
        assert_eq!(edited(context.clone(), |_| ()), context);
    }
}

/// Lines hold the place of a value among those of its enum, not its name.
#[test]
fn values_of_lines_have_the_numbers_that_they_had() {
    let mut written = Vec::new();
    write(&Entry::Context(Box::new(line())), &mut written).unwrap();
    let hex: String = written.iter().map(|byte| format!("{byte:02x}")).collect();
    let expected = "06660000000102080913323032362d31312d32325431333a34353a303303b01c010700010101d00100010301000120010db80000\
        0000000000000000000701000110474554202f6f6b20485454502f312e310001046874747000000a630201b817032f6f6b010178000000";
    assert_eq!(hex, expected);
    let levels = ["emerg", "alert", "crit", "error", "warn", "notice", "info", "debug"];
    assert!(Level::ALL.iter().map(|value| value.as_str()).eq(levels));
    let kinds = [
        "failed",
        "prematurely_closed",
        "premature_response",
        "timed_out",
        "too_big_header",
        "more_than_content_length",
        "no_valid_header",
        "invalid_response",
        "rejected",
        "went_away",
        "tls_peer_closed",
        "tls_not_verified",
        "no_live_upstreams",
        "server_disabled",
        "buffered_to_file",
        "client_closed",
        "keepalive_closed",
        "client_timed_out",
        "process_ended",
        "other",
    ];
    assert!(Kind::ALL.iter().map(|value| value.as_str()).eq(kinds));
    let calls = [
        "connect",
        "recv",
        "readv",
        "send",
        "writev",
        "sendfile",
        "SSL_do_handshake",
        "SSL_read",
        "SSL_write",
        "SSL_shutdown",
    ];
    assert!(Call::ALL.iter().map(|value| value.as_str()).eq(calls));
    let actions = [
        "connecting to upstream",
        "SSL handshaking to upstream",
        "sending request to upstream",
        "reading response header from upstream",
        "reading upstream",
        "proxying upgraded connection",
        "sending to client",
        "sending early hints to client",
        "proxying connection",
        "proxying and reading from upstream",
        "proxying and sending to client",
        "proxying and reading from client",
        "proxying and sending to upstream",
        "sending PROXY protocol header to upstream",
        "waiting for request",
        "reading client request line",
        "reading client request headers",
        "SSL handshaking",
        "keepalive",
        "other",
    ];
    assert!(Action::ALL.iter().map(|value| value.as_str()).eq(actions));
}
