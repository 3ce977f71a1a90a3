//! The counters: exact where the kernel tells every reset, and short by what it does not tell elsewhere.

use std::net::TcpStream;
use std::process;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::Check;
use crate::counters::Counters;
use crate::observer::Daemon;
use crate::vm::bench::{Bench, LOOPBACK, Pair, fresh_address};
use crate::vm::report::Finding;

/// How many resets without a socket.
const REFUSALS: u64 = 50;

/// How many resets of a socket.
const ABORTS: u64 = 3;

pub(super) const CHECKS: &[Check] = &[Check {
    name: "counts",
    claim: "resets sent grow by exactly as much as the kernel's TcpOutRsts; before Linux 6.10, by those of full sockets",
    act: counts,
}];

fn counts(bench: &Bench) -> Result<Finding> {
    let mut daemon = Daemon::start()?;
    let before = (out_resets()?, sent(&daemon)?);
    for _ in 0..ABORTS {
        Pair::connect(LOOPBACK[0])?.ask_to_end("/linger0", "")?;
    }
    for _ in 0..REFUSALS {
        let server = fresh_address(LOOPBACK[0]);
        ensure!(TcpStream::connect(server).is_err(), "the lab itself: {server} is open");
    }
    let kernel = out_resets()? - before.0;
    ensure!(kernel == ABORTS + REFUSALS, "the lab itself: the kernel sent {kernel} resets");
    let told = if bench.kernel.tells_every_reset_sent { kernel } else { ABORTS };
    let counted = settled(&daemon, before.1 + told)? - before.1;
    ensure!(counted == told, "the kernel sent {kernel} resets and tells of {told}, the metric says {counted}");
    ensure!(daemon.finish()?.success(), "the daemon did not end well");
    Ok(if told == kernel { Finding::Recorded } else { Finding::NotTold })
}

fn out_resets() -> Result<u64> {
    Ok(Counters::of_process(process::id())?.get("TcpOutRsts"))
}

fn sent(daemon: &Daemon) -> Result<u64> {
    daemon.sum("reset_observer_resets_total", "direction=\"sent\"")
}

/// The metric once it has grown to `expected`, or what it is when it should long have.
fn settled(daemon: &Daemon, expected: u64) -> Result<u64> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let counted = sent(daemon)?;
        if counted >= expected || Instant::now() > deadline {
            return Ok(counted);
        }
        // A metric has no events.
        thread::sleep(Duration::from_millis(50));
    }
}
