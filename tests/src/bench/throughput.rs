//! Requests per second of an nginx beside one program and the other, in turn: all in each round, and each round in
//! another order, so that what else the machine does falls on all alike.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::Result;
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
    /// Seconds of processor time that the program itself took per second.
    processor: Spread,
    /// Answers that were no success: the numbers are worthless if there are any.
    failures: u64,
}

/// What was measured of one variant beside one program, round by round.
#[derive(Debug, Default)]
struct Series {
    rps: Vec<f64>,
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
        let base = series[0].rps.clone();
        comparisons.extend(Beside::ALL.iter().zip(series).filter_map(|(beside, series)| {
            let (rps, ratio) = (Spread::of(&series.rps)?, Spread::of(&ratios(&series.rps, &base))?);
            let (processor, failures) = (Spread::of(&series.processor)?, series.failures);
            Some(Comparison { upstream, beside: beside.name(), rounds: series.rps, rps, ratio, processor, failures })
        }));
    }
    Ok(comparisons)
}

impl Series {
    fn take(&mut self, beside: Beside, keepalive: u32, seconds: u64) -> Result<()> {
        interrupt::check()?;
        let (load, processor) = measure(beside, keepalive, seconds)?;
        self.rps.push(load.rps);
        self.failures += load.failures;
        // A duration is far below what a float can hold exactly.
        self.processor.push(processor / seconds as f64);
        Ok(())
    }
}

/// On a stage of its own, so that no measurement finds the leftovers of the one before. Everything runs in one
/// namespace: both ends of each connection are on this host, which is the worst case for whoever watches sockets.
fn measure(beside: Beside, keepalive: u32, seconds: u64) -> Result<(Load, f64)> {
    let scratch = tempfile::Builder::new().prefix("reset-observer-bench-").tempdir()?;
    let net = Topology::build(Shape::Loopback, Family::V4, scratch.path())?;
    let proxy = net.proxy();
    spare_ports(proxy)?;
    let server = SocketAddr::new(net.backend_address(), BACKEND_PORT);
    let _servers = start_nginx(proxy, scratch.path(), keepalive, server)?;
    let neighbour = beside.start(proxy, scratch.path())?;
    wrk::load(proxy, WARM_UP)?;
    let before = neighbour.processor_seconds()?;
    let load = wrk::load(proxy, seconds)?;
    Ok((load, neighbour.processor_seconds()? - before))
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
            let Comparison { upstream, beside, rps, ratio, processor, failures, .. } = comparison;
            let mut row = vec![(*upstream).to_owned(), (*beside).to_owned()];
            row.extend([rps.median, rps.lowest, rps.highest].map(rounded));
            row.extend([ratio.median, ratio.lowest, ratio.highest].map(|ratio| format!("{ratio:.3}")));
            row.push(format!("{:.2}", processor.median));
            row.push(failures.to_string());
            row
        })
        .collect();
    let heads = ["upstream", "beside", "rps", "lowest", "highest", "ratio", "lowest", "highest", "own CPU", "failures"];
    columns(&heads, 2, &rows)
}
