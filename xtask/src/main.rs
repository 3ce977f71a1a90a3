//! What cargo cannot say: set-up, demo, tests, checks.
#![forbid(unsafe_code)]

mod apt;
mod missing;
mod pins;
mod program;
mod toolchain;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Builds, tests and shows reset-observer.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Finds or installs what the eBPF programs are built with
    Setup {
        /// Only say what is there and what is missing; install nothing
        #[arg(long)]
        check: bool,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(if error.is::<missing::Missing>() { 2 } else { 1 })
        }
    }
}

fn run(task: Task) -> Result<()> {
    let pins = pins::Pins::load()?;
    match task {
        Task::Setup { check } => {
            let choice = if check { toolchain::check(&pins)? } else { toolchain::ensure(&pins)? };
            println!("eBPF toolchain: {}", toolchain::describe(&choice));
            Ok(())
        }
    }
}
