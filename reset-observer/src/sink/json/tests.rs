use std::{collections::BTreeMap, io};

use super::*;
use crate::{
    comparison::Stretch,
    sink::{MarkedBy, NginxFound, example, losses::Stage},
};

fn written(write: impl FnOnce(&mut JsonLines<&mut Vec<u8>>)) -> String {
    let mut out = Vec::new();
    write(&mut JsonLines::new(&mut out, example::CLOCK));
    String::from_utf8(out).unwrap()
}

/// The contract, letter for letter: order of fields included.
const VERDICT: &str = concat!(
    r#"{"type":"verdict","schema":1,"time":"2026-11-22T13:45:03.432611Z","id":"dd85010ffea0","#,
    r#""cause":"keepalive_race","confidence":"high","#,
    r#""impact":"request_retried","signal":"fin_received","leg":"upstream","local":{"addr":"10.99.1.1","port":50452},"#,
    r#""remote":{"addr":"10.99.2.1","port":3000},"tcp_state":"CLOSE_WAIT","netns":4026531992,"#,
    r#""process":{"pid":3632,"name":"nginx","role":"worker","inner_pid":7,"master":3600},"#,
    r#""container":{"id":"c0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0de","runtime":"containerd","#,
    r#""pod":{"uid":"ff49d0be-16b7-4a49-bb9e-8ec1f1f4e27f","name":"web","namespace":"shop","container":"nginx"},"#,
    r#""unit":null},"remote_container":null,"upstream":{"name":"backend","server":"10.99.2.1:3000"},"#,
    r#""timing":{"connection_age_ms":3561.2,"idle_before_request_ms":3532.0,"since_request_us":120,"rtt_min_us":58},"#,
    r#""bytes":{"sent":146,"acked":73,"received":126,"unacked":73},"#,
    r#""rst":{"flags":"R","ttl":64,"syn_ack_ttl":63,"window":0},"reset_reason":null,"backend":null,"#,
    r#""evidence":["fin_seen","flight_never_acked","idle_matches_learned_timeout"],"would_raise":[],"#,
    r#""request":{"line":"GET /ok HTTP/1.1","client":"127.0.0.1","host":"x"},"#,
    r#""advice":"set keepalive_timeout 800ms in upstream backend","episode":null}"#,
    "\n"
);

#[test]
fn a_verdict_is_written_as_the_contract_says() {
    assert_eq!(written(|json| json.verdict(&example::verdict()).unwrap()), VERDICT);
}

#[test]
fn what_is_unknown_is_null() {
    let line = written(|json| json.verdict(&example::bare_verdict()).unwrap());
    let value: serde_json::Value = serde_json::from_str(&line).unwrap();
    for field in [
        "tcp_state",
        "netns",
        "process",
        "container",
        "remote_container",
        "upstream",
        "bytes",
        "rst",
        "request",
        "advice",
    ] {
        assert!(value[field].is_null() && line.contains(&format!("\"{field}\":null")), "{field}: {line}");
    }
    assert!(value["timing"]["rtt_min_us"].is_null());
}

#[test]
fn each_kind_of_line_names_itself_first_and_then_the_schema() {
    let ready = Ready {
        at: KernelTime(0),
        version: "0.1.0".into(),
        programs: vec!["tcp_receive_reset".into()],
        features: BTreeMap::from([("reset_reason".to_owned(), true)]),
        ports: vec![3000],
        nginx: NginxFound { masters: 1, workers: 2, listening: 1 },
        node: "node-7".into(),
    };
    let lost = Lost { at: KernelTime(0), stage: Stage::Ring, records: 2, total: 5 };
    let lines = written(|json| {
        json.ready(&ready).unwrap();
        json.lost(&lost).unwrap();
        json.mark(&Mark { at: KernelTime(0), number: 2, by: MarkedBy::Reload }).unwrap();
        json.comparison(&Comparison::of(Stretch::default(), Stretch::default()), KernelTime(0)).unwrap();
        json.summary(&Summary::start(KernelTime(0))).unwrap();
    });
    let kinds = ["ready", "lost", "mark", "comparison", "summary"];
    assert_eq!(lines.lines().count(), kinds.len());
    for (line, kind) in lines.lines().zip(kinds) {
        assert!(line.starts_with(&format!(r#"{{"type":"{kind}","schema":1,"time":"2026-11-22T"#)), "{line}");
    }
    assert!(lines.contains(r#""features":{"reset_reason":true},"ports":[3000]"#), "{lines}");
    assert!(lines.contains(r#","number":2,"by":"reload"}"#), "{lines}");
    assert!(lines.contains(r#""stage":"ring","records":2,"total":5}"#), "{lines}");
}

/// Refuses every write with one kind of error.
struct Refusing(io::ErrorKind);

impl Write for Refusing {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_went_away_is_told_from_a_full_disk() {
    let error = |kind| JsonLines::new(Refusing(kind), example::CLOCK).verdict(&example::verdict()).unwrap_err();
    assert!(matches!(error(io::ErrorKind::BrokenPipe), OutputError::ReaderGone));
    assert!(matches!(error(io::ErrorKind::StorageFull), OutputError::Write(_)));
}

/// Counts writes and flushes.
#[derive(Default)]
struct Counting {
    writes: usize,
    flushes: usize,
}

impl Write for Counting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writes += 1;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flushes += 1;
        Ok(())
    }
}

#[test]
fn a_line_is_one_write_and_flushed() {
    let mut json = JsonLines::new(Counting::default(), example::CLOCK);
    json.verdict(&example::verdict()).unwrap();
    assert_eq!((json.out.writes, json.out.flushes), (1, 1));
}
