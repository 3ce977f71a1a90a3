//! The truth about a server's idle timeout, as a client without any nginx or observer finds it.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::Value;

use super::{Real, Server};
use crate::child::{Child, Launch};
use crate::namespace::Namespace;
use crate::programs;

/// How long all of its connections may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running probe: connections one after another, each with one request, each until the server closes it.
#[derive(Debug)]
pub struct Probe {
    process: Child,
    times: usize,
}

impl Probe {
    /// Starts it inside `net`, for so many connections to `server`.
    pub fn start(net: &Namespace, real: Real, server: SocketAddr, times: usize, dir: &Path) -> Result<Self> {
        let script = dir.join("probe.js");
        fs::write(&script, include_str!("probe.js"))?;
        let http2 = real.server == Server::NodeHttp2;
        let launch = Launch::new("the probe", programs::node()?).arg(script);
        let launch = launch.arg(format!("\"{}\"", server.ip())).arg(server.port().to_string());
        let launch = launch.args([real.tls.to_string(), http2.to_string(), times.to_string()]);
        Ok(Self { process: launch.inside(net).start()?, times })
    }

    /// Waits until it is done, and gives how long the server kept each connection after its response.
    pub fn finish(mut self) -> Result<Vec<Duration>> {
        self.process.wait(PATIENCE)?;
        let lines = self.process.stdout.all();
        let time = |line: &String| serde_json::from_str::<Value>(line).ok()?["idle_ms"].as_f64();
        let times: Vec<Duration> =
            lines.iter().filter_map(time).map(|ms| Duration::from_secs_f64(ms / 1000.0)).collect();
        let complaints = self.process.stderr.all();
        ensure!(times.len() == self.times, "the lab itself: the probe told {lines:#?} {complaints:#?}");
        Ok(times)
    }
}
