//! The truth table: every scenario under many circumstances, and how often the observer is right, with which confidence.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

use crate::interrupt;
use crate::lock::MachineLock;
use crate::programs;
use crate::scenario::{self, Scenario};

mod bounds;
mod document;
mod draw;
mod ledger;
mod matrix;
mod misses;
mod neighbour;
mod reading;
mod round;

use bounds::Tally;
use ledger::Ledger;
use round::Round;

/// Which trials to hold, and how to show what came of them.
#[derive(Debug, Clone, clap::Args)]
pub struct AccuracyArgs {
    /// How many cells of each scenario, drawn at random; 1 to 10000
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rounds: u32,
    /// Hold further rounds until so many seconds are over; 1 to 86400
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: Option<u64>,
    /// Hold every cell of every scenario in each round, not one
    #[arg(long)]
    every_cell: bool,
    /// Only this scenario; may be given more than once
    #[arg(long, value_name = "SCENARIO")]
    only: Vec<String>,
    /// Only cells with all of these words in their name, such as `ipv6,tls,20ms,proxy,busy`
    #[arg(long, value_name = "WORDS", value_delimiter = ',')]
    cells: Vec<String>,
    /// Draw the same cells in the same order as the run that printed this seed
    #[arg(long)]
    seed: Option<u64>,
    /// How many trials at a time; 1 to 32
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=32))]
    jobs: u16,
    /// How to show the result
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
    /// Keep each trial's result in this file as a JSON line, and leave out what is in it already
    #[arg(long, value_name = "FILE")]
    results: Option<PathBuf>,
    /// Write the result as a page for people to this file
    #[arg(long, value_name = "FILE")]
    document: Option<PathBuf>,
    /// Let the observer keep a recording of each round in this directory
    #[arg(long, value_name = "DIRECTORY")]
    recordings: Option<PathBuf>,
}

/// How to show the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// Tables for people
    Table,
    /// One JSON object
    Json,
}

/// Holds the trials and prints the result on standard output; progress goes to standard error. Fails if the bounds that
/// the project promises do not hold.
pub fn run(args: &AccuracyArgs) -> Result<ExitCode> {
    programs::require_root()?;
    let scenarios = scenario::chosen(&args.only)?;
    interrupt::install()?;
    let _machine = MachineLock::take()?;
    let seed = args.seed.unwrap_or_else(seed_of_now);
    eprintln!("accuracy: seed {seed}");
    let mut ledger = Ledger::open(args.results.as_deref())?;
    hold_rounds(args, &scenarios, seed, &mut ledger)?;
    let tally = Tally::of(ledger.entries());
    match args.output {
        Output::Table => print!("{}{}{}", matrix::table(ledger.entries()), tally, misses::list(ledger.entries(), seed)),
        Output::Json => println!("{}", serde_json::to_string_pretty(&tally.with(ledger.entries()))?),
    }
    if let Some(path) = &args.document {
        let text = document::page(ledger.entries(), &tally, seed)?;
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(if tally.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn hold_rounds(args: &AccuracyArgs, scenarios: &[Scenario], seed: u64, ledger: &mut Ledger) -> Result<()> {
    let start = Instant::now();
    let deadline = args.seconds.map(|seconds| start + Duration::from_secs(seconds));
    for number in 0.. {
        let enough = match deadline {
            Some(deadline) => Instant::now() > deadline,
            None => number >= args.rounds,
        };
        if enough {
            break;
        }
        let drawn = draw::round(scenarios, &args.cells, seed, number, args.every_cell);
        let drawn = drawn.into_iter().filter(|draw| !ledger.has(draw)).collect();
        let recordings = args.recordings.as_deref();
        Round { jobs: args.jobs.into(), deadline, recordings }.hold(drawn, ledger)?;
        interrupt::check()?;
    }
    Ok(())
}

fn seed_of_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs())
}
