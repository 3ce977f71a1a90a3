//! Bytes from the kernel (or from a recording) to [`Record`]. Never panics; what cannot be read is refused with a
//! reason and counted by the caller.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use reset_observer_ebpf::record::{Hook, RECORD_VERSION, RawPacket, RawRecord, SocketKind, flag};
use zerocopy::FromBytes as _;

use crate::record::{
    Event, Exit, Fate, KernelTime, LastPayload, Message, Owner, Packet, ProcessEvent, Record, SequenceNumbers,
    Snapshot, SocketId, TcpState,
};

/// The ACK flag in byte 13 of a TCP header (RFC 9293, section 3.1).
const ACK: u8 = 0x10;

mod jiffies;
mod processes;

pub use jiffies::JiffyClock;
use processes::Processes;

/// By how much the count of jiffies may be behind when it is taken, in the usual case.
const LATE_JIFFIES: u32 = 2;

/// The same, on a busy or emulated machine. Below the 40 ms after which an acknowledgement is sent at the latest
/// ([`TCP_DELACK_MIN`]).
///
/// [`TCP_DELACK_MIN`]: https://github.com/torvalds/linux/blob/v6.12/include/net/tcp.h#L135
const LATE: Duration = Duration::from_millis(20);

/// Turns bytes into records. Holds what it has learned of the length of a jiffy.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    jiffies: JiffyClock,
    reasons: BTreeMap<u32, Arc<str>>,
    processes: Processes,
}

impl Decoder {
    /// A decoder that knows the reasons for resets by these names of `sk_rst_reason`, which differ between kernels.
    #[must_use]
    pub fn new(reasons: &[(String, u32)]) -> Self {
        let named = reasons.iter().map(|(name, value)| (*value, reason_name(name).into()));
        Self { reasons: named.collect(), ..Self::default() }
    }

    /// Reads one record.
    ///
    /// # Errors
    /// If the length, the version or a number in it is not one that this program knows.
    pub fn decode(&mut self, bytes: &[u8]) -> Result<Message> {
        let raw = RawRecord::read_from_bytes(bytes)
            .ok()
            .with_context(|| format!("a record of {} bytes, not {}", bytes.len(), size_of::<RawRecord>()))?;
        ensure!(raw.version == RECORD_VERSION, "a record of version {}, not {RECORD_VERSION}", raw.version);
        ensure!(raw.flags & !flag::ALL == 0, "a record with unknown flags {:#x}", raw.flags);
        self.jiffies.learn(raw.jiffies, KernelTime(raw.time_ns));
        let hook = Hook::from_u8(raw.hook).with_context(|| format!("a record of the unknown hook {}", raw.hook))?;
        match hook {
            Hook::ProcessExit => Ok(self.process_event(&raw, Fate::Ended(Exit::from_wait_code(raw.exit_code)))),
            Hook::OomVictim => Ok(self.process_event(&raw, Fate::OomVictim)),
            Hook::ReceiveReset
            | Hook::SendReset
            | Hook::FinReceived
            | Hook::ExitClose
            | Hook::Retransmit
            | Hook::CloseUnacked
            | Hook::SocketError
            | Hook::ListenerExit => self.record(&raw, hook).map(Message::Connection),
        }
    }

    fn process_event(&mut self, raw: &RawRecord, fate: Fate) -> Message {
        let process = self.processes.process(raw.current_tgid, &raw.current_comm);
        Message::Process(ProcessEvent { at: KernelTime(raw.time_ns), process, fate })
    }

    fn record(&mut self, raw: &RawRecord, hook: Hook) -> Result<Arc<Record>> {
        let kind = SocketKind::from_u8(raw.socket_kind)
            .with_context(|| format!("a record of the unknown kind of socket {}", raw.socket_kind))?;
        let state_before = state(raw.state_before)?;
        let local = SocketAddr::new(address(raw.family, raw.local_addr)?, raw.local_port);
        let remote = SocketAddr::new(address(raw.family, raw.remote_addr)?, raw.remote_port);
        let has = |bit| raw.flags & bit != 0;
        Ok(Arc::new(Record {
            at: KernelTime(raw.time_ns),
            event: event(hook, raw),
            // A listener outlives the connection: its address says nothing of this one.
            socket: (raw.socket != 0 && kind != SocketKind::Listener).then_some(SocketId(raw.socket)),
            netns: (raw.netns != 0).then_some(raw.netns),
            cgroup_id: (raw.cgroup_id != 0).then_some(raw.cgroup_id),
            local,
            remote,
            state_before,
            owner: has(flag::OWNER).then(|| Owner {
                process: self.processes.process(raw.owner_tgid, &raw.owner_comm),
                opened_at: KernelTime(raw.opened_ns),
            }),
            current: has(flag::CURRENT).then(|| self.processes.process(raw.current_tgid, &raw.current_comm)),
            exit: has(flag::EXITING).then(|| Exit::from_wait_code(raw.exit_code)),
            reset_reason: (hook == Hook::SendReset).then(|| self.reasons.get(&raw.reason).cloned()).flatten(),
            snapshot: has(flag::SNAPSHOT).then(|| self.snapshot(raw, hook, state_before)),
            packet: has(flag::PACKET).then(|| packet(&raw.packet)),
            peer_on_host: has(flag::PEER_ON_HOST),
        }))
    }

    fn snapshot(&self, raw: &RawRecord, hook: Hook, state: Option<TcpState>) -> Snapshot {
        let from = &raw.snapshot;
        let last_payload = self.last_payload(raw);
        let (sent, received) = (self.age(raw, from.last_send), self.age(raw, from.last_receive));
        let own_fin = u32::from(state.is_some_and(TcpState::fin_sent));
        // At the FIN's own event the FIN is counted as received already, and the state before it does not show it.
        let peer_fin = u64::from(hook == Hook::FinReceived || state.is_some_and(TcpState::fin_received));
        // A SYN counts in the sequence numbers too, and is no payload.
        let syn = u32::from(state == Some(TcpState::SynSent));
        let unacked = from.write_seq.wrapping_sub(from.snd_una).saturating_sub(own_fin + syn);
        let flight_never_acked = unacked > 0 && from.first_transmit_us == from.delivered_us;
        Snapshot {
            unacked,
            flight_never_acked,
            first_transmit_at: (from.first_transmit_us != 0).then(|| microseconds(from.first_transmit_us)),
            clock: microseconds(from.clock_us),
            last_payload,
            idle_before_request: self.idle_before_request(raw, flight_never_acked, received),
            idle_now: last_payload.and_then(|_| Some(sent?.min(received?))),
            // Both times are also set when the handshake ends.
            since_last_send: sent.filter(|_| from.bytes_sent > 0),
            since_last_receive: received.filter(|_| from.bytes_received > peer_fin),
            rtt_min: (from.rtt_min_us != u32::MAX && from.rtt_min_us != 0)
                .then(|| Duration::from_micros(from.rtt_min_us.into())),
            bytes_sent: from.bytes_sent,
            // The SYN counts one; our own FIN too, once it is acknowledged.
            bytes_acked: from.bytes_acked.saturating_sub(1).min(from.bytes_sent),
            bytes_received: from.bytes_received.saturating_sub(peer_fin),
            unread: from.rcv_nxt.wrapping_sub(from.copied_seq).saturating_sub(u32::from(peer_fin != 0)),
            retransmits: from.retransmits,
            total_retransmits: from.total_retransmits,
            error: from.error,
            sequence: SequenceNumbers { unacknowledged: from.snd_una, next: from.snd_nxt, received: from.rcv_nxt },
        }
    }

    /// From the last payload received to the request that is outstanding. `None` if the request is not known to be
    /// outstanding, for then the last payload may be its answer.
    ///
    /// `lsndtime - lrcvtime` says it as long as nothing was sent again, which moves the former. After that, the time of
    /// the first transmission still stands while nothing of the flight was acknowledged.
    fn idle_before_request(
        &self,
        raw: &RawRecord,
        flight_never_acked: bool,
        since_receive: Option<Duration>,
    ) -> Option<Duration> {
        let from = &raw.snapshot;
        let gap = from.last_send.wrapping_sub(from.last_receive).cast_signed();
        if gap <= 0 || from.bytes_sent == 0 {
            return None;
        }
        if from.retransmits == 0 && from.total_retransmits == 0 {
            return self.jiffies.duration(u64::from(gap.unsigned_abs()));
        }
        if !flight_never_acked {
            return None;
        }
        let received = KernelTime(raw.time_ns).before(since_receive?);
        Some(microseconds(from.first_transmit_us).since(received))
    }

    /// How long ago a time in jiffies was.
    fn age(&self, raw: &RawRecord, then: u32) -> Option<Duration> {
        #[expect(clippy::cast_possible_truncation, reason = "the kernel keeps the low 32 bits of jiffies")]
        let age = (raw.jiffies as u32).wrapping_sub(then).cast_signed().max(0).unsigned_abs();
        self.jiffies.duration(age.into())
    }

    /// Which way the last payload went. Both times are also set when the handshake ends, so bytes decide whether there
    /// was any payload at all.
    fn last_payload(&self, raw: &RawRecord) -> Option<LastPayload> {
        let from = &raw.snapshot;
        if from.bytes_sent == 0 && from.bytes_received == 0 {
            return None;
        }
        Some(match from.last_send.wrapping_sub(from.last_receive).cast_signed() {
            1.. => LastPayload::Sent,
            0 if self.request_followed(raw) => LastPayload::Sent,
            0 => LastPayload::Tie,
            _ => LastPayload::Received,
        })
    }

    /// Whether, of a payload received and a request sent in the same jiffy, the request came last. Each of these shows it:
    ///
    /// * The very segment of the event acknowledged data. An answer would have done so before.
    /// * Data was acknowledged later than the payload came.
    /// * A round trip takes longer than a jiffy, so that the payload cannot be the answer to that request.
    ///
    /// The count of jiffies may lag behind while processors sleep, for which the last two allow.
    fn request_followed(&self, raw: &RawRecord) -> bool {
        let from = &raw.snapshot;
        let Some(jiffy) = self.jiffies.duration(1) else { return false };
        let rtt_min = Duration::from_micros(from.rtt_min_us.into());
        let rtt_exceeds_jiffy = from.rtt_min_us != u32::MAX && rtt_min > jiffy * LATE_JIFFIES;
        #[expect(clippy::cast_possible_truncation, reason = "the kernel keeps the low 32 bits of jiffies")]
        let jiffies_since = (raw.jiffies as u32).wrapping_sub(from.last_receive).saturating_sub(1);
        let since = self.jiffies.duration(jiffies_since.into()).unwrap_or_default();
        let end_of_jiffy = KernelTime(raw.time_ns).before(since);
        let acked_later = microseconds(from.delivered_us) > end_of_jiffy.after(LATE);
        rtt_exceeds_jiffy || acked_later || from.delivered_us == from.clock_us
    }
}

fn event(hook: Hook, raw: &RawRecord) -> Event {
    match hook {
        Hook::ReceiveReset => Event::ResetReceived,
        Hook::SendReset => Event::ResetSent {
            active: raw.flags & flag::ACTIVE != 0,
            data_after_close: raw.flags & flag::DATA_AFTER_CLOSE != 0,
        },
        Hook::FinReceived => Event::FinReceived,
        Hook::ExitClose => Event::ExitClose,
        Hook::ListenerExit => Event::ListenerExit,
        Hook::Retransmit => Event::Retransmitted,
        Hook::CloseUnacked => Event::ClosedUnacked,
        Hook::SocketError | Hook::ProcessExit | Hook::OomVictim => Event::Failed { error: raw.snapshot.error },
    }
}

/// The name of a reason without the enum's own: `tcp_abort_on_close`.
#[must_use]
pub fn reason_name(kernel_name: &str) -> String {
    kernel_name.strip_prefix("SK_RST_REASON_").unwrap_or(kernel_name).to_ascii_lowercase()
}

fn packet(raw: &RawPacket) -> Packet {
    Packet {
        tcp_flags: raw.tcp_flags,
        ttl: raw.ttl,
        syn_ack_ttl: (raw.syn_ack_ttl != 0).then_some(raw.syn_ack_ttl),
        window: raw.window,
        seq: raw.seq,
        ack: (raw.tcp_flags & ACK != 0).then_some(raw.ack),
        timestamp: raw.timestamp != 0,
    }
}

fn state(number: u8) -> Result<Option<TcpState>> {
    match number {
        0 => Ok(None),
        number => Ok(Some(TcpState::from_u8(number).with_context(|| format!("the unknown TCP state {number}"))?)),
    }
}

fn address(family: u16, bytes: [u8; 16]) -> Result<IpAddr> {
    match family {
        2 => Ok(IpAddr::from([bytes[0], bytes[1], bytes[2], bytes[3]])),
        10 => Ok(Ipv6Addr::from(bytes).to_canonical()),
        family => bail!("a record of the unknown address family {family}"),
    }
}

fn microseconds(value: u64) -> KernelTime {
    KernelTime(value.saturating_mul(1_000))
}

#[cfg(test)]
mod tests;
