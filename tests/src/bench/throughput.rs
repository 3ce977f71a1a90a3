//! Requests per second of an nginx beside one program and the other, in turn: all in each round, and each round in
//! another order, so that what else the machine does falls on all alike.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::beside::Beside;
use super::statistics::{Spread, ratios};
use super::table::{columns, rounded};
use super::wrk::{self, Load};
use crate::interrupt;
use crate::namespace::Namespace;
use crate::nginx::{Nginx, Settings};
use crate::stage::{BACKEND_PORT, FRONT_PORT};
use crate::topology::{Family, Shape, Topology};

/// How nginx treats its upstream connections: its name, and the `keepalive` of its upstream block.
const VARIANTS: [(&str, u32); 2] = [("a connection per request", 0), ("kept connections", 64)];

/// How long nginx is loaded before it is measured, in seconds.
const WARM_UP: u64 = 1;

/// One variant of nginx beside one program.
#[derive(Debug, Serialize)]
pub(super) struct Comparison {
    upstream: &'static str,
    beside: &'static str,
    /// Requests per second, round by round.
    rounds: Vec<f64>,
    rps: Spread,
    /// To the requests per second beside nothing in the same round.
    ratio: Spread,
    /// Microseconds of processor time that both nginx took per request, what runs inside the kernel for them included.
    work_us: Spread,
    /// To the same beside nothing in the same round. Unlike the rate, it depends little on who else wants the processors.
    work_ratio: Spread,
    /// Seconds of processor time that the program itself took per second.
    processor: Spread,
    /// Answers that were no success: the numbers are worthless if there are any.
    failures: u64,
}

/// What was measured of one variant beside one program, round by round.
#[derive(Debug, Default)]
struct Series {
    rps: Vec<f64>,
    work_us: Vec<f64>,
    processor: Vec<f64>,
    failures: u64,
}

/// Compares all.
pub(super) fn compare(rounds: u32, seconds: u64) -> Result<Vec<Comparison>> {
    let mut comparisons = Vec::new();
    for (upstream, keepalive) in VARIANTS {
        let mut series: [Series; Beside::ALL.len()] = Default::default();
        for round in 0..rounds as usize {
            for turn in 0..Beside::ALL.len() {
                let index = (round + turn) % Beside::ALL.len();
                eprintln!("bench: {upstream}, round {} of {rounds}, beside {}", round + 1, Beside::ALL[index].name());
                series[index].take(Beside::ALL[index], keepalive, seconds)?;
            }
        }
        let base = &series[0];
        let compared = Beside::ALL.iter().zip(&series);
        comparisons.extend(compared.filter_map(|(beside, series)| series.compared(base, upstream, beside.name())));
    }
    Ok(comparisons)
}

impl Series {
    fn take(&mut self, beside: Beside, keepalive: u32, seconds: u64) -> Result<()> {
        interrupt::check()?;
        let Measured { load, work, processor } = measure(beside, keepalive, seconds)?;
        // A duration is far below what a float can hold exactly.
        let seconds = seconds as f64;
        self.rps.push(load.rps);
        self.work_us.push(work * 1e6 / (load.rps * seconds));
        self.failures += load.failures;
        self.processor.push(processor / seconds);
        Ok(())
    }

    fn compared(&self, base: &Self, upstream: &'static str, beside: &'static str) -> Option<Comparison> {
        Some(Comparison {
            upstream,
            beside,
            rounds: self.rps.clone(),
            rps: Spread::of(&self.rps)?,
            ratio: Spread::of(&ratios(&self.rps, &base.rps))?,
            work_us: Spread::of(&self.work_us)?,
            work_ratio: Spread::of(&ratios(&self.work_us, &base.work_us))?,
            processor: Spread::of(&self.processor)?,
            failures: self.failures,
        })
    }
}

/// One measurement; times in seconds of processor time.
struct Measured {
    load: Load,
    /// Of both nginx.
    work: f64,
    /// Of the program beside them.
    processor: f64,
}

/// On a stage of its own, so that no measurement finds the leftovers of the one before. Everything runs in one
/// namespace: both ends of each connection are on this host, which is the worst case for whoever watches sockets.
fn measure(beside: Beside, keepalive: u32, seconds: u64) -> Result<Measured> {
    let scratch = tempfile::Builder::new().prefix("reset-observer-bench-").tempdir()?;
    let net = Topology::build(Shape::Loopback, Family::V4, scratch.path())?;
    let proxy = net.proxy();
    spare_ports(proxy)?;
    let server = SocketAddr::new(net.backend_address(), BACKEND_PORT);
    let servers = start_nginx(proxy, scratch.path(), keepalive, server)?;
    let neighbour = beside.start(proxy, scratch.path())?;
    wrk::load(proxy, WARM_UP)?;
    let (work, processor) = (work_seconds(&servers)?, neighbour.processor_seconds()?);
    let load = wrk::load(proxy, seconds)?;
    Ok(Measured { load, work: work_seconds(&servers)? - work, processor: neighbour.processor_seconds()? - processor })
}

/// The processor time of all workers so far, in seconds: the first number of `/proc/PID/schedstat` ([documentation]).
///
/// [documentation]: https://docs.kernel.org/scheduler/sched-stats.html
fn work_seconds(servers: &[Nginx]) -> Result<f64> {
    let mut sum = 0.0;
    for server in servers {
        for worker in server.workers()? {
            let stat = fs::read_to_string(format!("/proc/{worker}/schedstat")).context("an nginx worker ended")?;
            let ns = stat.split_whitespace().next().and_then(|ns| ns.parse::<f64>().ok());
            sum += ns.context("an odd /proc/PID/schedstat")? / 1e9;
        }
    }
    Ok(sum)
}

/// An nginx in front of another that answers by itself.
fn start_nginx(net: &Namespace, dir: &Path, keepalive: u32, server: SocketAddr) -> Result<[Nginx; 2]> {
    let answering = Settings { location: "return 200 ok;", ..Settings::default() };
    let backend = Nginx::start(net, &dir.join("backend"), &answering, server, &[server])?;
    let front = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), FRONT_PORT);
    let settings = Settings { keepalive, ..Settings::default() };
    Ok([Nginx::start(net, &dir.join("front"), &settings, front, &[server])?, backend])
}

/// Thousands of connections a second to one address run out of ports while each is kept for a minute after its end.
pub(super) fn spare_ports(net: &Namespace) -> Result<()> {
    net.sysctl(&[("ipv4/tcp_max_tw_buckets", "500"), ("ipv4/ip_local_port_range", "10000 65535")])
}

/// For people.
pub(super) fn table(comparisons: &[Comparison]) -> String {
    let rows: Vec<Vec<String>> = comparisons
        .iter()
        .map(|comparison| {
            let Comparison { upstream, beside, rps, ratio, work_us, work_ratio, processor, failures, .. } = comparison;
            let mut row = vec![(*upstream).to_owned(), (*beside).to_owned(), rounded(rps.median)];
            row.extend([ratio.median, ratio.lowest, ratio.highest].map(|ratio| format!("{ratio:.3}")));
            row.push(format!("{:.1}", work_us.median));
            row.extend([work_ratio.median, work_ratio.lowest, work_ratio.highest].map(|ratio| format!("{ratio:.3}")));
            row.push(format!("{:.2}", processor.median));
            row.push(failures.to_string());
            row
        })
        .collect();
    let heads = [
        "upstream",
        "beside",
        "rps",
        "ratio",
        "lowest",
        "highest",
        "us/request",
        "ratio",
        "lowest",
        "highest",
        "own CPU",
        "failures",
    ];
    columns(&heads, 2, &rows)
}
