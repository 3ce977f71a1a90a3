//! A verdict as an object of JSON.

use super::value::{Value, objects};
use crate::{
    container::{Container, Pod},
    verdict::{Backend, Bytes, Endpoint, ProcessLabel, Request, RstPacket, Timing, UpstreamLabel, Verdict},
};

objects! {
    Verdict {
        id, cause, confidence, impact, signal, leg, local, remote, tcp_state, netns, process, container, remote_container,
        upstream, timing, bytes, rst, reset_reason, backend, evidence, would_raise, request, advice, episode
    } skip at;
    Endpoint { addr, port };
    ProcessLabel { pid, name, role, inner_pid, master } skip ordinal;
    Container { id, runtime, pod, unit };
    Pod { uid, name, namespace, container };
    UpstreamLabel { name, server };
    Timing { connection_age_ms, idle_before_request_ms, since_request_us, rtt_min_us };
    Bytes { sent, acked, received, unacked };
    RstPacket { flags, ttl, syn_ack_ttl, window };
    Backend { addr, port, process, exit, reset_reason };
    Request { line, client, host };
}

#[cfg(test)]
mod tests;
