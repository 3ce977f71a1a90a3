//! Metrics as they are served, before those who know their formats best.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::prometheus::Programs;

const OPENMETRICS: &str = "application/openmetrics-text;version=1.0.0";

/// What Prometheus's own client library for Python makes of OpenMetrics, strict as the specification is; each exemplar in
/// a line.
const REFERENCE_PARSER: &str = r#"
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
for family in text_string_to_metric_families(sys.stdin.read()):
    for sample in family.samples:
        if sample.exemplar:
            print(sample.name, sample.exemplar.labels["verdict_id"])
"#;

/// Fails with what promtool complains of in either format. Its linter reads 0.0.4 alone, and its reader of OpenMetrics
/// wants a time with each sample.
pub(crate) fn lint(programs: &Programs, daemon: SocketAddr) -> Result<()> {
    let text = metrics(daemon, "text/plain;version=0.0.4")?;
    let words = judged(Command::new(programs.promtool()).args(["check", "metrics"]), &text)?;
    ensure!(words.is_empty(), "promtool: {words}");
    let text = metrics(daemon, OPENMETRICS)?;
    let blocks = TempDir::new()?;
    let file = blocks.path().join("metrics");
    fs::write(&file, text.lines().map(timed).collect::<String>())?;
    let mut promtool = Command::new(programs.promtool());
    let words = judged(promtool.args(["tsdb", "create-blocks-from", "openmetrics"]).arg(&file).arg(blocks.path()), "")?;
    ensure!(words.contains("NUM SERIES"), "promtool: {words}");
    Ok(())
}

/// A line of OpenMetrics with a time, if it is a sample; what follows ` # ` is its exemplar.
fn timed(line: &str) -> String {
    match line.split_once(" # ") {
        _ if line.starts_with('#') => format!("{line}\n"),
        Some((sample, exemplar)) => format!("{sample} 1700000000 # {exemplar}\n"),
        None => format!("{line} 1700000000\n"),
    }
}

/// Which series have which verdict as their exemplar in OpenMetrics; fails with what the reference parser cannot read.
pub(crate) fn exemplars(programs: &Programs, daemon: SocketAddr) -> Result<Vec<(String, String)>> {
    let text = metrics(daemon, OPENMETRICS)?;
    ensure!(text.ends_with("# EOF\n"), "this is not OpenMetrics: {text}");
    let mut parser = Command::new("python3");
    let parser = parser.env("PYTHONPATH", programs.python()).args(["-c", REFERENCE_PARSER]);
    let found = judged(parser, &text)?;
    let pair = |line: &str| line.split_once(' ').map(|(series, id)| (series.to_owned(), id.to_owned()));
    found.lines().map(|line| pair(line).with_context(|| format!("an odd line: {line}"))).collect()
}

fn metrics(daemon: SocketAddr, format: &str) -> Result<String> {
    let mut stream = TcpStream::connect(daemon)?;
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: lab\r\nAccept: {format}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
    ensure!(head.starts_with("HTTP/1.1 200"), "{head}");
    Ok(body.to_owned())
}

/// What a program says of a text; fails with it if the program does.
fn judged(command: &mut Command, text: &str) -> Result<String> {
    let judge = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut judge = judge.with_context(|| format!("the lab itself: could not start {:?}", command.get_program()))?;
    judge.stdin.take().context("no standard input")?.write_all(text.as_bytes())?;
    let said = judge.wait_with_output()?;
    let words = String::from_utf8([said.stdout, said.stderr].concat())?;
    ensure!(said.status.success(), "{words}");
    Ok(words)
}
