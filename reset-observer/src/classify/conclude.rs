//! From a case and its decision to the verdict that is shown.

use std::net::IpAddr;

use smol_str::{SmolStr, ToSmolStr as _};

use super::{Decision, raise::would_raise};
use crate::{
    correlate::{Case, Connection, Logged},
    nginx::error_log::line::Client,
    record::{Event, Packet, Record, Snapshot, TcpState},
    verdict::{Backend, Bytes, Request, RstFlags, RstPacket, Signal, Timing, Verdict, VerdictId},
};

/// Says everything known about one connection. Advice and request are added by the rooms that know them.
#[must_use]
pub fn conclude(case: &Case, decision: Decision) -> Verdict {
    let connection = &case.connection;
    let decisive = connection.decisive();
    let would_raise = would_raise(case, &decision);
    let at = decisive.map_or(connection.first_at(), |record| record.at);
    let ends = connection.ends();
    Verdict {
        at,
        id: VerdictId::of(at, ends.netns, ends.local, ends.remote),
        cause: decision.cause,
        confidence: decision.confidence,
        impact: decision.impact,
        signal: signal(case),
        leg: connection.leg(),
        local: ends.local.into(),
        remote: ends.remote.into(),
        tcp_state: decisive.and_then(|record| record.state_before),
        netns: ends.netns,
        process: connection.process().cloned(),
        container: connection.container().cloned(),
        remote_container: case.peer.as_ref().and_then(|peer| peer.container().cloned()),
        upstream: connection.upstream().cloned(),
        timing: timing(case, decisive),
        bytes: connection.snapshot().map(bytes),
        rst: connection.reset().and_then(|reset| reset.packet).map(rst_packet),
        reset_reason: connection.sent().and_then(|sent| sent.reset_reason.clone()),
        backend: case.peer.as_deref().map(backend),
        evidence: decision.evidence,
        would_raise,
        request: request(case),
        advice: None,
        episode: None,
    }
}

/// The request that nginx's log names; only where that is known for certain.
fn request(case: &Case) -> Option<Request> {
    let Logged::Line(line) = &case.logged else { return None };
    let client = match line.client.as_ref()? {
        Client::Ip(address) => text(*address),
        Client::Unix => "unix:".into(),
    };
    Some(Request { line: line.request.clone()?, client, host: line.host.clone() })
}

/// An IPv4 address is put together by hand: formatting it takes longer than all else of a request.
fn text(address: IpAddr) -> SmolStr {
    let IpAddr::V4(address) = address else { return address.to_smolstr() };
    let mut text = [0; "255.255.255.255".len()];
    let mut len = 0;
    let mut push = |byte| {
        text[len] = byte;
        len += 1;
    };
    for (index, octet) in address.octets().into_iter().enumerate() {
        if index > 0 {
            push(b'.');
        }
        if octet >= 100 {
            push(b'0' + octet / 100);
        }
        if octet >= 10 {
            push(b'0' + octet / 10 % 10);
        }
        push(b'0' + octet % 10);
    }
    SmolStr::new(str::from_utf8(&text[..len]).unwrap_or_default())
}

fn signal(case: &Case) -> Signal {
    if case.connection.reset().is_some() {
        Signal::RstReceived
    } else if case.connection.fin().is_some() {
        Signal::FinReceived
    } else if case.connection.given_up().is_some_and(in_vain) {
        Signal::TimedOut
    } else if case.connection.given_up().is_some() || case.connection.sent().is_none() {
        Signal::FinSent
    } else {
        Signal::RstSent
    }
}

/// Nothing came back of what was sent, the SYN or a request.
fn in_vain(given_up: &Record) -> bool {
    let silent =
        given_up.snapshot.is_some_and(|snapshot| snapshot.flight_never_acked && snapshot.total_retransmits > 0);
    silent || given_up.state_before == Some(TcpState::SynSent) || matches!(given_up.event, Event::Failed { .. })
}

fn backend(peer: &Connection) -> Backend {
    let local = peer.ends().local;
    Backend {
        addr: local.ip(),
        port: local.port(),
        process: peer.process().cloned(),
        exit: peer.exit().map(|exit| exit.to_string()),
        reset_reason: peer.sent().and_then(|sent| sent.reset_reason.clone()),
    }
}

fn rst_packet(packet: Packet) -> RstPacket {
    let flags = if packet.ack.is_some() { RstFlags::ResetAck } else { RstFlags::Reset };
    RstPacket { flags, ttl: packet.ttl, syn_ack_ttl: packet.syn_ack_ttl, window: packet.window }
}

fn timing(case: &Case, decisive: Option<&Record>) -> Timing {
    let snapshot = case.connection.snapshot();
    let age = case.connection.opened_at().zip(decisive).map(|(opened, record)| record.at.since(opened));
    // The socket's clock stands still until a segment comes or goes: at this end's own close the record's counts.
    let closed = case.connection.abandoned().map(|record| record.at);
    let since_request =
        snapshot.and_then(|snapshot| Some(closed.unwrap_or(snapshot.clock).since(snapshot.first_transmit_at?)));
    Timing {
        connection_age_ms: age.map(|age| age.as_secs_f64() * 1e3),
        idle_before_request_ms: snapshot
            .and_then(|snapshot| snapshot.idle_before_request)
            .map(|gap| gap.as_secs_f64() * 1e3),
        since_request_us: since_request.and_then(|time| u64::try_from(time.as_micros()).ok()),
        rtt_min_us: snapshot.and_then(|snapshot| snapshot.rtt_min).and_then(|rtt| u64::try_from(rtt.as_micros()).ok()),
    }
}

fn bytes(snapshot: &Snapshot) -> Bytes {
    Bytes {
        sent: snapshot.bytes_sent,
        acked: snapshot.bytes_acked,
        received: snapshot.bytes_received,
        unacked: snapshot.unacked.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_as_the_standard_library_does() {
        for octet in 0..=u8::MAX {
            let address = IpAddr::from([octet, 255 - octet, 0, octet]);
            assert_eq!(text(address), address.to_smolstr());
        }
        assert_eq!(text("fd00::1".parse().unwrap()), "fd00::1");
    }
}
