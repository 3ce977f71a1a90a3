//! Verdicts and metrics on their way to a collector, sent by a program that was built for that: `cargo xtask monitoring`.

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point;
use prost::Message;

use lab::lock::MachineLock;
use lab::observer::Daemon;
use lab::programs;
use lab::scenario;
use lab::stage::Stage;
use lab::topology::Family;

/// How long a verdict may take, or a collector to be tried again.
const PATIENCE: Duration = Duration::from_secs(30);

const SENT: (&str, &str) = ("reset_observer_otlp_verdicts_total", "fate=\"sent\"");
const VERDICTS: (&str, &str) = ("reset_observer_verdicts_total", "cause=\"backend_abort\"");

#[test]
fn a_collector_that_is_down_holds_nothing_up_and_gets_what_waited_once_it_is_there() {
    with_machine(arrives);
}

#[test]
fn a_collector_gets_the_metrics_as_often_as_it_was_said_and_once_more_at_the_end() {
    with_machine(counted);
}

fn with_machine(test: fn() -> Result<()>) {
    if env::var_os("LAB_MONITORING").is_none() {
        println!("left out: it needs a program built with the feature otlp; run `cargo xtask monitoring`");
        return;
    }
    if programs::has_root() {
        let _machine = MachineLock::take().expect("the lock can be had");
        test().expect("the test holds");
    }
}

fn counted() -> Result<()> {
    let collector = Collector::listen("127.0.0.1:0".parse()?)?;
    let endpoint = format!("http://{}", collector.0.local_addr()?);
    let to = ["--otlp-endpoint", &endpoint, "--otlp-metrics-interval"];
    let often = Daemon::start_with(&[&["--state-file", "none", "--port", "3000"], &to[..], &["1s"]].concat())?;
    let stage = Stage::set_up(&(scenario::named("abort_linger0")?.plan)(Family::V4))?;
    collector.wait_for_aborts(0)?;
    abort(&stage)?;
    collector.wait_for_aborts(1)?;
    drop(often);

    let seldom = ["--state-file", "none", "--port", "3000"];
    let mut seldom = Daemon::start_with(&[&seldom, &to[..], &["1h"]].concat())?;
    collector.wait_for_aborts(0)?;
    abort(&stage)?;
    wait_for(&seldom, VERDICTS, 1)?;
    let end = thread::spawn(move || seldom.finish());
    collector.wait_for_aborts(1)?;
    let status = end.join().map_err(|_| anyhow::anyhow!("the lab itself: a panic"))??;
    ensure!(status.success(), "it ended by {status}");
    Ok(())
}

fn arrives() -> Result<()> {
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let endpoint = format!("http://{address}");
    let mut daemon = Daemon::start_with(&["--state-file", "none", "--port", "3000", "--otlp-endpoint", &endpoint])?;
    let stage = Stage::set_up(&(scenario::named("abort_linger0")?.plan)(Family::V4))?;
    abort(&stage)?;
    wait_for(&daemon, VERDICTS, 1)?;
    let complains = || daemon.complaints().iter().any(|line| line.contains("does not take verdicts"));
    wait_until("it does not say that the collector is down", || Ok(complains()))?;
    ensure!(daemon.sum(SENT.0, SENT.1)? == 0, "sent to nobody");

    let collector = Collector::listen(address)?;
    let record = collector.take()?;
    ensure!(attribute(&record, "reset_observer.cause") == Some("backend_abort"), "{record:?}");
    let connection = attribute(&record, "reset_observer.connection").context("no name of the connection")?;
    let backend = stage.backend()?.wait_for("resetting", 0)?.peer.context("the lab itself: no peer")?;
    let (one, other) = connection.split_once('-').context("not two ends")?;
    let ends = [one.parse::<SocketAddr>()?, other.parse()?];
    ensure!(ends.contains(&stage.server()) && ends.contains(&backend), "{connection} is not {backend}");
    wait_for(&daemon, SENT, 1)?;

    drop(collector);
    abort(&stage)?;
    wait_for(&daemon, VERDICTS, 2)?;
    ensure!(daemon.finish()?.success(), "{:#?}", daemon.complaints());
    Ok(())
}

fn abort(stage: &Stage) -> Result<()> {
    let status = stage.client()?.get("/linger0")?.status;
    ensure!(status == 502, "the lab itself: nginx answered {status}");
    Ok(())
}

/// Takes requests as a collector does.
struct Collector(TcpListener);

impl Collector {
    fn listen(at: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind(at)?;
        listener.set_nonblocking(true)?;
        Ok(Self(listener))
    }

    /// The first record of the next request with verdicts.
    fn take(&self) -> Result<LogRecord> {
        let request = ExportLogsServiceRequest::decode(&*self.take_from("/v1/logs")?)?;
        let mut scopes = request.resource_logs.into_iter().flat_map(|resource| resource.scope_logs);
        scopes.next().and_then(|scope| scope.log_records.into_iter().next()).context("a request without a record")
    }

    /// Takes metrics until they count so many aborts.
    fn wait_for_aborts(&self, expected: u64) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let request = ExportMetricsServiceRequest::decode(&*self.take_from("/v1/metrics")?)?;
            let counted = aborts(&request)?;
            if counted == expected as f64 {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "{counted} aborts, not {expected}");
        }
    }

    /// The body of the next request for this path.
    fn take_from(&self, path: &str) -> Result<Vec<u8>> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.0.accept() {
                Ok((stream, _)) => {
                    let (asked, body) = receive(stream)?;
                    if asked == path {
                        return Ok(body);
                    }
                }
                // A listener cannot wait for so long and no longer.
                Err(_) => thread::sleep(Duration::from_millis(10)),
            }
            ensure!(Instant::now() < deadline, "nothing came to the collector for {path}");
        }
    }
}

/// Aborts of backends among the verdicts that are counted.
fn aborts(request: &ExportMetricsServiceRequest) -> Result<f64> {
    let scopes = request.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
    let metric = scopes.flat_map(|scope| &scope.metrics).find(|metric| metric.name == VERDICTS.0);
    let Some(Data::Sum(sum)) = metric.and_then(|metric| metric.data.as_ref()) else { bail!("no sum of verdicts") };
    let is_abort = |one: &KeyValue| one.key == "cause" && text(one) == Some("backend_abort");
    let points = sum.data_points.iter().filter(|point| point.attributes.iter().any(is_abort));
    let values = points.map(|point| match point.value {
        Some(number_data_point::Value::AsDouble(value)) => value,
        Some(number_data_point::Value::AsInt(_)) | None => f64::NAN,
    });
    Ok(values.sum())
}

/// The path and the body of a request, which is answered.
fn receive(stream: TcpStream) -> Result<(String, Vec<u8>)> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut stream = BufReader::new(stream);
    let mut first = String::new();
    stream.read_line(&mut first)?;
    let path = first.split(' ').nth(1).context("not HTTP")?.to_owned();
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
    Ok((path, body))
}

fn attribute<'a>(record: &'a LogRecord, name: &str) -> Option<&'a str> {
    text(record.attributes.iter().find(|attribute| attribute.key == name)?)
}

fn text(attribute: &KeyValue) -> Option<&str> {
    let Value::StringValue(text) = attribute.value.as_ref()?.value.as_ref()? else { return None };
    Some(text)
}

fn wait_for(daemon: &Daemon, (metric, label): (&str, &str), expected: u64) -> Result<()> {
    let what = format!("{metric} {label} is not {expected}");
    wait_until(&what, || Ok(daemon.sum(metric, label)? == expected))
}

fn wait_until(what: &str, holds: impl Fn() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !holds()? {
        ensure!(Instant::now() < deadline, "{what}");
        // Neither metrics nor a log have events.
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
