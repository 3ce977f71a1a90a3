//! The numbers of a verdict, and who was at its ends.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::ProcessLabel;

/// Times around the event. `null` where not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// Age of the connection, milliseconds.
    pub connection_age_ms: Option<f64>,
    /// How long the connection had been idle before the request, milliseconds.
    pub idle_before_request_ms: Option<f64>,
    /// From the request to the event, microseconds.
    pub since_request_us: Option<u64>,
    /// Smallest round trip time, microseconds.
    pub rtt_min_us: Option<u64>,
}

/// Payload bytes of the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bytes {
    /// Sent, retransmissions included.
    pub sent: u64,
    /// Acknowledged by the peer.
    pub acked: u64,
    /// Received.
    pub received: u64,
    /// Written and not acknowledged.
    pub unacked: u64,
}

closed_enum! {
    /// TCP flags of a reset.
    RstFlags {
        /// Without an acknowledgement.
        Reset = "R",
        /// With one.
        ResetAck = "RA",
    }
}

/// The reset packet itself, where the kernel lets us see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RstPacket {
    /// TCP flags.
    pub flags: RstFlags,
    /// TTL or hop limit on arrival.
    pub ttl: u8,
    /// TTL or hop limit of the connection's SYN-ACK.
    pub syn_ack_ttl: Option<u8>,
    /// Window.
    pub window: u16,
}

/// The other end of the connection, where it is on this host too and recorded something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backend {
    /// Its own address, which differs from the one that nginx connected to under address translation.
    pub addr: std::net::IpAddr,
    /// Its own port.
    pub port: u16,
    /// The process that held it, if it closed or aborted the connection itself.
    pub process: Option<Arc<ProcessLabel>>,
    /// How that process was ending, if it was: `exit status 1`, `SIGKILL`.
    pub exit: Option<String>,
    /// Why its kernel sent a reset, by the kernel's own name in lower case.
    pub reset_reason: Option<Arc<str>>,
}

/// The request that was hurt, where the error log tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Request line.
    pub line: SmolStr,
    /// Client address.
    pub client: SmolStr,
    /// Host header.
    pub host: Option<SmolStr>,
}
