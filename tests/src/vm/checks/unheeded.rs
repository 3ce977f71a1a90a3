//! Resets that arrive and are no reset received. Each is followed by one that is: so the records come, and the only one
//! there is must be of that.

use std::net::TcpStream;
use std::thread;

use anyhow::{Result, ensure};

use super::Check;
use crate::vm::bench::Bench;
use crate::vm::bench::{LOOPBACK, fresh_address};
use crate::vm::meeting::Meeting;
use crate::vm::peer::Peer;
use crate::vm::report::Finding;
use crate::vm::segment::{ACK, RST, SYN, Segment};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "in_window",
        claim: "an RST inside the window but not at its start is none: it is challenged, and the peer's answer to that is",
        act: in_window,
    },
    Check {
        name: "out_of_window",
        claim: "an RST on either side of the window is none, and is not challenged",
        act: out_of_window,
    },
    Check {
        name: "syn_sent_bad_ack",
        claim: "an RST in SYN_SENT that acknowledges something else than the SYN, or nothing, is none",
        act: syn_sent_bad_ack,
    },
    Check {
        name: "request_reset",
        claim: "an RST that ends a connection request, before there is a full socket, is none",
        act: request_reset,
    },
    Check { name: "time_wait_reset", claim: "an RST that ends a socket in TIME_WAIT is none", act: time_wait_reset },
];

fn in_window(bench: &Bench) -> Result<Finding> {
    let since = bench.records.bookmark();
    let mut meeting = Meeting::established()?;
    let peer = &mut meeting.peer;
    peer.reset(1)?;
    let next = peer.next;
    let challenge = peer.hears("the challenge", |segment| segment.flags == ACK && segment.ack == next)?;
    bench.none_received(since, peer.there.into(), peer.here.into())?;
    // As a host answers that has no such connection.
    Segment { seq: challenge.ack, ..peer.segment(RST) }.send()?;
    expect_one(bench, since, peer, "ESTABLISHED")
}

fn out_of_window(bench: &Bench) -> Result<Finding> {
    let since = bench.records.bookmark();
    let mut meeting = Meeting::established()?;
    let peer = &mut meeting.peer;
    peer.reset(-100_000)?;
    peer.reset(100_000_000)?;
    // A keepalive probe: it is answered by the first segment that comes without a flag, unless there was a challenge.
    let probe = peer.segment(ACK);
    Segment { seq: probe.seq.wrapping_sub(1), ..probe }.send()?;
    peer.hears_ack()?;
    peer.reset(0)?;
    expect_one(bench, since, peer, "ESTABLISHED")
}

fn syn_sent_bad_ack(bench: &Bench) -> Result<Finding> {
    let since = bench.records.bookmark();
    let mut peer = Peer::new()?;
    let here = peer.here;
    thread::scope(|scope| {
        let connecting = scope.spawn(move || TcpStream::connect(here));
        peer.hear_syn()?;
        peer.send(RST)?;
        let right = peer.segment(RST | ACK);
        Segment { ack: right.ack.wrapping_add(1), ..right.clone() }.send()?;
        Segment { ack: right.ack.wrapping_sub(1), ..right.clone() }.send()?;
        right.send()?;
        let outcome = connecting.join().map_err(|_| anyhow::anyhow!("the lab itself: connecting panicked"))?;
        ensure!(outcome.is_err(), "the lab itself: it connected");
        let record = bench.one_received(since, peer.there.into(), peer.here.into())?;
        record.expect("/state_before", "SYN_SENT")?;
        record.expect("/owner/process/tgid", std::process::id())?;
        record.expect("/snapshot/rtt_min", serde_json::Value::Null)?;
        if bench.has("rst_packet") {
            record.expect("/packet/ack", right.ack)?;
        }
        Ok(Finding::Recorded)
    })
}

fn request_reset(bench: &Bench) -> Result<Finding> {
    let since = bench.records.bookmark();
    let listener = std::net::TcpListener::bind(fresh_address(LOOPBACK[0]))?;
    let mut peer = Peer::new()?;
    peer.knock(listener.local_addr()?, &[], &[])?;
    peer.reset(0)?;
    // Were there a request yet, this would complete it.
    peer.send(ACK)?;
    expect_answered_by_listener(bench, since, &mut peer)?;
    expect_a_reset_elsewhere(bench, since, &peer)
}

fn time_wait_reset(bench: &Bench) -> Result<Finding> {
    let mut meeting = Meeting::time_wait()?;
    let since = bench.records.bookmark();
    meeting.peer.reset(0)?;
    // A socket in TIME_WAIT would keep silent.
    meeting.peer.send(ACK)?;
    expect_answered_by_listener(bench, since, &mut meeting.peer)?;
    expect_a_reset_elsewhere(bench, since, &meeting.peer)
}

/// The connection is gone: what comes on it is the listener's business, which resets it.
fn expect_answered_by_listener(bench: &Bench, since: usize, peer: &mut Peer) -> Result<()> {
    let answer = peer.hears("the listener's reset", |segment| segment.flags & RST != 0)?;
    ensure!(answer.flags & SYN == 0, "the lab itself: {answer:?}");
    let (there, here) = (peer.there, peer.here);
    let sent = |record: &crate::vm::record::Record| record.is("reset_sent") && record.is_of(there, here);
    bench.records.wait_for(since, "the listener's reset", sent)?.expect("/state_before", "LISTEN")
}

/// A reset of another connection is a reset received, that of `peer` still is none.
fn expect_a_reset_elsewhere(bench: &Bench, since: usize, peer: &Peer) -> Result<Finding> {
    let control = Meeting::established()?;
    control.peer.reset(0)?;
    expect_one(bench, since, &control.peer, "ESTABLISHED")?;
    bench.none_received(since, peer.there.into(), peer.here.into())?;
    Ok(Finding::Recorded)
}

fn expect_one(bench: &Bench, since: usize, peer: &Peer, state: &str) -> Result<Finding> {
    let record = bench.one_received(since, peer.there.into(), peer.here.into())?;
    record.expect("/state_before", state)?;
    if bench.has("rst_packet") {
        record.expect("/packet/seq", peer.next)?;
    }
    Ok(Finding::Recorded)
}
