//! Sockets of unusual kinds: they do no harm, and what is said of them is right.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process;

use anyhow::{Context, Result, ensure};
use nix::sys::socket::{setsockopt, sockopt::TcpFastOpenConnect, sockopt::TcpRepair};
use rustix::net::{AddressFamily, SocketType, ipproto};
use serde_json::Value;

use super::Check;
use crate::vm::bench::{Bench, LOOPBACK, fresh_address};
use crate::vm::peer::{Peer, v4};
use crate::vm::record::Record;
use crate::vm::report::Finding;
use crate::vm::segment::{RST, SYN, Segment};
use crate::vm::setting::Setting;
use crate::vm::tap::Tap;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "mptcp_subflow",
        claim: "a reset of an MPTCP subflow is one reset received of a TCP connection, owned by the process that connected",
        act: mptcp_subflow,
    },
    Check {
        name: "tcp_repair",
        claim: "a connection that was restored from a checkpoint (TCP_REPAIR) was never opened on the wire, and its reset is \
                recorded as any other",
        act: tcp_repair,
    },
    Check {
        name: "fast_open_child",
        claim: "a connection request with data (TCP fast open) has a full socket: its RST is a reset received in SYN_RECV",
        act: fast_open_child,
    },
    Check {
        name: "fast_open_refused",
        claim: "a connect that sends data along (TCP_FASTOPEN_CONNECT) and is refused is a reset received in SYN_SENT",
        act: fast_open_refused,
    },
];

/// Fast open for clients (1) and listeners (2), without cookies (4 and 0x200) and without a socket option (0x400).
const FAST_OPEN: &str = "1543";

fn mptcp_subflow(bench: &Bench) -> Result<Finding> {
    if !Path::new("/proc/sys/net/mptcp").exists() {
        return Ok(Finding::NotTold);
    }
    let since = bench.records.bookmark();
    let mut tap = Tap::open()?;
    let server = fresh_address(LOOPBACK[0]);
    let listener = mptcp_socket()?;
    rustix::net::bind(&listener, &server)?;
    rustix::net::listen(&listener, 1)?;
    let client = mptcp_socket()?;
    rustix::net::connect(&client, &server).context("the lab itself: cannot connect by MPTCP")?;
    let syn_ack = tap.wait_for("the SYN-ACK", |segment| segment.from.port() == server.port() && segment.flags & SYN != 0)?;
    // MP_CAPABLE is kind 30 (RFC 8684, section 3.1).
    ensure!(syn_ack.options.contains(&30), "the lab itself: no MPTCP in {syn_ack:?}");
    Segment { seq: syn_ack.end(), ..Segment::new(syn_ack.from, syn_ack.to, RST) }.send()?;
    let record = bench.one_received(since, syn_ack.to.into(), server)?;
    record.expect("/state_before", "ESTABLISHED")?;
    expect_nothing_outstanding(bench, &record, syn_ack.to.into(), server)
}

fn tcp_repair(bench: &Bench) -> Result<Finding> {
    let since = bench.records.bookmark();
    let peer = Peer::new()?;
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
    setsockopt(&socket, TcpRepair, &1).context("the lab itself: no TCP_REPAIR")?;
    // In this mode, a connect only says where the other end is.
    rustix::net::connect(&socket, &peer.here)?;
    setsockopt(&socket, TcpRepair, &0)?;
    let stream = TcpStream::from(socket);
    let here = v4(stream.local_addr()?)?;
    // It has been told no sequence number, so it expects the first.
    Segment { seq: 0, ..Segment::new(peer.here, here, RST) }.send()?;
    let record = bench.one_received(since, here.into(), peer.here.into())?;
    record.expect("/state_before", "ESTABLISHED")?;
    expect_nothing_outstanding(bench, &record, here.into(), peer.here.into())
}

fn fast_open_child(bench: &Bench) -> Result<Finding> {
    let _fast_open = Setting::set("ipv4/tcp_fastopen", FAST_OPEN)?;
    let listener = TcpListener::bind(fresh_address(LOOPBACK[0]))?;
    let since = bench.records.bookmark();
    let mut peer = Peer::new()?;
    peer.knock(listener.local_addr()?, &[], b"GET / HTTP/1.1\r\n\r\n")?;
    peer.reset(0)?;
    let record = bench.one_received(since, peer.there.into(), peer.here.into())?;
    record.expect("/state_before", "SYN_RECV")?;
    record.expect("/owner", Value::Null)?;
    record.expect("/snapshot/bytes_sent", 0)?;
    record.expect("/snapshot/bytes_received", 18)?;
    Ok(Finding::Recorded)
}

fn fast_open_refused(bench: &Bench) -> Result<Finding> {
    let _fast_open = Setting::set("ipv4/tcp_fastopen", FAST_OPEN)?;
    let since = bench.records.bookmark();
    let mut tap = Tap::open()?;
    let server = fresh_address(LOOPBACK[0]);
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
    setsockopt(&socket, TcpFastOpenConnect, &true).context("the lab itself: no TCP_FASTOPEN_CONNECT")?;
    rustix::net::connect(&socket, &server).context("the lab itself: connect was not put off")?;
    // The SYN goes out with this, and on the loopback it is refused before this returns.
    let _ = TcpStream::from(socket).write(b"GET / HTTP/1.1\r\n\r\n");
    let syn = tap.wait_for("the SYN", |segment| segment.to.port() == server.port() && segment.flags & SYN != 0)?;
    ensure!(syn.payload.len() == 18, "the lab itself: the SYN has no data: {syn:?}");
    let record = bench.one_received(since, syn.from.into(), server)?;
    record.expect("/state_before", "SYN_SENT")?;
    record.expect("/owner/process/tgid", process::id())?;
    record.expect("/snapshot/bytes_received", 0)?;
    let verdict = bench.records.wait_for_verdict(syn.from.into(), server)?;
    ensure!(verdict["cause"] == "connection_refused", "the verdict is {verdict}");
    Ok(Finding::Recorded)
}

/// We opened it, no payload went either way, and so its end harmed nobody.
fn expect_nothing_outstanding(bench: &Bench, record: &Record, local: SocketAddr, remote: SocketAddr) -> Result<Finding> {
    record.expect("/owner/process/tgid", process::id())?;
    for bytes in ["unacked", "bytes_sent", "bytes_acked", "bytes_received", "unread"] {
        record.expect(&format!("/snapshot/{bytes}"), 0)?;
    }
    record.expect("/snapshot/last_payload", Value::Null)?;
    let verdict = bench.records.wait_for_verdict(local, remote)?;
    ensure!(verdict["cause"] == "idle_close", "the verdict is {verdict}");
    Ok(Finding::Recorded)
}

fn mptcp_socket() -> Result<OwnedFd> {
    rustix::net::socket(AddressFamily::INET, SocketType::STREAM, Some(ipproto::MPTCP))
        .context("the lab itself: no MPTCP socket")
}
