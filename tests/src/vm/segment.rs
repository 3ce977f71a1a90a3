//! A TCP segment with its IPv4 header: made by hand, what no program can make a kernel send, or read from the wire.

use std::net::{Ipv4Addr, SocketAddrV4};

use anyhow::{Context, Result};
use rustix::net::{AddressFamily, SendFlags, SocketType, ipproto};

/// Flags of byte 13 of a TCP header (RFC 9293, section 3.1).
pub const FIN: u8 = 0x01;
/// Opens a connection.
pub const SYN: u8 = 0x02;
/// A reset.
pub const RST: u8 = 0x04;
/// The acknowledgement number counts.
pub const ACK: u8 = 0x10;

/// NOP, NOP, timestamp of 10 bytes: how Linux lays out the option.
const TIMESTAMP_OPTION: [u8; 4] = [1, 1, 8, 10];

const IP_HEADER: usize = 20;
const TCP_HEADER: usize = 20;

/// One segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Its sender.
    pub from: SocketAddrV4,
    /// Its receiver.
    pub to: SocketAddrV4,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number, whether or not the flag says that it counts.
    pub ack: u32,
    /// Flags.
    pub flags: u8,
    /// Window, not scaled.
    pub window: u16,
    /// Time to live.
    pub ttl: u8,
    /// Identification of the IP packet. Sent as 0, the kernel chooses one.
    pub ip_id: u16,
    /// TCP options: a multiple of four bytes, at most 40.
    pub options: Vec<u8>,
    /// Payload.
    pub payload: Vec<u8>,
}

impl Segment {
    /// A segment without options or payload.
    pub fn new(from: SocketAddrV4, to: SocketAddrV4, flags: u8) -> Self {
        let (options, payload) = (Vec::new(), Vec::new());
        Self { from, to, seq: 1, ack: 1, flags, window: 512, ttl: 64, ip_id: 0, options, payload }
    }

    /// Reads a packet that starts with its IPv4 header; `None` if it is no TCP segment.
    pub fn parse(packet: &[u8]) -> Option<Self> {
        let ip_header = usize::from(packet.first()? & 0xf) * 4;
        let ip = packet.get(..ip_header)?;
        if ip_header < IP_HEADER || ip[0] >> 4 != 4 || ip[9] != 6 {
            return None;
        }
        let total = usize::from(u16::from_be_bytes([ip[2], ip[3]]));
        let tcp = packet.get(ip_header..total.min(packet.len()))?;
        let header = usize::from(tcp.get(12)? >> 4) * 4;
        let word = |at: usize| Some(u32::from_be_bytes(tcp.get(at..at + 4)?.try_into().ok()?));
        let half = |at: usize| Some(u16::from_be_bytes(tcp.get(at..at + 2)?.try_into().ok()?));
        let address = |at: usize| Ipv4Addr::new(ip[at], ip[at + 1], ip[at + 2], ip[at + 3]);
        Some(Self {
            from: SocketAddrV4::new(address(12), half(0)?),
            to: SocketAddrV4::new(address(16), half(2)?),
            seq: word(4)?,
            ack: word(8)?,
            flags: *tcp.get(13)?,
            window: half(14)?,
            ttl: ip[8],
            ip_id: u16::from_be_bytes([ip[4], ip[5]]),
            options: tcp.get(TCP_HEADER..header)?.to_vec(),
            payload: tcp.get(header..)?.to_vec(),
        })
    }

    /// Sends it from wherever this thread's network namespace is.
    pub fn send(&self) -> Result<()> {
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::RAW, Some(ipproto::RAW))
            .context("the lab itself: no raw socket")?;
        rustix::net::sendto(&socket, &self.packet(), SendFlags::empty(), &self.to)
            .context("the lab itself: cannot send a segment")?;
        Ok(())
    }

    /// The sequence number behind it.
    pub fn end(&self) -> u32 {
        let counted = [FIN, SYN].into_iter().filter(|flag| self.flags & flag != 0).count() + self.payload.len();
        self.seq.wrapping_add(u32::try_from(counted).unwrap_or_default())
    }

    /// The length of its TCP header in words of four bytes.
    pub fn header_words(&self) -> usize {
        (TCP_HEADER + self.options.len()) / 4
    }

    /// Whether it carries a timestamp where Linux puts it.
    pub fn has_timestamp(&self) -> bool {
        self.options.starts_with(&TIMESTAMP_OPTION)
    }

    /// The kernel fills in the length and the checksum of the IP header (raw(7)).
    fn packet(&self) -> Vec<u8> {
        let mut packet = vec![0; IP_HEADER];
        packet[0] = 0x45;
        packet[4..6].copy_from_slice(&self.ip_id.to_be_bytes());
        packet[8..10].copy_from_slice(&[self.ttl, 6]);
        packet[12..16].copy_from_slice(&self.from.ip().octets());
        packet[16..20].copy_from_slice(&self.to.ip().octets());
        packet.extend(self.tcp());
        packet
    }

    fn tcp(&self) -> Vec<u8> {
        let words = u8::try_from(self.header_words()).unwrap_or_default();
        let mut tcp = Vec::with_capacity(TCP_HEADER + self.options.len() + self.payload.len());
        tcp.extend(self.from.port().to_be_bytes());
        tcp.extend(self.to.port().to_be_bytes());
        tcp.extend(self.seq.to_be_bytes());
        tcp.extend(self.ack.to_be_bytes());
        tcp.extend([words << 4, self.flags]);
        tcp.extend(self.window.to_be_bytes());
        tcp.extend([0; 4]);
        tcp.extend(&self.options);
        tcp.extend(&self.payload);
        let sum = checksum(*self.from.ip(), *self.to.ip(), &tcp);
        tcp[16..18].copy_from_slice(&sum.to_be_bytes());
        tcp
    }
}

/// The Internet checksum over the pseudo header and the segment (RFC 9293, section 3.1).
fn checksum(from: Ipv4Addr, to: Ipv4Addr, tcp: &[u8]) -> u16 {
    let [high, low] = u16::try_from(tcp.len()).unwrap_or_default().to_be_bytes();
    let bytes = [&from.octets()[..], &to.octets(), &[0, 6, high, low], tcp].concat();
    let pair = |pair: &[u8]| u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or_default()]));
    let mut sum: u32 = bytes.chunks(2).map(pair).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment() -> Segment {
        let [from, to] = [4000, 4001].map(|port| SocketAddrV4::new(Ipv4Addr::LOCALHOST, port));
        let options = vec![1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2];
        Segment { options, payload: b"odd".to_vec(), ttl: 252, ip_id: 9, ..Segment::new(from, to, ACK | FIN) }
    }

    #[test]
    fn a_segment_with_its_checksum_sums_up_to_zero() {
        assert_eq!(checksum(*segment().from.ip(), *segment().to.ip(), &segment().tcp()), 0);
    }

    #[test]
    fn what_was_made_reads_back() {
        let mut packet = segment().packet();
        // As the kernel does.
        let total = u16::try_from(packet.len()).unwrap();
        packet[2..4].copy_from_slice(&total.to_be_bytes());
        assert_eq!(Segment::parse(&packet), Some(segment()));
        assert!(segment().has_timestamp());
        assert_eq!((segment().header_words(), segment().end()), (8, 5));
    }

    #[test]
    fn what_is_cut_short_is_no_segment() {
        let packet = segment().packet();
        assert!((0..packet.len()).all(|length| Segment::parse(&packet[..length]).is_none()));
    }
}
