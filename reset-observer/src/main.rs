//! Parse, run, exit code.

use std::{io::Write as _, process::ExitCode};

use reset_observer::{
    cli::{Cli, LogFormat},
    commands,
    sink::log::{self as messages, Format},
};

fn main() -> ExitCode {
    let cli = Cli::from_args();
    let format = match cli.log_format {
        LogFormat::Text => Format::Text,
        LogFormat::Json => Format::Json,
    };
    // The only error is that a logger is there already, and then messages have a place to go to.
    _ = messages::install(cli.log_level.into(), format);
    match commands::run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            match format {
                // Standard error may be closed too; the exit code still tells.
                Format::Text => _ = writeln!(std::io::stderr(), "error: {:#}", failure.error()),
                Format::Json => log::error!("{:#}", failure.error()),
            }
            failure.exit_code()
        }
    }
}
