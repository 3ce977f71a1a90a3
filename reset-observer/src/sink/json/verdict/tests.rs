use std::{net::IpAddr, sync::Arc};

use proptest::{option::of, prelude::*, sample::select};

use super::*;
use crate::{
    container::Runtime,
    record::{KernelTime, TcpState},
    sink::example,
    verdict::{Cause, Confidence, Evidence, Impact, Leg, Role, RstFlags, Signal, VerdictId, WouldRaise},
};

/// Texts with all that JSON escapes, in part of them.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[ -~]{0,40}", "[a-z\"\\\\/\u{0}-\u{1f}\u{7f}ü]{0,20}"]
}

fn shared() -> impl Strategy<Value = Option<Arc<str>>> {
    of(text().prop_map(Arc::from))
}

fn endpoint() -> impl Strategy<Value = Endpoint> {
    (any::<IpAddr>(), any::<u16>()).prop_map(|(addr, port)| Endpoint { addr, port })
}

fn process() -> impl Strategy<Value = Option<Arc<ProcessLabel>>> {
    let role = select(vec![Role::Master, Role::Worker, Role::Cache, Role::Other]);
    of((any::<u32>(), text(), role, any::<[Option<u32>; 3]>()).prop_map(
        |(pid, name, role, [inner_pid, master, ordinal])| {
            Arc::new(ProcessLabel { pid, name, role, inner_pid, master, ordinal })
        },
    ))
}

fn container() -> impl Strategy<Value = Option<Arc<Container>>> {
    let runtimes = vec![Runtime::Containerd, Runtime::CriO, Runtime::Docker, Runtime::Podman, Runtime::Lxc];
    let pod = (text(), of(text()), of(text()), of(text())).prop_map(|(uid, name, namespace, container)| Pod {
        uid,
        name,
        namespace,
        container,
    });
    of((of(text()), of(select(runtimes)), of(pod), of(text()))
        .prop_map(|(id, runtime, pod, unit)| Arc::new(Container { id, runtime, pod, unit })))
}

fn timing() -> impl Strategy<Value = Timing> {
    (any::<[Option<f64>; 2]>(), any::<[Option<u64>; 2]>()).prop_map(
        |([connection_age_ms, idle_before_request_ms], [since_request_us, rtt_min_us])| Timing {
            connection_age_ms,
            idle_before_request_ms,
            since_request_us,
            rtt_min_us,
        },
    )
}

fn rst() -> impl Strategy<Value = Option<RstPacket>> {
    of((select(RstFlags::ALL), any::<u8>(), any::<Option<u8>>(), any::<u16>())
        .prop_map(|(flags, ttl, syn_ack_ttl, window)| RstPacket { flags, ttl, syn_ack_ttl, window }))
}

fn backend() -> impl Strategy<Value = Option<Backend>> {
    of((endpoint(), process(), of(text()), shared()).prop_map(|(end, process, exit, reset_reason)| Backend {
        addr: end.addr,
        port: end.port,
        process,
        exit,
        reset_reason,
    }))
}

fn request() -> impl Strategy<Value = Option<Request>> {
    of((text(), text(), of(text())).prop_map(|(line, client, host)| Request {
        line: line.into(),
        client: client.into(),
        host: host.map(Into::into),
    }))
}

fn upstream() -> impl Strategy<Value = Option<Arc<UpstreamLabel>>> {
    of((of(text()), text()).prop_map(|(name, server)| Arc::new(UpstreamLabel { name, server })))
}

fn bytes() -> impl Strategy<Value = Option<Bytes>> {
    of(any::<[u64; 4]>().prop_map(|[sent, acked, received, unacked]| Bytes { sent, acked, received, unacked }))
}

/// What the rules say, and the states before it.
fn said() -> impl Strategy<Value = Verdict> {
    let states = (1..=12).filter_map(TcpState::from_u8).collect::<Vec<_>>();
    let (evidence, would) = (select(Evidence::ALL), select(WouldRaise::ALL));
    let lists = (prop::collection::vec(evidence, 0..20), prop::collection::vec(would, 0..4));
    let enums =
        (select(Cause::ALL), select(Confidence::ALL), select(Impact::ALL), select(Signal::ALL), select(Leg::ALL));
    (any::<u64>(), enums, of(select(states)), any::<Option<u32>>(), lists, of(text()), of(text())).prop_map(
        |(at, (cause, confidence, impact, signal, leg), tcp_state, netns, (evidence, would_raise), advice, episode)| {
            let id =
                VerdictId::of(KernelTime(at), netns, ([10, 99, 1, 1], 50452).into(), ([10, 99, 2, 1], 3000).into());
            Verdict {
                at: KernelTime(at),
                id,
                cause,
                confidence,
                impact,
                signal,
                leg,
                tcp_state,
                netns,
                evidence: evidence.into(),
                would_raise: would_raise.into(),
                advice,
                episode,
                ..example::bare_verdict()
            }
        },
    )
}

fn verdict() -> impl Strategy<Value = Verdict> {
    let labels = (process(), container(), container(), upstream());
    let parts = (timing(), bytes(), rst(), shared(), backend(), request());
    (said(), [endpoint(), endpoint()], labels, parts).prop_map(|(said, [local, remote], labels, parts)| {
        let (process, container, remote_container, upstream) = labels;
        let (timing, bytes, rst, reset_reason, backend, request) = parts;
        let verdict = Verdict { local, remote, process, container, remote_container, upstream, ..said };
        Verdict { timing, bytes, rst, reset_reason, backend, request, ..verdict }
    })
}

proptest! {
    #[test]
    fn every_verdict_is_written_as_serde_says(verdict in verdict()) {
        let mut written = Vec::new();
        verdict.write(&mut written);
        prop_assert_eq!(String::from_utf8(written).unwrap(), serde_json::to_string(&verdict).unwrap());
    }
}
