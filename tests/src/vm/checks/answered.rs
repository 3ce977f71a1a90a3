//! `tcp_send_reset` in answer to a segment that does not fit: to a connection being opened, and where the accept queue is
//! full.

use std::net::{TcpListener, TcpStream};
use std::thread;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Check;
use super::sent::expect_reason;
use crate::vm::bench::{Bench, LOOPBACK, fresh_address};
use crate::vm::peer::{Peer, v4};
use crate::vm::record::Record;
use crate::vm::report::Finding;
use crate::vm::segment::{ACK, RST, SYN, Segment};
use crate::vm::setting::Setting;

/// For how many connections the accept queue is told to have room.
const BACKLOG: i32 = 2;

/// How often memory is given the chance to be used again.
const REUSES: usize = 20;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "passive_full_socket",
        claim: "a SYN-ACK that acknowledges something else than the SYN is answered by a reset of the full socket in SYN_SENT, \
                which lives on",
        act: passive_full_socket,
    },
    Check {
        name: "accept_overflow",
        claim: "a connection turned away because the accept queue is full (tcp_abort_on_overflow) is a reset without a \
                socket from LISTEN, with both ends from the packet",
        act: accept_overflow,
    },
    Check {
        name: "address_reused",
        claim: "a socket that gets the memory of one that was reset just before inherits nothing from it",
        act: address_reused,
    },
];

fn passive_full_socket(bench: &Bench) -> Result<Finding> {
    let since = bench.records.bookmark();
    let mut peer = Peer::new()?;
    let here = peer.here;
    thread::scope(|scope| {
        let connecting = scope.spawn(move || TcpStream::connect(here));
        peer.hear_syn()?;
        let right = peer.segment(SYN | ACK);
        let wrong = Segment { ack: right.ack.wrapping_add(7), ..right };
        wrong.send()?;
        let answer = peer.hears("the answer", |segment| segment.flags & RST != 0)?;
        ensure!(answer.seq == wrong.ack, "the lab itself: {answer:?} does not answer {wrong:?}");
        let sent = one_sent(bench, since, &peer)?;
        sent.expect("/state_before", "SYN_SENT")?;
        sent.expect("/event/reset_sent/active", false)?;
        sent.expect("/current", Value::Null)?;
        sent.expect("/owner/process/tgid", std::process::id())?;
        sent.expect("/snapshot/bytes_sent", 0)?;
        ensure!(sent.at("/socket").is_number(), "no socket: {sent:?}");
        expect_reason(bench, &sent)?;
        // It still waits for the right one.
        peer.send(SYN | ACK)?;
        let outcome = connecting.join().map_err(|_| anyhow::anyhow!("the lab itself: connecting panicked"))?;
        outcome.context("the lab itself: it did not connect")?;
        Ok(Finding::Recorded)
    })
}

fn accept_overflow(bench: &Bench) -> Result<Finding> {
    let _abort = Setting::set("ipv4/tcp_abort_on_overflow", "1")?;
    let since = bench.records.bookmark();
    let listener = TcpListener::bind(fresh_address(LOOPBACK[0]))?;
    rustix::net::listen(&listener, BACKLOG)?;
    let mut late = Peer::new()?;
    late.knock(listener.local_addr()?, &[], &[])?;
    // The kernel takes one more than it was told.
    let connect = |_| TcpStream::connect(listener.local_addr()?).context("the lab itself: the queue was full before");
    let _accepted_by_nobody = (0..=BACKLOG).map(connect).collect::<Result<Vec<_>>>()?;
    late.send(ACK)?;
    late.hears("the reset", |segment| segment.flags & RST != 0)?;
    let sent = one_sent(bench, since, &late)?;
    sent.expect("/state_before", "LISTEN")?;
    sent.expect("/socket", Value::Null)?;
    sent.expect("/snapshot", Value::Null)?;
    sent.expect("/event/reset_sent/active", false)?;
    expect_reason(bench, &sent)?;
    Ok(Finding::Recorded)
}

/// The kernel gives freed memory out again at once, and mostly, but not always, the newest first.
fn address_reused(bench: &Bench) -> Result<Finding> {
    for _ in 0..REUSES {
        let since = bench.records.bookmark();
        ensure!(TcpStream::connect(fresh_address(LOOPBACK[0])).is_err(), "the lab itself: the port is open");
        let listener = TcpListener::bind(fresh_address(LOOPBACK[0]))?;
        let (from, to) = (v4(fresh_address(LOOPBACK[0]))?, v4(listener.local_addr()?)?);
        Segment::new(from, to, ACK).send()?;
        let answer = |record: &Record| record.is("reset_sent") && record.is_of(to, from);
        let sent = bench.records.wait_for(since, "the listener's answer", answer)?;
        sent.expect("/state_before", "LISTEN")?;
        sent.expect("/event/reset_sent/data_after_close", false)?;
    }
    Ok(Finding::Recorded)
}

/// The reset that the kernel sent to `peer`, which must be the only one.
fn one_sent(bench: &Bench, since: usize, peer: &Peer) -> Result<Record> {
    let wanted = |record: &Record| record.is("reset_sent") && record.is_of(peer.there, peer.here);
    let sent = bench.records.wait_for(since, "the reset sent", wanted)?;
    let told = bench.records.so_far(since, wanted);
    ensure!(told.len() == 1, "{} resets sent, not one: {told:?}", told.len());
    Ok(sent)
}
