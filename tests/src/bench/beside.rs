//! What runs beside nginx while it is measured.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::child::{Child, Launch};
use crate::namespace::Namespace;
use crate::observer::Daemon;

/// How long a program may take to attach: bpftrace compiles its script first.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a person would write who counts state changes by kind and prints resets.
const SCRIPT: &str = r#"
BEGIN { printf("attached\n"); }
tracepoint:tcp:tcp_receive_reset { printf("received %d %d\n", args->sport, args->dport); @resets["received"] = count(); }
tracepoint:tcp:tcp_send_reset { printf("sent in state %d\n", args->state); @resets["sent"] = count(); }
tracepoint:sock:inet_sock_set_state { @changes[args->oldstate, args->newstate] = count(); }
"#;

/// What people may run on a proxy host to see resets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beside {
    Nothing,
    /// The daemon as it comes.
    Observer,
    /// The daemon with its look at each packet.
    ObserverOnPackets,
    /// A capture of resets alone.
    Tcpdump,
    /// A script on the observer's tracepoints.
    Bpftrace,
}

/// A program that runs.
#[derive(Debug)]
pub(super) enum Neighbour {
    Nobody,
    Daemon(Daemon),
    Child(Child),
}

impl Beside {
    /// All of them, the base of the comparison first.
    pub(super) const ALL: [Self; 5] =
        [Self::Nothing, Self::Observer, Self::ObserverOnPackets, Self::Tcpdump, Self::Bpftrace];

    /// Its name in the results.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Observer => "observer",
            Self::ObserverOnPackets => "observer --rst-packets=cgroup",
            Self::Tcpdump => "tcpdump",
            Self::Bpftrace => "bpftrace",
        }
    }

    /// Starts it, and waits until it watches `net`.
    pub(super) fn start(self, net: &Namespace, dir: &Path) -> Result<Neighbour> {
        match self {
            Self::Nothing => Ok(Neighbour::Nobody),
            Self::Observer => Ok(Neighbour::Daemon(Daemon::start()?)),
            Self::ObserverOnPackets => Ok(Neighbour::Daemon(Daemon::start_with(&["--rst-packets", "cgroup"])?)),
            Self::Tcpdump => tcpdump(net),
            Self::Bpftrace => bpftrace(dir, SCRIPT),
        }
    }
}

impl Neighbour {
    /// Its process id; 0 if there is nobody.
    pub(super) fn pid(&self) -> u32 {
        match self {
            Self::Nobody => 0,
            Self::Daemon(daemon) => daemon.pid(),
            Self::Child(child) => child.pid(),
        }
    }

    /// The processor time that it used so far in user space and system calls, in seconds.
    pub(super) fn processor_seconds(&self) -> Result<f64> {
        if matches!(self, Self::Nobody) {
            return Ok(0.0);
        }
        let stat =
            fs::read_to_string(format!("/proc/{}/stat", self.pid())).context("the program beside nginx ended")?;
        processor_seconds(&stat).context("an odd /proc/PID/stat")
    }
}

fn tcpdump(net: &Namespace) -> Result<Neighbour> {
    let launch = Launch::new("tcpdump", "tcpdump").inside(net);
    // As root: its unprivileged user is not on every machine.
    let capture = launch.args(["-Z", "root", "-n", "-i", "any", "-w", "/dev/null", "tcp[tcpflags] & tcp-rst != 0"]);
    let child = capture.start()?;
    let listens = |line: &str| line.contains("listening on").then_some(());
    child.stderr.wait_for(0, PATIENCE, listens).context("tcpdump did not start")?;
    Ok(Neighbour::Child(child))
}

/// Runs a script that prints "attached" once it is. The events are described in tracefs, which is mounted for it alone
/// where it is not.
pub(super) fn bpftrace(dir: &Path, script: &str) -> Result<Neighbour> {
    let file = dir.join("script.bt");
    fs::write(&file, script)?;
    let shell =
        "test -e /sys/kernel/tracing/events || mount -t tracefs none /sys/kernel/tracing && exec bpftrace -q $0";
    let launch = Launch::new("bpftrace", "unshare").args(["--mount", "--propagation", "private", "sh", "-c", shell]);
    let child = launch.arg(&file).start()?;
    let attached = child.stdout.wait_for(0, PATIENCE, |line| line.contains("attached").then_some(()));
    attached.with_context(|| format!("bpftrace did not attach: {:?}", child.stderr.all()))?;
    Ok(Neighbour::Child(child))
}

/// Fields 14 and 15 of proc_pid_stat(5), in hundredths of a second on every architecture that Linux runs on today. The
/// command name before them may hold anything, so they are counted from its end.
fn processor_seconds(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u32>().ok();
    Some(f64::from(ticks()? + ticks()?) / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_time_is_found_behind_any_name() {
        let stat = "77 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 1 0 9";
        assert_eq!(processor_seconds(stat), Some(3.0));
        assert_eq!(processor_seconds("77 (a"), None);
    }
}
