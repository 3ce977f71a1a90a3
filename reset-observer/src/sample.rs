//! Events as the lab measured them, for the tests of the rooms that decide.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use crate::{
    attribute::Attributed,
    nginx::{
        config::{defaults::Pool, directive::Place},
        error_log::{impact::NextUpstream, join::Joined},
        upstream_settings::UpstreamSettings,
    },
    record::{
        Event, Exit, KernelTime, LastPayload, Owner, Process, Record, SequenceNumbers, Snapshot, SocketId, TcpState,
    },
    recording::Placing,
    verdict::{Leg, ProcessLabel, Role, UpstreamLabel},
};

/// The proxy's end of the connection that most tests are about.
pub(crate) fn proxy() -> SocketAddr {
    SocketAddr::from(([10, 99, 1, 1], 50_452))
}

/// The upstream server.
pub(crate) fn server() -> SocketAddr {
    SocketAddr::from(([10, 99, 2, 1], 3000))
}

/// Milliseconds of kernel time. The connection was opened at 1 s.
pub(crate) fn at(ms: u64) -> KernelTime {
    KernelTime(ms * 1_000_000)
}

/// From a request to the last byte of its response, in all samples.
pub(crate) const RESPONSE_TIME: Duration = Duration::from_millis(40);

/// A socket with an answered request behind it, idle since: what a pooled connection looks like.
pub(crate) fn idle(for_time: Duration) -> Snapshot {
    Snapshot {
        unacked: 0,
        flight_never_acked: false,
        first_transmit_at: Some(at(1000)),
        clock: at(2000),
        last_payload: Some(LastPayload::Received),
        idle_before_request: None,
        idle_now: Some(for_time),
        since_last_send: Some(for_time + RESPONSE_TIME),
        since_last_receive: Some(for_time),
        rtt_min: Some(Duration::from_millis(20)),
        bytes_sent: 73,
        bytes_acked: 73,
        bytes_received: 126,
        unread: 0,
        retransmits: 0,
        total_retransmits: 0,
        error: 0,
        sequence: SequenceNumbers { unacknowledged: 74, next: 74, received: 127 },
    }
}

/// The same socket with a second request on its way, sent at `sent` after `gap` of idleness.
pub(crate) fn requested(sent: KernelTime, gap: Duration) -> Snapshot {
    Snapshot {
        unacked: 73,
        flight_never_acked: true,
        first_transmit_at: Some(sent),
        clock: sent.after(Duration::from_millis(21)),
        last_payload: Some(LastPayload::Sent),
        idle_before_request: Some(gap),
        idle_now: Some(Duration::from_millis(20)),
        since_last_send: Some(Duration::from_millis(20)),
        since_last_receive: Some(Duration::from_millis(20) + gap),
        bytes_sent: 146,
        ..idle(Duration::ZERO)
    }
}

/// The same socket after the backend's kernel took the request.
pub(crate) fn acknowledged(sent: KernelTime) -> Snapshot {
    Snapshot { unacked: 0, flight_never_acked: false, bytes_acked: 146, ..requested(sent, Duration::from_secs(1)) }
}

/// An event on the proxy's end, at `ms` milliseconds.
pub(crate) fn upstream(ms: u64, event: Event, state: TcpState, snapshot: Snapshot) -> Attributed {
    let process = Process { tgid: 3632, comm: "nginx".into() };
    Attributed {
        record: Arc::new(Record {
            at: at(ms),
            event,
            socket: Some(SocketId(1)),
            netns: Some(1),
            cgroup_id: None,
            local: proxy(),
            remote: server(),
            state_before: Some(state),
            owner: Some(Owner { process: process.clone(), opened_at: at(1000) }),
            current: None,
            exit: None,
            reset_reason: None,
            snapshot: Some(snapshot),
            packet: None,
            peer_on_host: false,
        }),
        placing: Arc::new(Placing {
            leg: Leg::Upstream,
            process: Some(Arc::new(ProcessLabel {
                pid: 3632,
                name: "nginx".into(),
                role: Role::Worker,
                inner_pid: None,
                master: None,
                ordinal: Some(0),
            })),
            ordinal: Some(0),
            upstream: Some(Arc::new(UpstreamLabel { name: None, server: server().to_string() })),
            ..Placing::of_nobody()
        }),
    }
}

/// The peer's FIN on the proxy's end.
pub(crate) fn fin(ms: u64, snapshot: Snapshot) -> Attributed {
    upstream(ms, Event::FinReceived, TcpState::Established, snapshot)
}

/// A reset received on the proxy's end.
pub(crate) fn reset(ms: u64, state: TcpState, snapshot: Snapshot) -> Attributed {
    upstream(ms, Event::ResetReceived, state, snapshot)
}

/// Another connection of the proxy, from this port.
pub(crate) fn from_port(port: u16, mut event: Attributed) -> Attributed {
    event.record_mut().local.set_port(port);
    event.record_mut().socket = Some(SocketId(port.into()));
    event
}

/// A connection to the server that was refused.
pub(crate) fn refused(ms: u64) -> Attributed {
    from_port(50_460, reset(ms, TcpState::SynSent, handshake()))
}

/// A connection on which nothing but the handshake's segments went.
pub(crate) fn handshake() -> Snapshot {
    Snapshot {
        bytes_sent: 0,
        bytes_acked: 0,
        bytes_received: 0,
        last_payload: None,
        first_transmit_at: None,
        ..idle(Duration::ZERO)
    }
}

/// The backend's end of the same connection: its process closes it while ending like this.
pub(crate) fn exit_close(ms: u64, exit: Exit) -> Attributed {
    let event = upstream(ms, Event::ExitClose, TcpState::Established, idle(Duration::ZERO));
    let process = Process { tgid: 77, comm: "node".into() };
    Attributed {
        record: Arc::new(Record {
            netns: Some(2),
            local: server(),
            remote: proxy(),
            socket: Some(SocketId(2)),
            owner: None,
            current: Some(process),
            exit: Some(exit),
            ..(*event.record).clone()
        }),
        placing: Arc::new(Placing {
            process: Some(Arc::new(ProcessLabel {
                pid: 77,
                name: "node".into(),
                role: Role::Other,
                inner_pid: None,
                master: None,
                ordinal: None,
            })),
            ..Placing::of_nobody()
        }),
    }
}

/// The backend's end of the same connection: it sends a reset while its process lives.
pub(crate) fn peer_reset(ms: u64) -> Attributed {
    let mut event = exit_close(ms, Exit::Status(0));
    event.record_mut().event = Event::ResetSent { active: true, data_after_close: false };
    event.record_mut().exit = None;
    event.record_mut().reset_reason = Some("tcp_abort_on_close".into());
    event
}

/// What nginx was told of the server: upstream `backend` at line 12 of `nginx.conf`, with a pool, all else by default.
pub(crate) fn configured() -> UpstreamSettings {
    UpstreamSettings {
        block: Some(("backend".into(), line_of_configuration(12))),
        pool: Some(Pool {
            connections: 32,
            timeout: Some(Duration::from_secs(60)),
            requests: Some(1000),
            time: Some(Duration::from_secs(3600)),
        }),
        keepalive_timeout_at: None,
        next_upstream: Some(NextUpstream::default()),
        read_timeouts: vec![Duration::from_secs(60)],
        send_timeouts: vec![Duration::from_secs(60)],
        connect_timeouts: vec![Duration::from_secs(60)],
        socket_keepalive: Some(false),
        tls: Some(false),
    }
}

/// The same with `keepalive_timeout` at line 15.
pub(crate) fn keeping(timeout: Duration) -> UpstreamSettings {
    let settings = configured();
    let pool = settings.pool.map(|pool| Pool { timeout: Some(timeout), ..pool });
    UpstreamSettings { pool, keepalive_timeout_at: Some(line_of_configuration(15)), ..settings }
}

/// The same without a pool.
pub(crate) fn keeping_nothing() -> UpstreamSettings {
    let settings = configured();
    let pool = settings.pool.map(|pool| Pool { connections: 0, ..pool });
    UpstreamSettings { pool, ..settings }
}

fn line_of_configuration(line: u32) -> Place {
    Place { file: Path::new("/etc/nginx/nginx.conf").into(), line }
}

/// A line of the log that says nothing but that it is the case's own.
pub(crate) fn joined() -> Joined {
    Joined::empty()
}
