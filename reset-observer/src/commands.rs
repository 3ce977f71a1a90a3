//! The commands: each wires the rooms together for one purpose.

use std::process::ExitCode;

use crate::cli::{Cli, Command};

mod confine;
mod daemon;
mod doctor;
mod error_logs;
mod explain;
mod losses;
mod memory;
mod observe;
mod progress;
mod recorder;
mod replay;
mod report_file;
mod service;
mod session;
mod showing;
mod stop;
mod storm;

/// Why a command ended early.
#[derive(Debug)]
pub enum Failure {
    /// Something that must be there before the start is not: exit code 2.
    Prerequisite(anyhow::Error),
    /// It failed while running: exit code 1.
    Running(anyhow::Error),
}

impl Failure {
    /// The exit code that says which of the two it was.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Prerequisite(_) => ExitCode::from(2),
            Self::Running(_) => ExitCode::from(1),
        }
    }

    /// What to tell the user.
    #[must_use]
    pub fn error(&self) -> &anyhow::Error {
        match self {
            Self::Prerequisite(error) | Self::Running(error) => error,
        }
    }
}

/// Runs a command to its end.
///
/// # Errors
/// A [`Failure`] to be shown, with its exit code.
pub fn run(cli: &Cli) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Running(anyhow::Error::new(error).context("cannot start the event loop")))?;
    runtime.block_on(async {
        match &cli.command {
            Command::Observe(args) => observe::run(args).await,
            Command::Daemon(args) => daemon::run(args).await,
            Command::Replay(args) => replay::run(args),
            Command::Doctor(args) => doctor::run(args),
            Command::Explain(args) => explain::run(args),
        }
    })
}
