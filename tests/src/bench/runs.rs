//! Nanoseconds per run of each program under each workload, by the kernel's own statistics.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use super::floor::Floor;
use super::meter::{Reading, Runs};
use super::table::columns;
use super::throughput::spare_ports;
use super::workload::{self, Place, Workload};
use crate::interrupt;
use crate::observer::Daemon;
use crate::stage::BACKEND_PORT;
use crate::topology::{Family, Shape, Topology};

/// The name that the program goes by that does nothing.
const FLOOR: &str = "(does nothing)";

/// What asking the daemon itself makes the programs do is left out of the table.
const FEW: f64 = 20.0;

/// One program under one workload.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    workload: &'static str,
    /// Flags of the daemon.
    flags: &'static str,
    program: String,
    runs: f64,
    ns_per_run: f64,
    /// Records of this workload that found the ring full; if there are any, some runs were cheaper than they should be.
    ring_full: f64,
}

/// The flags of a daemon, and what is done while it watches.
const SETTINGS: [(&str, &[Workload]); 3] = [
    ("", &workload::ALL),
    ("--port=1", &[workload::OPENS, workload::CLOSES]),
    ("--rst-packets=cgroup", &[workload::OPENS, workload::CLOSES, workload::REQUESTS]),
];

/// Measures all, each for so many seconds.
pub(super) fn measure(seconds: u64) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (flags, workloads) in SETTINGS {
        let scratch = tempfile::Builder::new().prefix("reset-observer-bench-").tempdir()?;
        let net = Topology::build(Shape::Loopback, Family::V4, scratch.path())?;
        spare_ports(net.proxy())?;
        let server = SocketAddr::new(net.backend_address(), BACKEND_PORT);
        let place = Place { net: net.proxy(), server, closed: SocketAddr::new(server.ip(), 4000) };
        let bench = Bench::start(flags, scratch.path())?;
        for workload in workloads {
            eprintln!("bench: {}{}{flags}", workload.name, if flags.is_empty() { "" } else { ", observer " });
            let (reading, floor) = bench.run(workload, &place, Duration::from_secs(seconds))?;
            rows.extend(rows_of(workload.name, flags, &reading, floor));
        }
    }
    Ok(rows)
}

/// The daemon, and beside it the program that does nothing.
struct Bench {
    daemon: Daemon,
    floor: Floor,
}

impl Bench {
    fn start(flags: &str, scratch: &Path) -> Result<Self> {
        let flags = std::iter::once("--kernel.program-stats").chain(Some(flags).filter(|flags| !flags.is_empty()));
        Ok(Self { daemon: Daemon::start_with(&flags.collect::<Vec<_>>())?, floor: Floor::attach(scratch)? })
    }

    /// Repeats the workload until the time is over, and sums up what its acts cost.
    fn run(&self, workload: &Workload, place: &Place<'_>, limit: Duration) -> Result<(Reading, Runs)> {
        let (mut sum, mut floor) = (Reading::default(), Runs::default());
        let start = Instant::now();
        while start.elapsed() < limit {
            interrupt::check()?;
            let prepared = (workload.prepare)(place)?;
            let before = (Reading::of(&self.daemon)?, self.floor.read()?);
            let left = (workload.act)(place, prepared)?;
            let after = (Reading::of(&self.daemon)?, self.floor.read()?);
            drop(left);
            sum.add(&after.0.since(&before.0));
            floor.runs += after.1.runs - before.1.runs;
            floor.seconds += after.1.seconds - before.1.seconds;
        }
        Ok((sum, floor))
    }
}

fn rows_of(workload: &'static str, flags: &'static str, reading: &Reading, floor: Runs) -> Vec<Row> {
    let programs = reading.programs.iter().map(|(name, runs)| (name.clone(), *runs));
    let all = programs.chain([(FLOOR.to_owned(), floor)]);
    let rows = all.filter(|(_, runs)| runs.runs > 0.0).map(|(program, Runs { runs, seconds })| Row {
        workload,
        flags,
        program,
        runs,
        ns_per_run: seconds * 1e9 / runs,
        ring_full: reading.ring_full,
    });
    rows.collect()
}

/// For people.
pub(super) fn table(rows: &[Row]) -> String {
    let shown = rows.iter().filter(|row| row.runs >= FEW);
    let cells: Vec<Vec<String>> = shown
        .map(|Row { workload, flags, program, runs, ns_per_run, ring_full }| {
            let mut cells = vec![(*workload).to_owned(), (*flags).to_owned(), program.clone()];
            cells.extend([*runs, ns_per_run.round(), *ring_full].map(|number| format!("{number:.0}")));
            cells
        })
        .collect();
    columns(&["workload", "flags", "program", "runs", "ns/run", "ring full"], 3, &cells)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_that_of_all_acts_together_and_what_never_ran_has_no_row() {
        let mut reading = Reading::default();
        reading.programs.insert("tcp_reset".into(), Runs::default());
        for (runs, seconds) in [(100.0, 2e-5), (300.0, 6e-5)] {
            let act = [("tcp_send_reset".to_owned(), Runs { runs, seconds })];
            reading.add(&Reading { programs: act.into(), ring_full: 1.0 });
        }
        let rows = rows_of("w", "", &reading, Runs { runs: 10.0, seconds: 2e-7 });
        let told: Vec<_> = rows.iter().map(|row| (row.program.as_str(), row.runs, row.ns_per_run.round())).collect();
        assert_eq!(told, [("tcp_send_reset", 400.0, 200.0), (FLOOR, 10.0, 20.0)]);
        assert_eq!(rows[0].ring_full, 2.0);
    }
}
