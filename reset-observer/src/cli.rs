//! The commands and their flags.

use std::{ffi::OsString, num::NonZeroU64, path::PathBuf, time::Duration};

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum, error::ErrorKind};
use reset_observer_ebpf::{MAX_OWNERS, MAX_PORTS};

use crate::{container::POD_LOGS, nginx::processes::ProcessName};

mod daemon;
mod explain;
mod message;
mod value;

pub use daemon::DaemonArgs;
pub use explain::{ExplainArgs, Topic};
pub use message::{LogFormat, LogLevel};
use value::{duration, max_owners, ring_size, settle};

const ABOUT: &str = "Says why TCP connections between nginx and its upstream servers are reset";

const LONG_ABOUT: &str = "\
Says why TCP connections between nginx and its upstream servers are reset.

nginx logs \"104: Connection reset by peer\" or \"upstream prematurely closed connection\", and a client gets a 502. \
Did the backend crash, did nginx reuse a connection that the backend was closing for being idle (a keepalive race), or \
did a firewall or load balancer on the way forget it? reset-observer watches the kernel on the nginx host, joins what \
it sees with the nginx worker and the upstream server, and says which of them it was, on what evidence, and what to \
change.";

const EXAMPLES: &str = "\
Examples:
  reset-observer observe --port 3000
      watch connections from or to port 3000, until Ctrl-C
  reset-observer observe --port 3000 --duration 5m --output json > verdicts.jsonl
      five minutes as JSON lines, for a ticket
  reset-observer observe --count 1
      wait for the next failure, then end
  reset-observer observe --port 3000 --report report.html
      one HTML file at the end, to read offline or to attach to a ticket
  reset-observer observe --port 3000 --record session.rec --redact
  reset-observer replay session.rec
      record a session, and show it again on any machine, without root
  reset-observer doctor
      can this host be observed, and what is missing if not
  reset-observer explain keepalive_race
      what a cause means, how to make sure, and what to change
  reset-observer daemon --web.listen-address 0.0.0.0:9924
      metrics for Prometheus at http://HOST:9924/metrics

Exit status: 0 done, 1 failed while running, 2 bad usage or a missing prerequisite.";

mod recording;
mod report;
mod settings;
mod state_file;

pub use recording::{RecordArgs, ReplayArgs};
pub use report::ReportArgs;
pub use settings::Settings;
pub use state_file::StatePlace;

/// The command line.
#[derive(Clone, Debug, Parser)]
#[command(name = "reset-observer", version, about = ABOUT, long_about = LONG_ABOUT, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// How much to say on standard error
    #[arg(long = "log.level", value_enum, global = true, default_value_t = LogLevel::Info, value_name = "LEVEL")]
    pub log_level: LogLevel,

    /// How to write messages on standard error
    #[arg(long = "log.format", value_enum, global = true, default_value_t = LogFormat::Text, value_name = "FORMAT")]
    pub log_format: LogFormat,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Watch this host and show each verdict as it falls
    ///
    /// Ends at Ctrl-C, or by --duration or --count, with a summary. SIGUSR1 marks the point at which something is changed,
    /// and so does a reload of nginx: both sides of it are compared at the end.
    #[command(after_help = EXAMPLES)]
    Observe(ObserveArgs),
    /// Show the verdicts of a recorded session again, on any machine and without root
    ///
    /// The same lines as the session itself showed; or, with --compare, whether a change between two sessions helped.
    Replay(ReplayArgs),
    /// Run as a service and export metrics for Prometheus
    ///
    /// Serves a page at /, /metrics, /api/v1/verdicts, /api/v1/upstreams, /-/healthy and /-/ready.
    Daemon(DaemonArgs),
    /// Say whether this host can be observed, and what to do where it cannot
    ///
    /// Looks at everything that is needed and at everything that is used where it is there: the kernel, the rights of
    /// this process, nginx. Loads and attaches the programs for an instant to see that it works. Exit status: 0 if
    /// everything required is there, else 2.
    Doctor(DoctorArgs),
    /// Say what a cause means, how to make sure, and what to change
    ///
    /// Without a name, every cause with one line.
    Explain(ExplainArgs),
}

/// What to watch, in all commands that load the programs.
#[derive(Clone, Debug, Args)]
pub struct WatchArgs {
    /// Watch only connections with this port at either end; may be given up to 16 times [default: all]
    #[arg(long = "port", value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub ports: Vec<u16>,

    /// Observe connections of this program like those of nginx: haproxy, envoy or any other; may be given several times
    ///
    /// NAME is the name of the command or of its executable file, without a directory. Of such a program there is no
    /// configuration and no error log to read.
    #[arg(long = "process", value_name = "NAME")]
    pub processes: Vec<ProcessName>,

    /// Where the kubelet keeps the logs of its pods, whose names are read from there; need not exist
    #[arg(long = "pod-logs", value_name = "DIRECTORY", default_value = POD_LOGS)]
    pub pod_logs: PathBuf,

    /// How long a verdict waits for what belongs to it, such as the refused reconnect after a crash; 10ms to 60s
    #[arg(long, value_name = "TIME", default_value = "300ms", value_parser = settle)]
    pub settle: Duration,

    /// How to look at the reset packets themselves, which tell who can have sent them
    #[arg(long = "rst-packets", value_enum, default_value_t = RstPackets::Fentry, value_name = "HOW")]
    pub rst_packets: RstPackets,

    /// Room for records while they wait to be read; 64KiB to 64MiB, rounded up to a power of two
    ///
    /// A record takes 280 bytes, so the default holds a burst of about 7,200: a crash that cuts every pooled
    /// connection of a large proxy at once.
    #[arg(long = "ring-size", value_name = "SIZE", default_value = "2MiB", value_parser = ring_size)]
    pub ring_size: u32,

    /// Connections whose opener is remembered at a time; 1024 to 1048576
    ///
    /// Each takes some 80 bytes of kernel memory. Where a host opens more at a time, those least recently used lose
    /// their worker, and records_lost_total{stage="owner_evicted"} counts them.
    #[arg(long = "max-owners", value_name = "N", default_value_t = MAX_OWNERS, value_parser = max_owners())]
    pub max_owners: u32,

    /// Keep what is learned of upstream servers in this file over a restart, or `none` [default of the daemon:
    /// /var/lib/reset-observer/state.json where that directory is there; else none]
    #[arg(long = "state-file", value_name = "PATH")]
    pub state_file: Option<StatePlace>,

    /// Keep all rights of this process while it runs
    ///
    /// Otherwise it gives up, once the programs are attached, being root, the capabilities that it has no use for any
    /// more, and the system calls that it never makes. Only to find out whether that is the reason of a failure.
    #[arg(long = "no-sandbox")]
    pub no_sandbox: bool,
}

/// How to look at reset packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RstPackets {
    /// At the entry of the kernel's own function for resets, if the kernel allows it: costs nothing else
    Fentry,
    /// At every packet that arrives at a socket, where fentry is refused: costs a look at each packet's flags
    Cgroup,
}

/// Flags of `observe`.
#[derive(Clone, Debug, Args)]
pub struct ObserveArgs {
    /// What to watch.
    #[command(flatten)]
    pub watch: WatchArgs,

    /// End after this time, such as 60s or 5m; 100ms to 720h
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub duration: Option<Duration>,

    /// End after this many verdicts
    #[arg(long, value_name = "N")]
    pub count: Option<NonZeroU64>,

    /// How to show verdicts
    #[arg(long, value_enum, default_value_t = OutputFormat::Table)]
    pub output: OutputFormat,

    /// Show harmless closes of idle connections too
    #[arg(long)]
    pub all: bool,

    /// Whether to write a report of it.
    #[command(flatten)]
    pub report: ReportArgs,

    /// Whether to record it.
    #[command(flatten)]
    pub recording: RecordArgs,
}

/// Flags of `doctor`.
#[derive(Clone, Copy, Debug, Args)]
pub struct DoctorArgs {
    /// How to show what was found
    #[arg(long, value_enum, default_value_t = OutputFormat::Table)]
    pub output: OutputFormat,
}

/// How to show results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// Lines for people
    Table,
    /// One JSON object per line
    Json,
}

impl Cli {
    /// Reads the program's own arguments. Help, version and bad usage are printed and end the program (bad usage with
    /// exit code 2).
    #[must_use]
    pub fn from_args() -> Self {
        Self::try_from_args(std::env::args_os()).unwrap_or_else(|error| error.exit())
    }

    /// Reads arguments, the program's name first, and the file that `--config` names.
    ///
    /// # Errors
    /// Bad usage, a mistake in the file, or that help or the version was asked for.
    pub fn try_from_args<I, T>(args: I) -> Result<Self, clap::Error>
    where
        I: IntoIterator<Item = T>,
        T: Into<OsString> + Clone,
    {
        let arguments = settings::with_file(args.into_iter().map(Into::into).collect())?;
        let mut cli = Self::try_parse_from(arguments)?;
        if let Command::Replay(replay) = &cli.command
            && replay.compare != (replay.files.len() == 2)
        {
            let message = "name one recording, or --compare and two: the one before the change and the one after it";
            return Err(Self::command().error(ErrorKind::WrongNumberOfValues, message));
        }
        let Some(watch) = cli.command.watch_mut() else { return Ok(cli) };
        watch.ports.sort_unstable();
        watch.ports.dedup();
        if watch.ports.len() > MAX_PORTS {
            let message = format!(
                "{} ports given, at most {MAX_PORTS} can be watched: leave out --port to watch all",
                watch.ports.len()
            );
            return Err(Self::command().error(ErrorKind::TooManyValues, message));
        }
        Ok(cli)
    }
}

impl Command {
    fn watch_mut(&mut self) -> Option<&mut WatchArgs> {
        match self {
            Self::Observe(args) => Some(&mut args.watch),
            Self::Daemon(args) => Some(&mut args.watch),
            Self::Doctor(_) | Self::Explain(_) | Self::Replay(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
