//! The lab's command line: run a scenario or the demo, or be one of the lab's own small programs.

#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand};

use lab::accuracy::AccuracyArgs;
use lab::bench::BenchArgs;
use lab::enter::EnterArgs;
use lab::fault::FaultArgs;
use lab::topology::Family;

/// Real nginx, real backends and known truth, in network namespaces that vanish with this process.
#[derive(Debug, Parser)]
#[command(name = "lab", version)]
struct Cli {
    #[command(subcommand)]
    command: LabCommand,
}

#[derive(Debug, Subcommand)]
enum LabCommand {
    /// Show the observer telling the causes apart, one case after another
    Demo,
    /// List the scenarios
    List,
    /// Run scenarios without an observer and print their truth as JSON
    Scenario {
        /// Which; all if none is named
        names: Vec<String>,
        /// Run on IPv6
        #[arg(long)]
        ipv6: bool,
    },
    /// Run scenarios under the observer and compare its verdicts with the truth
    Trial {
        /// Which; all if none is named
        names: Vec<String>,
        /// Run on IPv6
        #[arg(long)]
        ipv6: bool,
    },
    /// Act every scenario under many circumstances and count how often the observer is right
    Accuracy(AccuracyArgs),
    /// Measure what the observer costs
    Bench(BenchArgs),
    /// Be a backend that misbehaves as each request's path asks
    Backend(FaultArgs),
    /// Be the wire of a namespace: hold each packet of its queues
    #[command(hide = true)]
    Wire {
        /// How long to hold each packet, in microseconds
        #[arg(long)]
        delay_us: u64,
    },
    /// Become another program inside a namespace, bound to the life of the lab
    #[command(hide = true)]
    Enter(EnterArgs),
    /// Keep a namespace until the lab is gone
    #[command(hide = true)]
    Hold {
        /// Remove this directory then
        #[arg(long)]
        remove: Option<PathBuf>,
        /// Remove this cgroup then, once nothing runs in it
        #[arg(long)]
        cgroup: Option<PathBuf>,
    },
    /// Be the first process of a virtual machine: run the kernel checks and switch it off
    #[command(hide = true)]
    Init {
        /// Which checks; all if none is named
        only: Vec<String>,
    },
    /// Compare the observer's records with what must hold on this kernel
    #[command(hide = true)]
    KernelChecks {
        /// Which; all if none is named
        only: Vec<String>,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("lab: {error:#}");
            // As a shell reports a program that SIGINT ended.
            if lab::interrupt::requested() { ExitCode::from(130) } else { ExitCode::FAILURE }
        }
    }
}

fn run(command: LabCommand) -> Result<ExitCode> {
    match command {
        LabCommand::Demo => return lab::demo::run(),
        LabCommand::List => lab::scenario::list(),
        LabCommand::Scenario { names, ipv6 } => lab::scenario::run_alone(&names, family(ipv6))?,
        LabCommand::Trial { names, ipv6 } => return lab::trial::run(&names, family(ipv6)),
        LabCommand::Accuracy(args) => return lab::accuracy::run(&args),
        LabCommand::Bench(args) => lab::bench::run(&args)?,
        LabCommand::Backend(args) => lab::fault::serve(&args)?,
        LabCommand::Wire { delay_us } => lab::wire::hold_packets(Duration::from_micros(delay_us))?,
        LabCommand::Enter(args) => lab::enter::enter(&args)?,
        LabCommand::Hold { remove, cgroup } => lab::enter::hold(remove, cgroup.as_deref())?,
        LabCommand::Init { only } => lab::vm::init::run(&only)?,
        LabCommand::KernelChecks { only } => lab::vm::checks::run(&only)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn family(ipv6: bool) -> Family {
    if ipv6 { Family::V6 } else { Family::V4 }
}
