//! What the observer costs: nanoseconds per run of each of its kernel programs, by the kernel's own statistics, and the
//! requests per second of an nginx beside it, compared with those beside nothing and beside what people use today.
//!
//! It measures and never judges: a number is not right or wrong, and machines differ.

use std::thread;

use anyhow::{Result, ensure};
use serde::Serialize;

use crate::interrupt;
use crate::lock::MachineLock;
use crate::programs;

mod beside;
mod floor;
pub(crate) mod machine;
mod meter;
mod retransmits;
mod runs;
mod statistics;
pub(crate) mod table;
mod throughput;
mod workload;
mod wrk;

use machine::Machine;
use runs::Row;
use throughput::Comparison;

/// How long and how often to measure.
#[derive(Debug, Clone, clap::Args)]
pub struct BenchArgs {
    /// How often each comparison is repeated, in another order each time; 1 to 100
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// How long each measurement lasts, in seconds; 1 to 60
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// How to show the result
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
    /// Measure only one half
    #[arg(long, value_enum)]
    only: Option<Half>,
}

/// How to show the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// Tables for people
    Table,
    /// One JSON object
    Json,
}

/// One half of the benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Half {
    /// Nanoseconds per run of each program
    Programs,
    /// Requests per second of an nginx
    Throughput,
}

/// Everything that was measured.
#[derive(Debug, Serialize)]
struct Report {
    machine: Machine,
    programs: Vec<Row>,
    throughput: Vec<Comparison>,
}

/// Measures, and prints the result on standard output; progress goes to standard error.
pub fn run(args: &BenchArgs) -> Result<()> {
    programs::require_root()?;
    interrupt::install()?;
    let _machine = MachineLock::take()?;
    let machine = Machine::describe()?;
    ensure!(thread::available_parallelism()?.get() > 1, "a benchmark on one processor measures its scheduler: use two");
    let wants = |half| args.only.is_none_or(|only| only == half);
    let programs = if wants(Half::Programs) { runs::measure(args.seconds)? } else { Vec::new() };
    let throughput = if wants(Half::Throughput) { throughput::compare(args.rounds, args.seconds)? } else { Vec::new() };
    let report = Report { machine, programs, throughput };
    match args.output {
        Output::Table => print!("{}", report.tables()),
        Output::Json => println!("{}", serde_json::to_string_pretty(&report)?),
    }
    Ok(())
}

impl Report {
    fn tables(&self) -> String {
        let mut text = self.machine.to_string();
        if !self.programs.is_empty() {
            text += &format!("\n{}", runs::table(&self.programs));
        }
        if !self.throughput.is_empty() {
            text += &format!("\n{}", throughput::table(&self.throughput));
        }
        text
    }
}
