//! Parse, run, exit code.

use std::{io::Write as _, process::ExitCode};

use reset_observer::{cli::Cli, commands, sink};

fn main() -> ExitCode {
    let cli = Cli::from_args();
    // The only error is that a logger is there already, and then messages have a place to go to.
    _ = sink::log::install(cli.log_level.into());
    match commands::run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Standard error may be closed too; the exit code still tells.
            _ = writeln!(std::io::stderr(), "error: {:#}", failure.error());
            failure.exit_code()
        }
    }
}
