//! The reset packet tells who sent it. What it looked like is read from the wire; the record must say the same.

use std::io::Write;

use anyhow::{Result, ensure};
use serde_json::Value;

use super::Check;
use crate::vm::bench::{Bench, LOOPBACK, fresh_address};
use crate::vm::link::Link;
use crate::vm::peer::v4;
use crate::vm::record::Record;
use crate::vm::report::Finding;
use crate::vm::rules::Rule;
use crate::vm::segment::{ACK, RST, Segment};
use crate::vm::tap::Tap;

/// Another distance than that of anything in the lab.
const ODD_TTL: u8 = 252;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "shape_no_socket",
        claim: "a host that forgot the connection answers with a bare R: no acknowledgement, no option, window 0, IP id 0",
        act: |bench| forgotten(bench, false),
    },
    Check {
        name: "shape_listener",
        claim: "it looks the same where the listener still lives",
        act: |bench| forgotten(bench, true),
    },
    Check {
        name: "shape_closed_socket",
        claim: "it looks the same from a socket that its process has closed",
        act: closed_socket,
    },
    Check {
        name: "shape_linger_0",
        claim: "an abort of a live socket is R and A with a timestamp, a window and an IP id, and acknowledges the whole \
                request that the host received",
        act: |bench| active(bench, linger_0),
    },
    Check {
        name: "shape_close_unread",
        claim: "it looks the same when a process closes with the request unread",
        act: |bench| active(bench, close_unread),
    },
    Check { name: "shape_listener_closed", claim: "it looks the same when a listener is closed", act: listener_closed },
    Check {
        name: "shape_refused",
        claim: "the answer to a SYN where nobody listens is R and A without option or window",
        act: refused,
    },
    Check {
        name: "shape_reject",
        claim: "what nftables makes (`reject with tcp reset`) of a segment that acknowledges looks like a bare R of the host",
        act: reject,
    },
    Check {
        name: "shape_forged",
        claim: "a forged reset is told by its time to live, beside which stands that of the SYN-ACK",
        act: forged,
    },
];

fn forgotten(bench: &Bench, listener_lives: bool) -> Result<Finding> {
    let since = bench.records.bookmark();
    let mut link = Link::open()?;
    link.forget()?;
    if !listener_lives {
        drop(link.listener.take());
    }
    link.client.write_all(b"x")?;
    let record = expect_passive(bench, since, &mut link)?;
    record.expect("/state_before", "ESTABLISHED")?;
    record.expect("/snapshot/flight_never_acked", true)?;
    expect_packet(bench, &record, &link.reset()?)
}

fn closed_socket(bench: &Bench) -> Result<Finding> {
    let since = bench.records.bookmark();
    let mut link = Link::open()?;
    drop(link.server.take());
    let (here, there) = (link.here(), link.there());
    bench.records.wait_for(since, "the FIN", |record| record.is("fin_received") && record.is_of(here, there))?;
    link.client.write_all(b"x")?;
    let record = expect_passive(bench, since, &mut link)?;
    record.expect("/state_before", "CLOSE_WAIT")?;
    expect_packet(bench, &record, &link.reset()?)
}

fn linger_0(link: &mut Link) -> Result<()> {
    rustix::net::sockopt::set_socket_linger(link.accepted()?, Some(std::time::Duration::ZERO))?;
    drop(link.server.take());
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "one of two ways to end a connection")]
fn close_unread(link: &mut Link) -> Result<()> {
    drop(link.server.take());
    Ok(())
}

fn active(bench: &Bench, abort: fn(&mut Link) -> Result<()>) -> Result<Finding> {
    let since = bench.records.bookmark();
    let mut link = Link::open()?;
    link.ask()?;
    abort(&mut link)?;
    let record = expect_active(bench, since, &mut link)?;
    let request = link.syn_ack()?.ack.wrapping_add(u32::try_from(REQUEST_LENGTH)?);
    let wire = link.reset()?;
    ensure!(wire.ack == request, "it acknowledges {}, not the request to {request}: {wire:?}", wire.ack);
    expect_packet(bench, &record, &wire)
}

/// Of what [`Link::ask`] writes.
const REQUEST_LENGTH: usize = 18;

fn listener_closed(bench: &Bench) -> Result<Finding> {
    let since = bench.records.bookmark();
    let mut link = Link::unaccepted()?;
    drop(link.listener.take());
    let record = expect_active(bench, since, &mut link)?;
    expect_packet(bench, &record, &link.reset()?)
}

fn refused(bench: &Bench) -> Result<Finding> {
    let since = bench.records.bookmark();
    let mut tap = Tap::open()?;
    let server = v4(fresh_address(LOOPBACK[0]))?;
    ensure!(std::net::TcpStream::connect(server).is_err(), "the lab itself: {server} is open");
    let wire = tap.wait_for("the refusal", |segment| segment.from == server)?;
    ensure!(wire.flags == RST | ACK && is_bare(&wire), "not as a refusal looks: {wire:?}");
    let record = bench.one_received(since, wire.to.into(), server.into())?;
    record.expect("/state_before", "SYN_SENT")?;
    expect_packet(bench, &record, &wire)
}

fn reject(bench: &Bench) -> Result<Finding> {
    let since = bench.records.bookmark();
    let mut link = Link::open()?;
    let server = link.there();
    let _rule = Rule::install(&format!("tcp dport {} reject with tcp reset", server.port()))?;
    link.client.write_all(b"x")?;
    let wire = link.reset()?;
    ensure!(wire.flags == RST && is_bare(&wire), "not as nftables makes it: {wire:?}");
    let record = bench.one_received(since, link.here(), server)?;
    let made_up = bench.records.so_far(since, |record| record.is("reset_sent") && record.local() == Some(server));
    ensure!(made_up.is_empty(), "the kernel does tell of it: {made_up:?}");
    expect_packet(bench, &record, &wire)
}

fn forged(bench: &Bench) -> Result<Finding> {
    let since = bench.records.bookmark();
    let mut link = Link::open()?;
    let syn_ack = link.syn_ack()?;
    let forgery = Segment::new(syn_ack.from, syn_ack.to, RST);
    Segment { seq: syn_ack.end(), window: 0, ttl: ODD_TTL, ..forgery }.send()?;
    let record = bench.one_received(since, link.here(), link.there())?;
    record.expect("/state_before", "ESTABLISHED")?;
    let wire = link.reset()?;
    ensure!(wire.ttl == ODD_TTL, "the lab itself: {wire:?}");
    let finding = expect_packet(bench, &record, &wire)?;
    if bench.has("rst_packet") {
        record.expect("/packet/syn_ack_ttl", syn_ack.ttl)?;
    }
    Ok(finding)
}

/// A reset of the server's kernel for a connection that is none to it.
fn expect_passive(bench: &Bench, since: usize, link: &mut Link) -> Result<Record> {
    let wire = link.reset()?;
    ensure!(
        wire.flags == RST && is_bare(&wire) && wire.ip_id == 0,
        "not as a host answers that knows nothing: {wire:?}"
    );
    bench.one_received(since, link.here(), link.there())
}

/// A reset of a live socket.
fn expect_active(bench: &Bench, since: usize, link: &mut Link) -> Result<Record> {
    let wire = link.reset()?;
    let is_active = wire.flags == RST | ACK && wire.header_words() == 8 && wire.has_timestamp();
    ensure!(is_active && wire.window != 0 && wire.ip_id != 0, "not as a live socket aborts: {wire:?}");
    let record = bench.one_received(since, link.here(), link.there())?;
    record.expect("/state_before", "ESTABLISHED")?;
    Ok(record)
}

fn is_bare(wire: &Segment) -> bool {
    wire.header_words() == 5 && wire.window == 0
}

/// The record tells the packet as it was on the wire, where it can be looked at.
fn expect_packet(bench: &Bench, record: &Record, wire: &Segment) -> Result<Finding> {
    if !bench.has("rst_packet") {
        record.expect("/packet", Value::Null)?;
        return Ok(Finding::NotTold);
    }
    record.expect("/packet/tcp_flags", wire.flags)?;
    record.expect("/packet/window", wire.window)?;
    record.expect("/packet/ttl", wire.ttl)?;
    record.expect("/packet/seq", wire.seq)?;
    let ack = if wire.flags & ACK == 0 { Value::Null } else { wire.ack.into() };
    record.expect("/packet/ack", ack)?;
    record.expect("/packet/timestamp", wire.has_timestamp())?;
    Ok(Finding::Recorded)
}
