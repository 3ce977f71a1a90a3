//! `tcp_send_reset`: what this machine sends, on whose behalf, and what a kernel does not tell.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::process;
use std::time::Duration;

use anyhow::{Result, ensure};
use rustix::net::sockopt;
use serde_json::json;

use super::Check;
use super::failed::{TIMED_OUT, expect_failed};
use crate::vm::bench::{Bench, LOOPBACK, Pair, fresh_address};
use crate::vm::link::Link;
use crate::vm::record::Record;
use crate::vm::report::Finding;
use crate::vm::rules::Rule;
use crate::vm::segment::{ACK, Segment};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "close_unread",
        claim: "close(2) with unread data is an active reset from ESTABLISHED, in the context of the process",
        act: |bench| active(bench, "/close-unread"),
    },
    Check {
        name: "linger_0",
        claim: "close(2) with SO_LINGER 0 is an active reset from ESTABLISHED, in the context of the process",
        act: |bench| active(bench, "/linger0"),
    },
    Check {
        name: "killed_unread",
        claim: "a process killed with unread data resets the connection, and the record says by which signal it ended",
        act: killed_unread,
    },
    Check {
        name: "listener_closed",
        claim: "closing a listener resets the connections that nobody accepted, in the context of the process",
        act: listener_closed,
    },
    Check {
        name: "keepalive_timeout",
        claim: "a connection whose keepalive probes get no answer is reset from ESTABLISHED by a timer, which is nobody's \
                doing",
        act: keepalive_timeout,
    },
    Check {
        name: "to_a_listener",
        claim: "a segment of no connection that reaches a listener is answered by a reset without a socket, with both ends \
                from the packet",
        act: to_a_listener,
    },
    Check {
        name: "no_socket",
        claim: "a reset that answers for no socket is told where the kernel does (Linux 6.10 and later)",
        act: no_socket,
    },
    Check {
        name: "time_wait",
        claim: "a reset from TIME_WAIT is told where the kernel does (Linux 6.10 and later)",
        act: time_wait,
    },
    Check {
        name: "reject",
        claim: "a reset that nftables makes (`reject with tcp reset`) is told by no kernel, and is received all the same",
        act: reject,
    },
];

fn active(bench: &Bench, path: &str) -> Result<Finding> {
    let since = bench.records.bookmark();
    let mut pair = Pair::connect(LOOPBACK[0])?;
    pair.ask_to_end(path, "a body to leave unread")?;
    let sent = wait_for_active(bench, since, |record| pair.is_theirs(record))?;
    sent.expect("/current/tgid", pair.backend)?;
    sent.expect("/exit", json!(null))?;
    sent.expect("/state_before", "ESTABLISHED")?;
    expect_reason(bench, &sent)?;
    Ok(Finding::Recorded)
}

fn killed_unread(bench: &Bench) -> Result<Finding> {
    let since = bench.records.bookmark();
    let mut pair = Pair::connect(LOOPBACK[0])?;
    pair.ask_to_end("/crash-unread/kill", "a body to leave unread")?;
    let sent = wait_for_active(bench, since, |record| pair.is_theirs(record))?;
    sent.expect("/current/tgid", pair.backend)?;
    sent.expect("/exit", json!({ "signal": 9 }))?;
    sent.expect("/state_before", "ESTABLISHED")?;
    Ok(Finding::Recorded)
}

fn listener_closed(bench: &Bench) -> Result<Finding> {
    let since = bench.records.bookmark();
    let listener = TcpListener::bind(fresh_address(LOOPBACK[0]))?;
    let address = listener.local_addr()?;
    let _client = TcpStream::connect(address)?;
    drop(listener);
    let sent = wait_for_active(bench, since, |record| record.local() == Some(address))?;
    sent.expect("/current/tgid", process::id())?;
    Ok(Finding::Recorded)
}

fn keepalive_timeout(bench: &Bench) -> Result<Finding> {
    let since = bench.records.bookmark();
    let listener = TcpListener::bind(fresh_address(LOOPBACK[0]))?;
    let address = listener.local_addr()?;
    let client = TcpStream::connect(address)?;
    let _server = listener.accept()?;
    sockopt::set_tcp_keepidle(&client, Duration::from_secs(1))?;
    sockopt::set_tcp_keepintvl(&client, Duration::from_secs(1))?;
    sockopt::set_tcp_keepcnt(&client, 1)?;
    let _rule = Rule::install(&format!("tcp dport {} drop", address.port()))?;
    sockopt::set_socket_keepalive(&client, true)?;
    let sent = wait_for_active(bench, since, |record| record.remote() == Some(address))?;
    sent.expect("/state_before", "ESTABLISHED")?;
    sent.expect("/current", json!(null))?;
    expect_reason(bench, &sent)?;
    // Where the kernel does not tell of the error, it tells of this reset all the same.
    expect_failed(bench, since, TIMED_OUT, "ESTABLISHED", address)?;
    Ok(Finding::Recorded)
}

fn to_a_listener(bench: &Bench) -> Result<Finding> {
    let since = bench.records.bookmark();
    let listener = TcpListener::bind(fresh_address(LOOPBACK[0]))?;
    let [to, from] = [listener.local_addr()?.port(), fresh_address(LOOPBACK[0]).port()].map(on_loopback);
    Segment::new(from, to, ACK).send()?;
    let sent = bench.records.wait_for(since, "the listener's answer", |record| is_answer(record, to.into()))?;
    ensure!(sent.remote() == Some(from.into()), "the other end is not {from}: {sent:?}");
    sent.expect("/state_before", "LISTEN")?;
    sent.expect("/socket", json!(null))?;
    sent.expect("/event/reset_sent/active", false)?;
    Ok(Finding::Recorded)
}

fn no_socket(bench: &Bench) -> Result<Finding> {
    let since = bench.records.bookmark();
    let server = fresh_address(LOOPBACK[0]);
    ensure!(TcpStream::connect(server).is_err(), "the lab itself: {server} is open");
    // The answer is told before its arrival is, so it is here or it never comes.
    bench
        .records
        .wait_for(since, "its arrival", |record| record.is("reset_received") && record.remote() == Some(server))?;
    told_or_not(bench, since, server, |sent| {
        sent.expect("/socket", json!(null))?;
        sent.expect("/snapshot", json!(null))
    })
}

fn time_wait(bench: &Bench) -> Result<Finding> {
    let since = bench.records.bookmark();
    let mut link = Link::open()?;
    let server = link.there();
    drop(link.server.take());
    // Only then is the socket a time-wait one.
    link.wait_for_fin()?;
    link.client.write_all(b"x")?;
    bench
        .records
        .wait_for(since, "its arrival", |record| record.is("reset_received") && record.remote() == Some(server))?;
    told_or_not(bench, since, server, |sent| {
        sent.expect("/state_before", "TIME_WAIT")?;
        sent.expect("/snapshot", json!(null))
    })
}

fn reject(bench: &Bench) -> Result<Finding> {
    let since = bench.records.bookmark();
    let server = fresh_address(LOOPBACK[0]);
    let _rule = Rule::install(&format!("tcp dport {} reject with tcp reset", server.port()))?;
    ensure!(TcpStream::connect(server).is_err(), "the lab itself: {server} is open");
    let ours = bench
        .records
        .wait_for(since, "its arrival", |record| record.is("reset_received") && record.remote() == Some(server))?;
    ours.expect("/state_before", "SYN_SENT")?;
    let made_up = bench.records.so_far(since, |record| is_answer(record, server));
    ensure!(made_up.is_empty(), "the kernel does tell of it: {made_up:?}");
    Ok(Finding::NotTold)
}

/// The reset that `server` answered with: recorded once and rightly where the kernel tells every one, else not at all.
fn told_or_not(
    bench: &Bench,
    since: usize,
    server: SocketAddr,
    right: impl Fn(&Record) -> Result<()>,
) -> Result<Finding> {
    let told = bench.records.so_far(since, |record| is_answer(record, server));
    if !bench.kernel.tells_every_reset_sent {
        ensure!(told.is_empty(), "this kernel does not tell of it, and there is a record: {told:?}");
        return Ok(Finding::NotTold);
    }
    let [sent] = told.as_slice() else { anyhow::bail!("{} records, not one: {told:?}", told.len()) };
    sent.expect("/event/reset_sent/active", false)?;
    expect_reason(bench, sent)?;
    right(sent)?;
    Ok(Finding::Recorded)
}

fn wait_for_active(bench: &Bench, since: usize, of: impl Fn(&Record) -> bool) -> Result<Record> {
    let active = |record: &Record| record.is("reset_sent") && *record.of_reset_sent("active") == true && of(record);
    bench.records.wait_for(since, "an active reset", active)
}

fn is_answer(record: &Record, server: SocketAddr) -> bool {
    record.is("reset_sent") && record.local() == Some(server)
}

pub(super) fn expect_reason(bench: &Bench, sent: &Record) -> Result<()> {
    let has_reason = sent.at("/reset_reason").as_str().is_some_and(|reason| reason != "not_specified");
    ensure!(has_reason == bench.kernel.tells_every_reset_sent, "the reason is not as this kernel gives it: {sent:?}");
    Ok(())
}

fn on_loopback(port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)
}
