//! `tcp_receive_reset`: what arrives, in which state, on whose connection, and what only looks like it.

use std::io::Write;
use std::net::{IpAddr, TcpListener, TcpStream};
use std::process;

use anyhow::{Result, ensure};

use super::Check;
use crate::vm::bench::{Bench, LOOPBACK, Pair, fresh_address};
use crate::vm::report::Finding;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "refused",
        claim: "a refused connect is a reset received in SYN_SENT, owned by the process that connected",
        act: |bench| refused(bench, LOOPBACK[0]),
    },
    Check { name: "refused_ipv6", claim: "the same on IPv6", act: |bench| refused(bench, LOOPBACK[1]) },
    Check {
        name: "aborted",
        claim: "the peer's abort (SO_LINGER 0) is a reset received in ESTABLISHED, with what the socket knew",
        act: |bench| aborted(bench, LOOPBACK[0]),
    },
    Check { name: "aborted_ipv6", claim: "the same on IPv6", act: |bench| aborted(bench, LOOPBACK[1]) },
    Check {
        name: "race",
        claim: "a request written after the peer's FIN is answered by a reset, received in CLOSE_WAIT",
        act: race,
    },
];

fn refused(bench: &Bench, ip: IpAddr) -> Result<Finding> {
    let (since, server) = (bench.records.bookmark(), fresh_address(ip));
    ensure!(TcpStream::connect(server).is_err(), "the lab itself: {server} is open");
    let ours = bench.records.wait_for(since, "a refused connect", |record| {
        record.is("reset_received") && record.remote() == Some(server)
    })?;
    ours.expect("/state_before", "SYN_SENT")?;
    ours.expect("/owner/process/tgid", process::id())?;
    ours.expect("/snapshot/bytes_sent", 0)?;
    Ok(Finding::Recorded)
}

fn aborted(bench: &Bench, ip: IpAddr) -> Result<Finding> {
    let since = bench.records.bookmark();
    let mut pair = Pair::connect(ip)?;
    pair.ask_to_end("/linger0", "")?;
    let ours = bench
        .records
        .wait_for(since, "the abort at our end", |record| record.is("reset_received") && pair.is_ours(record))?;
    ours.expect("/state_before", "ESTABLISHED")?;
    ours.expect("/owner/process/tgid", process::id())?;
    ours.expect("/snapshot/bytes_received", 0)?;
    ours.expect("/snapshot/last_payload", "sent")?;
    ensure!(ours.at("/snapshot/bytes_sent").as_u64() > Some(0), "no bytes were sent: {ours:?}");
    ensure!(ours.at("/netns").as_u64() > Some(0), "no network namespace: {ours:?}");
    ensure!(ours.at("/cgroup_id").as_u64() > Some(0), "no cgroup: {ours:?}");
    Ok(Finding::Recorded)
}

fn race(bench: &Bench) -> Result<Finding> {
    let since = bench.records.bookmark();
    let listener = TcpListener::bind(fresh_address(LOOPBACK[0]))?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    let (local, remote) = (client.local_addr()?, client.peer_addr()?);
    drop(listener.accept()?);
    let fin = bench.records.wait_for(since, "the FIN", |record| {
        record.is("fin_received") && record.local() == Some(local) && record.remote() == Some(remote)
    })?;
    fin.expect("/snapshot/unacked", 0)?;
    client.write_all(b"GET / HTTP/1.1\r\n\r\n")?;
    let ours = bench.records.wait_for(since, "the reset that answers", |record| {
        record.is("reset_received") && record.local() == Some(local) && record.remote() == Some(remote)
    })?;
    ours.expect("/state_before", "CLOSE_WAIT")?;
    ours.expect("/snapshot/unacked", 18)?;
    ours.expect("/snapshot/flight_never_acked", true)?;
    Ok(Finding::Recorded)
}
