//! What cargo cannot say: set-up, demo, tests, checks.
#![forbid(unsafe_code)]

mod apt;
mod lab_tools;
#[cfg(test)]
mod manifests;
mod missing;
mod nginx;
mod pins;
mod program;
mod release;
mod task;
mod toolchain;
mod unpacked;
mod vm;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Builds, shows and tests reset-observer; each task first sets up what it needs.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Find or install what the eBPF programs are built with, and what the lab runs
    Setup {
        /// Only say what is there and what is missing; install nothing
        #[arg(long)]
        check: bool,
        /// Leave out nginx, Node and the network tools of the lab
        #[arg(long)]
        without_lab: bool,
    },
    /// Show crashes, races and idle drops on a real nginx in network namespaces (as root)
    Demo {
        /// What to hand to the demo, after `--`
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Run the tests: unit tests, and as root the lab on this kernel
    Test {
        /// Leave out the lab
        #[arg(long)]
        unit: bool,
    },
    /// Build and run the program itself (as root), as in `cargo xtask run -- observe --port 3000`
    Run {
        /// What to hand to the program
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Boot stock kernels in an emulator and compare what the observer records there with what must hold
    Vm(vm::VmArgs),
    /// Measure what the observer costs; never fails for a number
    Bench {
        #[command(subcommand)]
        what: task::bench::Bench,
    },
    /// Act every scenario of the lab under many circumstances and count how often the observer is right (as root)
    Accuracy {
        /// `--rounds N` (1), `--seconds S`, `--only SCENARIO`, `--cells WORDS`, `--output table|json` and more: `--help`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Write down what each recording of tests/recordings replays to, after a change of what is decided
    Recordings {
        /// Make the recordings anew before, one for each scenario of the lab (as root)
        #[arg(long)]
        live: bool,
        /// Only those of the tests in tests/tests/causes.rs and marked.rs whose names hold one of these words
        #[arg(requires = "live")]
        words: Vec<String>,
    },
    /// Look at the daemon's page in a headless browser, which this installs, and keep pictures in docs/pictures (as root)
    Browser,
    /// Build a Debian package in target/dist: static program, systemd unit, manual, completions, alerts, dashboard
    Deb {
        /// Install, start, upgrade and purge it in a throw-away copy of this machine's files (as root)
        #[arg(long)]
        test: bool,
    },
    /// Write a container image from scratch in target/dist, as an OCI archive
    Image {
        /// Run it by runc with the rights of the Kubernetes manifest and let the lab judge what it says (as root)
        #[arg(long)]
        test: bool,
    },
    /// See each alert fire and each panel of the dashboard have data, under a real Prometheus (as root)
    Monitoring,
    /// Check format, lints of both sides, and documentation; warnings are errors
    Check,
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
        Task::Setup { check, without_lab } => task::setup::setup(&pins, check, without_lab),
        Task::Demo { arguments } => task::demo::demo(&pins, &arguments),
        Task::Test { unit } => task::test::test(&pins, unit),
        Task::Run { arguments } => task::run::run(&pins, &arguments),
        Task::Vm(args) => vm::run(&pins, &args),
        Task::Bench { what } => task::bench::bench(&pins, &what),
        Task::Accuracy { arguments } => task::accuracy::accuracy(&pins, &arguments),
        Task::Recordings { live, words } => task::recordings::recordings(&pins, live, &words),
        Task::Browser => task::browser::browser(&pins),
        Task::Deb { test } => task::deb::deb(&pins, test),
        Task::Image { test } => task::image::image(&pins, test),
        Task::Monitoring => task::monitoring::monitoring(&pins),
        Task::Check => task::check::check(&pins),
    }
}
