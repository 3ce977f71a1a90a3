use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    time::Instant,
};

use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    logs::v1::LogRecord,
};
use prost::Message as _;

use super::*;
use crate::{
    sink::example::{bare_verdict, verdict},
    verdict::Endpoint,
};

const PATIENCE: Duration = Duration::from_secs(20);

/// Takes one request as a collector does, answers with `status`, and gives what was in it.
fn take_one(listener: &TcpListener, status: &str) -> ExportLogsServiceRequest {
    let mut stream = BufReader::new(listener.accept().unwrap().0);
    let (mut head, mut length) = (String::new(), 0);
    while !head.ends_with("\r\n\r\n") {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        head.push_str(&line);
    }
    assert!(head.starts_with("POST /v1/logs HTTP/1.1\r\n"), "{head}");
    assert!(head.to_ascii_lowercase().contains("content-type: application/x-protobuf"), "{head}");
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.get_mut().write_all(answer.as_bytes()).unwrap();
    ExportLogsServiceRequest::decode(&*body).unwrap()
}

fn records(request: &ExportLogsServiceRequest) -> Vec<&LogRecord> {
    let scopes = request.resource_logs.iter().flat_map(|resource| &resource.scope_logs);
    scopes.flat_map(|scope| &scope.log_records).collect()
}

fn text(value: Option<&AnyValue>) -> Option<&str> {
    let Value::StringValue(text) = value?.value.as_ref()? else { return None };
    Some(text)
}

fn attribute<'a>(attributes: &'a [KeyValue], name: &str) -> Option<&'a AnyValue> {
    attributes.iter().find(|attribute| attribute.key == name)?.value.as_ref()
}

fn start(address: SocketAddr) -> Otlp {
    Otlp::start(&format!("http://{address}/"), "proxy-1", WallClock::fixed(1_000_000_000)).unwrap()
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_verdict_arrives_whole_with_what_one_joins_by_and_a_harmless_one_is_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let otlp = start(listener.local_addr().unwrap());
    otlp.take(&bare_verdict());
    otlp.take(&verdict());
    let request = take_one(&listener, "200 OK");
    let resource = request.resource_logs[0].resource.as_ref().unwrap();
    assert_eq!(text(attribute(&resource.attributes, "service.name")), Some("reset-observer"));
    assert_eq!(text(attribute(&resource.attributes, "host.name")), Some("proxy-1"));
    let [record] = records(&request)[..] else { panic!("one record: {request:?}") };
    let of = |name| attribute(&record.attributes, name);
    assert_eq!(text(of("reset_observer.cause")), Some("keepalive_race"));
    assert_eq!(text(of("reset_observer.connection")), Some("10.99.1.1:50452-10.99.2.1:3000"));
    assert_eq!(of("network.peer.port").unwrap().value, Some(Value::IntValue(3000)));
    assert_eq!(record.time_unix_nano, 3_432_611_000 + 1_000_000_000);
    let body: serde_json::Value = serde_json::from_str(text(record.body.as_ref()).unwrap()).unwrap();
    assert_eq!(body["id"], verdict().id.to_string().as_str());
    assert_eq!(body["evidence"][0], "fin_seen");
    wait_until("it is counted", || otlp.counts().sent() == 1);
    assert_eq!(otlp.counts().dropped(), 0);
}

#[test]
fn nobody_waits_for_a_collector_that_does_not_answer_and_what_finds_no_room_is_counted() {
    // It listens and never accepts.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let otlp = start(silent.local_addr().unwrap());
    let many = WAITING * 3;
    (0..many).for_each(|_| otlp.take(&verdict()));
    let lost = usize::try_from(otlp.counts().dropped()).unwrap();
    let held = WAITING + 2 * 256;
    assert!(lost >= many - held && lost < many, "{lost} of {many}");
    assert_eq!(otlp.counts().sent(), 0);
}

#[test]
fn a_collector_that_comes_later_or_refuses_for_a_while_gets_all_that_waited() {
    let reserved = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = reserved.local_addr().unwrap();
    drop(reserved);
    let otlp = start(address);
    otlp.take(&verdict());
    wait_until("nobody listens", || TcpStream::connect(address).is_err());
    let listener = TcpListener::bind(address).unwrap();
    take_one(&listener, "503 Service Unavailable");
    let request = take_one(&listener, "200 OK");
    assert_eq!(records(&request).len(), 1);
    wait_until("it is counted", || otlp.counts().sent() == 1);
    otlp.finish();
}

#[test]
fn both_hosts_name_a_connection_alike() {
    let end = |address: &str, port| Endpoint { addr: address.parse().unwrap(), port };
    let (proxy, backend) = (end("10.0.0.9", 50452), end("10.0.0.10", 3000));
    assert_eq!(connection_key(proxy, backend), "10.0.0.9:50452-10.0.0.10:3000");
    assert_eq!(connection_key(backend, proxy), connection_key(proxy, backend));
    let mapped = end("::ffff:10.0.0.9", 50452);
    assert_eq!(connection_key(mapped, backend), connection_key(proxy, backend), "as a socket of both families sees it");
    let six = connection_key(end("fd00::2", 3000), end("fd00::1", 40000));
    assert_eq!(six, "[fd00::1]:40000-[fd00::2]:3000");
}
