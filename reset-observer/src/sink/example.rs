//! The verdict of the design's example, and an episode, for the tests of all sinks.

use std::{collections::BTreeMap, sync::Arc};

use smallvec::smallvec;

use crate::{
    container::{Container, Pod, Runtime},
    episode::{Away, Episode},
    record::{KernelTime, TcpState},
    sink::clock::WallClock,
    verdict::{
        Bytes, Cause, Confidence, Endpoint, Evidence, EvidenceList, Impact, Leg, ProcessLabel, Request, Role, RstFlags,
        RstPacket, Signal, Timing, UpstreamLabel, Verdict, VerdictId, WouldRaiseList,
    },
};

/// A clock that shows [`verdict`] at 2026-11-22T13:45:03.432611Z.
pub(crate) const CLOCK: WallClock = WallClock::fixed(1_795_355_100_000_000_000);

fn endpoint(addr: [u8; 4], port: u16) -> Endpoint {
    Endpoint { addr: addr.into(), port }
}

/// A race that nginx hid.
pub(crate) fn verdict() -> Verdict {
    let at = KernelTime(3_432_611_000);
    Verdict {
        at,
        id: VerdictId::of(at, Some(4_026_531_992), ([10, 99, 1, 1], 50452).into(), ([10, 99, 2, 1], 3000).into()),
        cause: Cause::KeepaliveRace,
        confidence: Confidence::High,
        impact: Impact::RequestRetried,
        signal: Signal::FinReceived,
        leg: Leg::Upstream,
        local: endpoint([10, 99, 1, 1], 50452),
        remote: endpoint([10, 99, 2, 1], 3000),
        tcp_state: Some(TcpState::CloseWait),
        netns: Some(4_026_531_992),
        process: Some(Arc::new(ProcessLabel {
            pid: 3632,
            name: "nginx".into(),
            role: Role::Worker,
            inner_pid: Some(7),
            master: Some(3600),
            ordinal: Some(1),
        })),
        container: Some(Arc::new(Container {
            id: Some("c0ffee".repeat(10) + "c0de"),
            runtime: Some(Runtime::Containerd),
            pod: Some(Pod {
                uid: "ff49d0be-16b7-4a49-bb9e-8ec1f1f4e27f".into(),
                name: Some("web".into()),
                namespace: Some("shop".into()),
                container: Some("nginx".into()),
            }),
            unit: None,
        })),
        remote_container: None,
        upstream: Some(Arc::new(UpstreamLabel { name: Some("backend".into()), server: "10.99.2.1:3000".into() })),
        timing: Timing {
            connection_age_ms: Some(3561.2),
            idle_before_request_ms: Some(3532.0),
            since_request_us: Some(120),
            rtt_min_us: Some(58),
        },
        bytes: Some(Bytes { sent: 146, acked: 73, received: 126, unacked: 73 }),
        rst: Some(RstPacket { flags: RstFlags::Reset, ttl: 64, syn_ack_ttl: Some(63), window: 0 }),
        reset_reason: None,
        backend: None,
        evidence: smallvec![Evidence::FinSeen, Evidence::FlightNeverAcked, Evidence::IdleMatchesLearnedTimeout],
        would_raise: WouldRaiseList::new(),
        request: Some(Request { line: "GET /ok HTTP/1.1".into(), client: "127.0.0.1".into(), host: Some("x".into()) }),
        advice: Some("set keepalive_timeout 800ms in upstream backend".into()),
        episode: None,
    }
}

/// A harmless end of a connection that is not nginx's, with as little known as can be.
pub(crate) fn bare_verdict() -> Verdict {
    Verdict {
        cause: Cause::IdleClose,
        confidence: Confidence::Low,
        impact: Impact::None,
        signal: Signal::RstReceived,
        leg: Leg::Other,
        tcp_state: None,
        netns: None,
        process: None,
        container: None,
        upstream: None,
        timing: Timing::default(),
        bytes: None,
        rst: None,
        evidence: EvidenceList::new(),
        request: None,
        advice: None,
        ..verdict()
    }
}

/// A crash that cut seven connections.
pub(crate) fn episode() -> Episode {
    Episode {
        id: "10.99.2.1:3000-5000".into(),
        upstream: UpstreamLabel { name: Some("backend".into()), server: "10.99.2.1:3000".into() },
        cause: Cause::BackendCrash,
        confidence: Confidence::High,
        from: KernelTime(2_000_000_000),
        to: KernelTime(3_000_000_000),
        connections: 7,
        refused: 0,
        requests: BTreeMap::new(),
        causes: BTreeMap::new(),
        away: Away::default(),
        process: None,
        exit: None,
        oom_killed: false,
    }
}
