//! The one record that the kernel side writes: fixed size, no padding, no `bool`, little or big endian as the host is.

use core::mem::{offset_of, size_of};

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Version of the layout; raised with every change of [`RawRecord`].
pub const RECORD_VERSION: u16 = 2;

/// Which hook wrote a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Hook {
    /// Tracepoint `tcp_receive_reset`.
    ReceiveReset = 1,
    /// Tracepoint `tcp_send_reset`.
    SendReset = 2,
    /// `inet_sock_set_state`, ESTABLISHED to CLOSE_WAIT: the peer's FIN.
    FinReceived = 3,
    /// `inet_sock_set_state` by an exiting process that closes its connection: the process died or ended.
    ExitClose = 4,
    /// `tcp_retransmit_skb`, the first time that a request is sent again which followed an idle time and of which nothing
    /// was acknowledged.
    Retransmit = 5,
    /// `inet_sock_set_state`: this end closes a connection while nothing of its last flight was acknowledged, or while a
    /// request has no response, or gives up its handshake.
    CloseUnacked = 6,
    /// `inet_sk_error_report`: a timeout, or an ICMP error; resets are left out.
    SocketError = 7,
    /// `sched_process_exit` of a whole process that had opened observed connections.
    ProcessExit = 8,
    /// `mark_victim`: the out-of-memory killer chose a process.
    OomVictim = 9,
    /// `inet_sock_set_state` by an exiting process that closes a listening socket.
    ListenerExit = 10,
}

impl Hook {
    /// The hook with this number, or `None` for a number that no hook has.
    #[must_use]
    pub const fn from_u8(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::ReceiveReset,
            2 => Self::SendReset,
            3 => Self::FinReceived,
            4 => Self::ExitClose,
            5 => Self::Retransmit,
            6 => Self::CloseUnacked,
            7 => Self::SocketError,
            8 => Self::ProcessExit,
            9 => Self::OomVictim,
            10 => Self::ListenerExit,
            _ => return None,
        })
    }
}

/// What kind of socket the kernel had at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SocketKind {
    /// None: the tuple comes from the packet.
    None = 0,
    /// A full TCP socket.
    Full = 1,
    /// A listening socket: the remote end comes from the packet.
    Listener = 2,
    /// A socket in TIME_WAIT, or FIN_WAIT2 without an owner: smaller than a full one, only the tuple is there.
    TimeWait = 3,
    /// A connection request that has no full socket yet.
    Request = 4,
}

impl SocketKind {
    /// The kind with this number, or `None` for a number that no kind has.
    #[must_use]
    pub const fn from_u8(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::None,
            1 => Self::Full,
            2 => Self::Listener,
            3 => Self::TimeWait,
            4 => Self::Request,
            _ => return None,
        })
    }
}

/// Bits of [`RawRecord::flags`].
pub mod flag {
    /// `owner_*` say which process opened the connection (remembered at CLOSE to SYN_SENT, in its own context).
    pub const OWNER: u32 = 1;
    /// `current_*` are the process that caused the event: the hook ran in its context, not in an interrupt.
    pub const CURRENT: u32 = 1 << 1;
    /// The process in `current_*` is exiting (`PF_EXITING`), and `exit_code` is its exit code.
    pub const EXITING: u32 = 1 << 2;
    /// [`super::RawSnapshot`] was filled in.
    pub const SNAPSHOT: u32 = 1 << 3;
    /// A reset that the socket's owner or a timer sent, not an answer to a packet.
    pub const ACTIVE: u32 = 1 << 4;
    /// The `tcp_receive_reset` just before on this socket had no RST on the wire: data came after close.
    pub const DATA_AFTER_CLOSE: u32 = 1 << 5;
    /// [`super::RawPacket`] was filled in from the packet itself.
    pub const PACKET: u32 = 1 << 6;
    /// The connection's other end is on this host and was accepted while the programs ran, and this kernel traces every
    /// reset that it sends: what was not recorded there was not sent there.
    pub const PEER_ON_HOST: u32 = 1 << 7;
    /// Every bit that has a meaning.
    pub const ALL: u32 = OWNER | CURRENT | EXITING | SNAPSHOT | ACTIVE | DATA_AFTER_CLOSE | PACKET | PEER_ON_HOST;
}

/// What the socket knew at the instant of the event. Units are the kernel's: microseconds of CLOCK_MONOTONIC, jiffies
/// in 32 bits that wrap, bytes, sequence numbers that wrap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RawSnapshot {
    /// `first_tx_mstamp`, microseconds: when the current flight was first sent; 0 if no data was ever sent.
    pub first_transmit_us: u64,
    /// `delivered_mstamp`, microseconds: equal to the former while nothing of the flight was acknowledged.
    pub delivered_us: u64,
    /// `tcp_mstamp`, microseconds: the socket's clock.
    pub clock_us: u64,
    /// `bytes_sent`: payload, retransmissions included.
    pub bytes_sent: u64,
    /// `bytes_acked`: SYN and FIN count one each.
    pub bytes_acked: u64,
    /// `bytes_received`: FIN counts one.
    pub bytes_received: u64,
    /// `lsndtime`, jiffies: last payload sent.
    pub last_send: u32,
    /// `icsk_ack.lrcvtime`, jiffies: last payload received.
    pub last_receive: u32,
    /// `snd_una`.
    pub snd_una: u32,
    /// `snd_nxt`, own FIN counted.
    pub snd_nxt: u32,
    /// `write_seq`, own FIN counted.
    pub write_seq: u32,
    /// `rcv_nxt`, the peer's FIN counted.
    pub rcv_nxt: u32,
    /// `copied_seq`.
    pub copied_seq: u32,
    /// `srtt_us`, in eighths of a microsecond.
    pub srtt_eighths_us: u32,
    /// `rtt_min.s[0].v`, microseconds; `u32::MAX` if there is no sample.
    pub rtt_min_us: u32,
    /// `total_retrans`, segments.
    pub total_retransmits: u32,
    /// `packets_out`, segments.
    pub packets_out: u32,
    /// `icsk_retransmits`: retransmissions of the current flight by timer.
    pub retransmits: u32,
    /// `sk_err`.
    pub error: i32,
    /// Zero.
    pub reserved: u32,
}

/// The reset packet itself, and the SYN-ACK's TTL to compare with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RawPacket {
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number; meaningless without the ACK flag.
    pub ack: u32,
    /// Window, not scaled.
    pub window: u16,
    /// TCP flags: byte 13 of the header (RFC 9293, section 3.1).
    pub tcp_flags: u8,
    /// TTL or hop limit on arrival.
    pub ttl: u8,
    /// 1 if the packet carries a timestamp option in the usual place, else 0.
    pub timestamp: u8,
    /// TTL or hop limit of the connection's SYN-ACK on arrival; 0 if it was not seen.
    pub syn_ack_ttl: u8,
    /// Zero.
    pub reserved: [u8; 2],
}

/// One event. Addresses are 16 bytes, an IPv4 one in the first four; ports are in host order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RawRecord {
    /// [`RECORD_VERSION`].
    pub version: u16,
    /// A [`Hook`].
    pub hook: u8,
    /// A [`SocketKind`].
    pub socket_kind: u8,
    /// TCP state before the event; 0 if unknown.
    pub state_before: u8,
    /// TCP state after it as far as the hook knows; 0 if unknown.
    pub state_after: u8,
    /// Address family: 2 for IPv4, 10 for IPv6, 0 if unknown.
    pub family: u16,
    /// Bits of [`flag`].
    pub flags: u32,
    /// `sk_rst_reason` of a reset sent; `u32::MAX` where the kernel gives none.
    pub reason: u32,
    /// `bpf_ktime_get_ns`, nanoseconds of CLOCK_MONOTONIC.
    pub time_ns: u64,
    /// `bpf_jiffies64`.
    pub jiffies: u64,
    /// Address of the kernel's socket; 0 if there is none.
    pub socket: u64,
    /// Socket cookie; 0 if nobody asked the kernel for one yet.
    pub cookie: u64,
    /// Id of the cgroup (v2) that the socket was created in; 0 if unknown.
    pub cgroup_id: u64,
    /// When the connection was opened, nanoseconds of CLOCK_MONOTONIC; 0 without [`flag::OWNER`].
    pub opened_ns: u64,
    /// Inode of the network namespace; 0 if unknown.
    pub netns: u32,
    /// Local port.
    pub local_port: u16,
    /// Remote port.
    pub remote_port: u16,
    /// Local address.
    pub local_addr: [u8; 16],
    /// Remote address.
    pub remote_addr: [u8; 16],
    /// Thread group that opened the connection.
    pub owner_tgid: u32,
    /// Thread group that caused the event.
    pub current_tgid: u32,
    /// Command name of the owner.
    pub owner_comm: [u8; 16],
    /// Command name of the process that caused the event.
    pub current_comm: [u8; 16],
    /// Exit code in the form of wait(2): the signal in the low 7 bits, else the status in bits 8 to 15.
    pub exit_code: i32,
    /// Zero.
    pub reserved: u32,
    /// The packet.
    pub packet: RawPacket,
    /// What the socket knew.
    pub snapshot: RawSnapshot,
}

const _: () = {
    assert!(size_of::<RawSnapshot>() == 104);
    assert!(size_of::<RawPacket>() == 16);
    assert!(size_of::<RawRecord>() == 272);
    assert!(offset_of!(RawRecord, time_ns) == 16);
    assert!(offset_of!(RawRecord, netns) == 64);
    assert!(offset_of!(RawRecord, local_addr) == 72);
    assert!(offset_of!(RawRecord, packet) == 152);
    assert!(offset_of!(RawRecord, snapshot) == 168);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_the_way_through_bytes() {
        let mut record = RawRecord { version: RECORD_VERSION, hook: Hook::FinReceived as u8, ..RawRecord::default() };
        record.time_ns = 0x0102_0304_0506_0708;
        record.snapshot.retransmits = 7;
        let bytes = record.as_bytes();
        assert_eq!(bytes.len(), 272);
        assert_eq!(bytes[2], 3, "the hook is the third byte");
        assert_eq!(RawRecord::read_from_bytes(bytes), Ok(record));
    }

    #[test]
    fn every_number_of_a_hook_and_of_a_socket_kind_reads_back() {
        for number in 0..=u8::MAX {
            assert!(Hook::from_u8(number).is_none_or(|hook| hook as u8 == number));
            assert!(SocketKind::from_u8(number).is_none_or(|kind| kind as u8 == number));
        }
    }
}
