//! Ends that the kernel makes without any reset on the wire: an ICMP error, and timeouts.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Result, ensure};
use rustix::net::sockopt;

use super::Check;
use crate::vm::bench::{Bench, LOOPBACK, fresh_address};
use crate::vm::link::Link;
use crate::vm::record::Record;
use crate::vm::report::Finding;
use crate::vm::rules::Rule;

/// `EHOSTUNREACH`, which an ICMP message "administratively prohibited" becomes.
const HOST_UNREACHABLE: i32 = 113;

/// `ETIMEDOUT`.
pub(super) const TIMED_OUT: i32 = 110;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "icmp_prohibited",
        claim: "an ICMP error that ends a connection attempt is an error, where the kernel tells of it (Linux 5.14 and \
                later), and no reset",
        act: icmp_prohibited,
    },
    Check {
        name: "user_timeout",
        claim: "a connection that is given up because nothing is acknowledged (TCP_USER_TIMEOUT) is an error, where the \
                kernel tells of it, and no reset",
        act: user_timeout,
    },
];

fn icmp_prohibited(bench: &Bench) -> Result<Finding> {
    let (since, server) = (bench.records.bookmark(), fresh_address(LOOPBACK[0]));
    let _rule = Rule::install(&format!("tcp dport {} reject with icmpx type admin-prohibited", server.port()))?;
    let outcome = TcpStream::connect(server);
    let error = outcome.err().and_then(|error| error.raw_os_error());
    ensure!(error == Some(HOST_UNREACHABLE), "the lab itself: connecting ended with error {error:?}");
    expect_failed(bench, since, HOST_UNREACHABLE, "SYN_SENT", server)
}

fn user_timeout(bench: &Bench) -> Result<Finding> {
    let since = bench.records.bookmark();
    let mut link = Link::open()?;
    let server = link.there();
    sockopt::set_tcp_user_timeout(&link.client, 300)?;
    let _rule = Rule::install(&format!("tcp dport {} drop", server.port()))?;
    link.client.write_all(b"x")?;
    link.client.set_read_timeout(Some(Duration::from_secs(20)))?;
    let error = link.client.read(&mut [0]).err().and_then(|error| error.raw_os_error());
    ensure!(error == Some(TIMED_OUT), "the lab itself: reading ended with error {error:?}");
    expect_failed(bench, since, TIMED_OUT, "ESTABLISHED", server)
}

/// The end at `server`'s other side failed with `error` in `state`, and there was no reset.
pub(super) fn expect_failed(
    bench: &Bench,
    since: usize,
    error: i32,
    state: &str,
    server: SocketAddr,
) -> Result<Finding> {
    let of_it = |record: &Record| record.remote() == Some(server);
    let finding = if bench.has("socket_error") {
        let failed = bench.records.wait_for(since, "the error", |record| record.is("failed") && of_it(record))?;
        failed.expect("/event/failed/error", error)?;
        failed.expect("/state_before", state)?;
        failed.expect("/owner/process/tgid", std::process::id())?;
        ensure!(failed.local().is_some_and(|local| local.port() != 0), "no local port: {failed:?}");
        Finding::Recorded
    } else {
        // What is told of it would be here by the time that a later event is.
        control(bench)?;
        Finding::NotTold
    };
    let resets = bench.records.so_far(since, |record| {
        (record.is("reset_received") || record.is("reset_sent") && *record.of_reset_sent("active") == false)
            && of_it(record)
    });
    ensure!(resets.is_empty(), "this was taken for a reset: {resets:?}");
    Ok(finding)
}

fn control(bench: &Bench) -> Result<()> {
    let (since, closed) = (bench.records.bookmark(), fresh_address(LOOPBACK[0]));
    ensure!(TcpStream::connect(closed).is_err(), "the lab itself: {closed} is open");
    let refused = |record: &Record| record.is("reset_received") && record.remote() == Some(closed);
    bench.records.wait_for(since, "a refused connect", refused)?;
    Ok(())
}
