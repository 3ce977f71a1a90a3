//! What the kernel said, in the domain's words: typed, in SI units, `local` and `remote` instead of source and
//! destination. [`crate::decode`] makes records; everything behind it sees only these.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

mod process;
mod sequence;
mod tcp_state;

pub use process::{Exit, Fate, Process, ProcessEvent};
pub use sequence::SequenceNumbers;
pub use tcp_state::TcpState;

/// An instant of CLOCK_MONOTONIC in nanoseconds, the clock of `bpf_ktime_get_ns`. Never wall-clock time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KernelTime(pub u64);

impl KernelTime {
    /// How long after `earlier` this is; zero if it is not.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The instant `duration` later, at most the end of the clock's range.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// The instant `duration` earlier, at least the start of the clock.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// How far apart two instants are, whichever is first.
    #[must_use]
    pub fn distance(self, other: Self) -> Duration {
        Duration::from_nanos(self.0.abs_diff(other.0))
    }
}

/// Who opened a connection, and when: known for connections opened while the observer ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The process that called connect(2).
    pub process: Process,
    /// When it did.
    pub opened_at: KernelTime,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A reset arrived.
    ResetReceived,
    /// This host sent a reset.
    ResetSent {
        /// The socket's owner or a timer sent it; else it answers a packet.
        active: bool,
        /// It answers data that came after this end had closed. The kernel reports a reset received just before,
        /// though there was none on the wire.
        data_after_close: bool,
    },
    /// The peer's FIN arrived on an established connection.
    FinReceived,
    /// An exiting process closed its connection.
    ExitClose,
    /// An exiting process closed its listening socket; there is no other end.
    ListenerExit,
    /// A request was sent again that followed an idle time, and of which nothing was acknowledged. Not an end.
    Retransmitted,
    /// This end closed the connection while nothing of its last flight was acknowledged, or while a request had no
    /// response, or gave up its handshake.
    ClosedUnacked,
    /// The kernel gave the connection up: a timeout or an ICMP error.
    Failed {
        /// errno.
        error: i32,
    },
}

/// The flag of a reset in [`Packet::tcp_flags`] (RFC 9293, section 3.1).
const RST: u8 = 0x04;

/// The reset packet behind an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packet {
    /// TCP flags: byte 13 of the header (RFC 9293, section 3.1).
    pub tcp_flags: u8,
    /// TTL or hop limit on arrival.
    pub ttl: u8,
    /// TTL or hop limit of the connection's SYN-ACK on arrival; `None` if it was not seen.
    pub syn_ack_ttl: Option<u8>,
    /// Window, not scaled.
    pub window: u16,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number, if the packet has one.
    pub ack: Option<u32>,
    /// Whether it carries a timestamp option: only a live socket's own resets do ([source]).
    ///
    /// [source]: https://github.com/torvalds/linux/blob/v6.12/net/ipv4/tcp_output.c#L3674
    pub timestamp: bool,
}

/// What the kernel side tells of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Message {
    /// A connection.
    Connection(Arc<Record>),
    /// A process.
    Process(ProcessEvent),
}

/// Which way the last payload went. Jiffies are 1 to 10 ms long, so that both may fall into one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LastPayload {
    /// This end sent last.
    Sent,
    /// This end received last.
    Received,
    /// Both in the same jiffy: not known.
    Tie,
}

/// What the socket knew at the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Bytes that the application wrote and the peer did not acknowledge, own FIN not counted.
    pub unacked: u32,
    /// The peer's kernel acknowledged nothing of the current flight.
    pub flight_never_acked: bool,
    /// When the current flight was first sent; `None` if no data was ever sent.
    pub first_transmit_at: Option<KernelTime>,
    /// The socket's clock: when the segment at hand was handled.
    pub clock: KernelTime,
    /// Which way the last payload went; `None` if there was none at all.
    pub last_payload: Option<LastPayload>,
    /// How long the connection had been idle before the last request; `None` where the clock of jiffies does not tell
    /// (a response began, retransmissions, or the length of a jiffy is not known yet).
    pub idle_before_request: Option<Duration>,
    /// How long ago the last payload went either way; `None` if there was none or the length of a jiffy is unknown.
    pub idle_now: Option<Duration>,
    /// How long ago payload was last sent, retransmissions included; `None` if none ever was or the length of a jiffy is
    /// unknown. Counted in jiffies of 1 to 10 ms.
    pub since_last_send: Option<Duration>,
    /// The same of payload received. A TLS `close_notify` and the frames of HTTP/2 are payload here.
    pub since_last_receive: Option<Duration>,
    /// Smallest round trip time, `None` without a sample.
    pub rtt_min: Option<Duration>,
    /// Payload bytes sent, retransmissions included.
    pub bytes_sent: u64,
    /// Payload bytes that the peer acknowledged.
    pub bytes_acked: u64,
    /// Payload bytes received.
    pub bytes_received: u64,
    /// Received bytes that the application has not read.
    pub unread: u32,
    /// Retransmissions of the current flight by timer.
    pub retransmits: u32,
    /// Retransmissions of the connection.
    pub total_retransmits: u32,
    /// Pending error of the socket, an errno; 0 if none.
    pub error: i32,
    /// Where both directions stood.
    pub sequence: SequenceNumbers,
}

/// Identity of a socket in this kernel while it lives: its address, which may be used again for another one later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SocketId(pub u64);

/// One event of one connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// When.
    pub at: KernelTime,
    /// What.
    pub event: Event,
    /// On which socket; `None` if the kernel had none, or a listening one.
    pub socket: Option<SocketId>,
    /// Inode of the network namespace; `None` if unknown.
    pub netns: Option<u32>,
    /// Id of the cgroup (v2) that the socket was created in; `None` if unknown.
    pub cgroup_id: Option<u64>,
    /// This end.
    pub local: SocketAddr,
    /// The other end.
    pub remote: SocketAddr,
    /// TCP state before the event; `None` if unknown.
    pub state_before: Option<TcpState>,
    /// Who opened the connection. `None` for accepted connections, and for those older than the observer.
    pub owner: Option<Owner>,
    /// The process that caused the event, where there is one.
    pub current: Option<Process>,
    /// How that process is ending, if it is.
    pub exit: Option<Exit>,
    /// Why this kernel sent the reset, by the kernel's name in lower case (`tcp_abort_on_close`); `None` for other events,
    /// and before Linux 6.10.
    pub reset_reason: Option<Arc<str>>,
    /// What the socket knew; `None` for all but full sockets.
    pub snapshot: Option<Snapshot>,
    /// The reset packet, where it was looked at.
    pub packet: Option<Packet>,
    /// The other end is on this host, and its kernel would have recorded each reset that it sent.
    pub peer_on_host: bool,
}

impl Record {
    /// Whether the kernel told of a reset received though the packet behind it is none: data came after this end had
    /// closed ([source]). Only where the packet was looked at; else the reset that answers the data says so.
    ///
    /// [source]: https://github.com/torvalds/linux/blob/v6.12/net/ipv4/tcp_input.c#L6907-L6930
    #[must_use]
    pub fn was_not_on_wire(&self) -> bool {
        let is_reset = |packet: &Packet| packet.tcp_flags & RST != 0;
        self.event == Event::ResetReceived && self.packet.is_some_and(|packet| !is_reset(&packet))
    }

    /// Whether this end's kernel sent a reset because data came after the end had closed. Data that came together with the
    /// acknowledgement of the end's FIN is met without a word of a reset received ([source]): the state tells.
    ///
    /// [source]: https://github.com/torvalds/linux/blob/v6.12/net/ipv4/tcp_input.c#L6860-L6880
    #[must_use]
    pub const fn answers_data_after_close(&self) -> bool {
        match self.event {
            Event::ResetSent { data_after_close: true, .. } => true,
            Event::ResetSent { active: false, .. } => {
                self.snapshot.is_some() && matches!(self.state_before, Some(TcpState::FinWait1 | TcpState::FinWait2))
            }
            Event::ResetSent { .. }
            | Event::ResetReceived
            | Event::FinReceived
            | Event::ExitClose
            | Event::ListenerExit
            | Event::Retransmitted
            | Event::ClosedUnacked
            | Event::Failed { .. } => false,
        }
    }
}
