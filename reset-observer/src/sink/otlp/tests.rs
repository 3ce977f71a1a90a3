use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    time::Instant,
};

use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::ExportLogsServiceRequest,
        metrics::v1::{ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse},
    },
    common::v1::{AnyValue, KeyValue, any_value::Value},
    logs::v1::LogRecord,
    metrics::v1::{AggregationTemporality, Metric, metric::Data, number_data_point},
};
use prost::Message as _;

use super::*;
use crate::{
    sink::{
        example::{self, bare_verdict, verdict},
        metrics::{BuildInfo, Metrics},
    },
    verdict::Endpoint,
};

const PATIENCE: Duration = Duration::from_secs(20);

/// Takes one request as a collector does, answers with `status` and `answer`, and gives the body.
fn take(listener: &TcpListener, path: &str, status: &str, answer: &[u8]) -> Vec<u8> {
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
    assert!(head.starts_with(&format!("POST {path} HTTP/1.1\r\n")), "{head}");
    assert!(head.to_ascii_lowercase().contains("content-type: application/x-protobuf"), "{head}");
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    let length = answer.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.get_mut().write_all(&[head.as_bytes(), answer].concat()).unwrap();
    body
}

fn take_one(listener: &TcpListener, status: &str) -> ExportLogsServiceRequest {
    ExportLogsServiceRequest::decode(&*take(listener, "/v1/logs", status, b"")).unwrap()
}

fn take_metrics(listener: &TcpListener, status: &str, answer: &[u8]) -> ExportMetricsServiceRequest {
    ExportMetricsServiceRequest::decode(&*take(listener, "/v1/metrics", status, answer)).unwrap()
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

/// Metrics after one verdict.
fn counted() -> Metrics {
    let mut metrics = Metrics::new(BuildInfo::of_this_program(), example::CLOCK);
    metrics.observe_verdict(&verdict());
    metrics
}

/// What a collector got, as series of the exposition: name, labels and value, and of a histogram its count.
fn series(metrics: &[Metric]) -> Vec<String> {
    let labels = |attributes: &[KeyValue]| {
        let of = |one: &KeyValue| format!("{}=\"{}\"", one.key, text(one.value.as_ref()).unwrap());
        let all = attributes.iter().map(of).collect::<Vec<_>>().join(",");
        if all.is_empty() { all } else { format!("{{{all}}}") }
    };
    let mut series = Vec::new();
    for Metric { name, data, .. } in metrics {
        let points = match data.as_ref().unwrap() {
            Data::Sum(sum) => &sum.data_points,
            Data::Gauge(gauge) => &gauge.data_points,
            Data::Histogram(histogram) => {
                let counts = histogram.data_points.iter();
                series.extend(counts.map(|point| format!("{name}_count{} {}", labels(&point.attributes), point.count)));
                continue;
            }
            Data::ExponentialHistogram(_) | Data::Summary(_) => panic!("nobody makes these"),
        };
        for point in points {
            let Some(number_data_point::Value::AsDouble(value)) = point.value else { panic!("{point:?}") };
            series.push(format!("{name}{} {value}", labels(&point.attributes)));
        }
    }
    series
}

#[test]
fn a_collector_gets_each_series_of_the_exposition_with_its_value() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let otlp = start(listener.local_addr().unwrap());
    let metrics = counted();
    otlp.measure(metrics.families());
    let request = take_metrics(&listener, "200 OK", b"");
    let resource = request.resource_metrics[0].resource.as_ref().unwrap();
    assert_eq!(text(attribute(&resource.attributes, "service.instance.id")), Some("proxy-1"));
    let mut arrived = series(&request.resource_metrics[0].scope_metrics[0].metrics);
    let exposed = metrics.encode();
    let mut expected: Vec<String> = exposed
        .lines()
        .filter(|line| !line.starts_with('#') && !line.contains("_bucket{") && !line.contains("_seconds_sum{"))
        .map(|line| line.split_once(" # {").map_or(line, |(sample, _)| sample))
        .map(|line| line.strip_suffix(".0").unwrap_or(line).to_owned())
        .collect();
    arrived.sort_unstable();
    expected.sort_unstable();
    assert_eq!(arrived, expected);
}

#[test]
fn counters_and_histograms_say_since_when_and_what_made_them_grow() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let otlp = start(listener.local_addr().unwrap());
    otlp.measure(counted().families());
    let request = take_metrics(&listener, "200 OK", b"");
    let metrics = &request.resource_metrics[0].scope_metrics[0].metrics;
    let named = |name| metrics.iter().find(|metric| metric.name == name).unwrap().data.clone().unwrap();
    let Data::Sum(verdicts) = named("reset_observer_verdicts_total") else { panic!("no sum") };
    assert!(verdicts.is_monotonic && verdicts.aggregation_temporality() == AggregationTemporality::Cumulative);
    let grown = verdicts.data_points.iter().find(|point| !point.exemplars.is_empty()).unwrap();
    assert!(grown.start_time_unix_nano > 0 && grown.start_time_unix_nano <= grown.time_unix_nano);
    let id = verdict().id.to_string();
    assert_eq!(text(attribute(&grown.exemplars[0].filtered_attributes, "verdict_id")), Some(&*id));
    let Data::Histogram(idle) = named("reset_observer_idle_before_request_seconds") else { panic!("no histogram") };
    let race = idle.data_points.iter().find(|point| point.count == 1).unwrap();
    assert_eq!(race.bucket_counts.len(), race.explicit_bounds.len() + 1, "the last bucket has no bound");
    let fell = race.bucket_counts.iter().position(|count| *count == 1).unwrap();
    assert_eq!((race.explicit_bounds[fell], race.sum, race.bucket_counts.iter().sum()), (5.0, Some(3.532), 1));
    assert_eq!(text(attribute(&race.exemplars[0].filtered_attributes, "verdict_id")), Some(&*id));
}

#[test]
fn metrics_that_were_refused_are_followed_by_newer_ones_and_the_last_are_sent_at_the_end() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let otlp = start(listener.local_addr().unwrap());
    otlp.measure(counted().families());
    take_metrics(&listener, "503 Service Unavailable", b"");
    otlp.measure(counted().families());
    let partial = ExportMetricsPartialSuccess { rejected_data_points: 3, error_message: "too old".into() };
    let answer = ExportMetricsServiceResponse { partial_success: Some(partial) }.encode_to_vec();
    take_metrics(&listener, "200 OK", &answer);
    let mut metrics = counted();
    metrics.observe_verdict(&bare_verdict());
    otlp.measure(metrics.families());
    let end = thread::spawn(move || otlp.finish());
    let last = take_metrics(&listener, "200 OK", b"");
    let idle_close =
        "reset_observer_verdicts_total{cause=\"idle_close\",impact=\"none\",leg=\"other\",upstream=\"\",server=\"\"} 1";
    assert!(series(&last.resource_metrics[0].scope_metrics[0].metrics).contains(&idle_close.to_owned()));
    end.join().unwrap();
}
