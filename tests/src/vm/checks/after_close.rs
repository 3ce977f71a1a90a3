//! Data that comes after this end has closed: the kernel tells of a reset received that was not on the wire, and sends one.

use std::io::Write;
use std::net::{Shutdown, SocketAddrV4};

use anyhow::{Result, ensure};

use super::Check;
use crate::vm::bench::Bench;
use crate::vm::link::Link;
use crate::vm::meeting::Meeting;
use crate::vm::record::Record;
use crate::vm::report::Finding;
use crate::vm::segment::{ACK, RST, Segment};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "data_after_close",
        claim: "data that comes after close(2) makes the kernel tell of a reset received that was not on the wire, and \
                the reset sent that follows says so",
        act: data_after_close,
    },
    Check {
        name: "data_in_fin_wait1",
        claim: "the same while the FIN is not acknowledged yet",
        act: |bench| by_hand(bench, Meeting::fin_wait_1()?, 0, "FIN_WAIT1"),
    },
    Check {
        name: "data_in_last_ack",
        claim: "the same when data overlaps the FIN of a peer that had closed first",
        act: |bench| by_hand(bench, Meeting::last_ack()?, -1, "LAST_ACK"),
    },
    Check {
        name: "data_with_ack_of_fin",
        claim: "data that acknowledges the FIN of a closed socket is answered by a reset, and no reset received is told",
        act: data_with_ack_of_fin,
    },
];

fn data_after_close(bench: &Bench) -> Result<Finding> {
    let since = bench.records.bookmark();
    let mut link = Link::open()?;
    // As close(2) does, but the socket stays whole: a closed one is reduced to a time-wait socket as soon as its FIN
    // is acknowledged.
    link.accepted()?.shutdown(Shutdown::Both)?;
    link.wait_for_fin()?;
    link.client.write_all(b"x")?;
    expect_false(bench, since, "FIN_WAIT2", |record| record.is_of(link.there(), link.here()))
}

/// Two bytes of data, the first with a number `offset` beyond the next one.
fn by_hand(bench: &Bench, mut meeting: Meeting, offset: i32, state: &str) -> Result<Finding> {
    let since = bench.records.bookmark();
    send_data(&mut meeting, offset)?;
    let (there, here) = (meeting.peer.there, meeting.peer.here);
    expect_false(bench, since, state, |record| record.is_of(there, here))
}

fn data_with_ack_of_fin(bench: &Bench) -> Result<Finding> {
    let mut meeting = Meeting::fin_wait_1()?;
    let since = bench.records.bookmark();
    meeting.peer.expected = meeting.peer.expected.wrapping_add(1);
    send_data(&mut meeting, 0)?;
    let (there, here): (SocketAddrV4, SocketAddrV4) = (meeting.peer.there, meeting.peer.here);
    let sent = |record: &Record| record.is("reset_sent") && record.is_of(there, here);
    let sent = bench.records.wait_for(since, "the reset sent", sent)?;
    sent.expect("/event/reset_sent/active", false)?;
    sent.expect("/event/reset_sent/data_after_close", false)?;
    sent.expect("/state_before", "FIN_WAIT2")?;
    bench.none_received(since, there.into(), here.into())?;
    Ok(Finding::Recorded)
}

fn send_data(meeting: &mut Meeting, offset: i32) -> Result<()> {
    let data = Segment { payload: b"xy".to_vec(), ..meeting.peer.segment(ACK) };
    Segment { seq: data.seq.wrapping_add_signed(offset), ..data }.send()?;
    meeting.peer.hears("the reset", |segment| segment.flags & RST != 0)?;
    Ok(())
}

/// One reset received that was none, and the reset sent that tells so.
fn expect_false(bench: &Bench, since: usize, state: &str, is_of: impl Fn(&Record) -> bool) -> Result<Finding> {
    let sent = bench.records.wait_for(since, "the reset sent", |record| record.is("reset_sent") && is_of(record))?;
    sent.expect("/event/reset_sent/data_after_close", true)?;
    sent.expect("/event/reset_sent/active", false)?;
    sent.expect("/state_before", state)?;
    let told = bench.records.so_far(since, |record| record.is("reset_received") && is_of(record));
    let [told] = told.as_slice() else {
        anyhow::bail!("the kernel told {} times of a reset received, not once: {told:?}", told.len())
    };
    told.expect("/state_before", state)?;
    // Where the packet behind it was looked at, it is seen to be no reset.
    let flags = told.at("/packet/tcp_flags").as_u64();
    ensure!(flags.is_none_or(|flags| flags & u64::from(RST) == 0), "a reset was on the wire: {told:?}");
    Ok(Finding::Recorded)
}
