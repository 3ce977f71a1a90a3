//! A reset that the kernel heeds: its sequence number is the next one expected, in every state that a connection is in.

use anyhow::Result;

use super::Check;
use crate::vm::bench::Bench;
use crate::vm::meeting::Meeting;
use crate::vm::peer::Peer;
use crate::vm::report::Finding;
use crate::vm::segment::{ACK, Segment};

/// An option of a SYN that allows selective acknowledgements, and two of padding (RFC 2018).
const SACK_PERMITTED: [u8; 4] = [4, 2, 1, 1];

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "exact_established",
        claim: "an RST with the next sequence number is a reset received in ESTABLISHED",
        act: |bench| heeded(bench, Meeting::established, 0, "ESTABLISHED"),
    },
    Check {
        name: "exact_fin_wait1",
        claim: "the same in FIN_WAIT1, and no data after close",
        act: |bench| heeded(bench, Meeting::fin_wait_1, 0, "FIN_WAIT1"),
    },
    Check {
        name: "exact_close_wait",
        claim: "the same in CLOSE_WAIT",
        act: |bench| heeded(bench, Meeting::close_wait, 0, "CLOSE_WAIT"),
    },
    Check {
        name: "exact_last_ack",
        claim: "the same in LAST_ACK",
        act: |bench| heeded(bench, Meeting::last_ack, 0, "LAST_ACK"),
    },
    Check {
        name: "exact_closing",
        claim: "the same in CLOSING",
        act: |bench| heeded(bench, Meeting::closing, 0, "CLOSING"),
    },
    Check {
        name: "before_fin_close_wait",
        claim: "an RST with the number of the peer's own FIN is a reset received in CLOSE_WAIT",
        act: |bench| heeded(bench, Meeting::close_wait, -1, "CLOSE_WAIT"),
    },
    Check {
        name: "before_fin_last_ack",
        claim: "the same in LAST_ACK",
        act: |bench| heeded(bench, Meeting::last_ack, -1, "LAST_ACK"),
    },
    Check {
        name: "before_fin_closing",
        claim: "the same in CLOSING",
        act: |bench| heeded(bench, Meeting::closing, -1, "CLOSING"),
    },
    Check {
        name: "sack_edge",
        claim: "an RST at the right edge of the newest data that came out of order is a reset received",
        act: sack_edge,
    },
];

/// An RST whose number is `offset` beyond the next one ends the connection in `state`.
fn heeded(bench: &Bench, reach: fn() -> Result<Meeting>, offset: i32, state: &str) -> Result<Finding> {
    let meeting = reach()?;
    let since = bench.records.bookmark();
    meeting.peer.reset(offset)?;
    expect_received(bench, since, &meeting.peer, offset, state)
}

fn sack_edge(bench: &Bench) -> Result<Finding> {
    let mut meeting = Meeting::with_options(&SACK_PERMITTED)?;
    let since = bench.records.bookmark();
    let peer = &mut meeting.peer;
    let ahead = Segment { payload: vec![b'x'; 10], ..peer.segment(ACK) };
    Segment { seq: ahead.seq.wrapping_add(100), ..ahead }.send()?;
    peer.hears_ack()?;
    peer.reset(110)?;
    expect_received(bench, since, peer, 110, "ESTABLISHED")
}

fn expect_received(bench: &Bench, since: usize, peer: &Peer, offset: i32, state: &str) -> Result<Finding> {
    let record = bench.one_received(since, peer.there.into(), peer.here.into())?;
    record.expect("/state_before", state)?;
    record.expect("/snapshot/unacked", 0)?;
    record.expect("/snapshot/bytes_sent", 0)?;
    record.expect("/snapshot/bytes_received", 0)?;
    // The peer opened it, and no process has a hand in what arrives.
    record.expect("/owner", serde_json::Value::Null)?;
    record.expect("/current", serde_json::Value::Null)?;
    if bench.has("rst_packet") {
        record.expect("/packet/seq", peer.next.wrapping_add_signed(offset))?;
    }
    Ok(Finding::Recorded)
}
