//! Sockets of unusual kinds: they do no harm, and what is said of them is right.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::socket::{setsockopt, sockopt::TcpFastOpenConnect, sockopt::TcpRepair};
use rustix::net::{AddressFamily, SocketType, ipproto};
use serde_json::Value;

use super::Check;
use crate::vm::bench::{Bench, LOOPBACK, fresh_address};
use crate::vm::peer::{Peer, v4};
use crate::vm::record::Record;
use crate::vm::report::Finding;
use crate::vm::segment::{ACK, RST, SYN, Segment};
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

/// What goes over a connection that harms nobody.
const WORD: &[u8] = b"word";

/// A connection that is reset after so long was idle; sooner, it may have been in the middle of something.
const IDLE: Duration = Duration::from_millis(1_200);

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
    let (accepted, client) = (TcpListener::from(listener).accept()?.0, TcpStream::from(client));
    converse(&client, &accepted)?;
    let syn_ack =
        tap.wait_for("the SYN-ACK", |segment| segment.from.port() == server.port() && segment.flags & SYN != 0)?;
    // MP_CAPABLE is kind 30 (RFC 8684, section 3.1).
    ensure!(syn_ack.options.contains(&30), "the lab itself: no MPTCP in {syn_ack:?}");
    let is_answer = |segment: &Segment| segment.from == syn_ack.from && !segment.payload.is_empty();
    let answer = tap.wait_for("the answer", is_answer)?;
    thread::sleep(IDLE);
    Segment { seq: answer.end(), ..Segment::new(answer.from, answer.to, RST) }.send()?;
    let record = bench.one_received(since, answer.to.into(), server)?;
    record.expect("/snapshot/bytes_sent", WORD.len())?;
    expect_harmless(bench, &record, answer.to.into(), server)
}

fn tcp_repair(bench: &Bench) -> Result<Finding> {
    let since = bench.records.bookmark();
    let mut peer = Peer::new()?;
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
    setsockopt(&socket, TcpRepair, &1).context("the lab itself: no TCP_REPAIR")?;
    // In this mode, a connect only says where the other end is.
    rustix::net::connect(&socket, &peer.here)?;
    setsockopt(&socket, TcpRepair, &0)?;
    let stream = TcpStream::from(socket);
    // It has been told no sequence number, so it is at the first at both ends.
    (peer.there, peer.next, peer.expected) = (v4(stream.local_addr()?)?, 0, 0);
    let word = Segment { payload: WORD.to_vec(), ..peer.segment(ACK) };
    word.send()?;
    peer.next = word.end();
    peer.hears_ack()?;
    (&stream).read_exact(&mut [0; WORD.len()])?;
    thread::sleep(IDLE);
    peer.reset(0)?;
    let record = bench.one_received(since, peer.there.into(), peer.here.into())?;
    record.expect("/snapshot/bytes_sent", 0)?;
    expect_harmless(bench, &record, peer.there.into(), peer.here.into())
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

/// We opened it, all that was asked was answered, and so its end harmed nobody.
fn expect_harmless(bench: &Bench, record: &Record, local: SocketAddr, remote: SocketAddr) -> Result<Finding> {
    record.expect("/state_before", "ESTABLISHED")?;
    record.expect("/owner/process/tgid", process::id())?;
    record.expect("/snapshot/unacked", 0)?;
    record.expect("/snapshot/flight_never_acked", false)?;
    record.expect("/snapshot/bytes_received", WORD.len())?;
    let verdict = bench.records.wait_for_verdict(local, remote)?;
    ensure!(verdict["cause"] == "idle_close", "the verdict is {verdict}");
    Ok(Finding::Recorded)
}

/// One word there, one word back.
fn converse(client: &TcpStream, server: &TcpStream) -> Result<()> {
    for (mut from, mut to) in [(client, server), (server, client)] {
        from.write_all(WORD)?;
        to.read_exact(&mut [0; WORD.len()])?;
    }
    Ok(())
}

fn mptcp_socket() -> Result<OwnedFd> {
    rustix::net::socket(AddressFamily::INET, SocketType::STREAM, Some(ipproto::MPTCP))
        .context("the lab itself: no MPTCP socket")
}
