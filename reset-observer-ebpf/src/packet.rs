//! Where a received packet's headers are, and its tuple, for resets that answer one without a socket of its own: the
//! packet's destination is the local end.

use reset_observer_ebpf::{field::Field, record::RawRecord};

use crate::{
    read::{at, follow, read, read_or_zero},
    socket::fill_ipv4,
};

/// Where the headers start. The kernel has set both by the time that TCP handles a packet.
#[derive(Clone, Copy)]
pub(crate) struct Headers {
    /// Of the IP header.
    pub(crate) network: u64,
    /// Of the TCP header.
    pub(crate) transport: u64,
}

/// Finds the headers of `skb`; `None` if it is null or cannot be read.
#[inline(always)]
pub(crate) fn headers(skb: u64) -> Option<Headers> {
    if skb == 0 {
        return None;
    }
    let head = follow(skb, Field::SkbHead)?;
    let network: u16 = read(skb, Field::SkbNetworkHeader)?;
    let transport: u16 = read(skb, Field::SkbTransportHeader)?;
    Some(Headers { network: head + network as u64, transport: head + transport as u64 })
}

/// Local and remote port of a packet, and where its network header starts; all zero if there is none.
#[derive(Clone, Copy, Default)]
pub(crate) struct Packet {
    network_header: u64,
    /// Destination port.
    pub(crate) local_port: u16,
    /// Source port.
    pub(crate) remote_port: u16,
    device: u64,
}

impl Packet {
    /// Whether there is one.
    #[inline(always)]
    pub(crate) fn is_there(&self) -> bool {
        self.network_header != 0
    }
}

/// Reads the headers' places and the ports of `skb`, which may be null.
///
/// No `Option`: the verifier of older kernels refuses to copy the empty half of one.
#[inline(always)]
pub(crate) fn read_packet(skb: u64) -> Packet {
    try_read_packet(skb).unwrap_or_default()
}

#[inline(always)]
fn try_read_packet(skb: u64) -> Option<Packet> {
    let headers = headers(skb)?;
    // Source and destination port are the first two fields of a TCP header (RFC 9293, section 3.1).
    let ports: [u8; 4] = at(headers.transport)?;
    Some(Packet {
        network_header: headers.network,
        local_port: u16::from_be_bytes([ports[2], ports[3]]),
        remote_port: u16::from_be_bytes([ports[0], ports[1]]),
        device: follow(skb, Field::SkbDevice).unwrap_or_default(),
    })
}

/// Fills in the tuple. The layouts of the IP headers are those of RFC 791 and RFC 8200.
#[inline(always)]
pub(crate) fn fill(record: &mut RawRecord, packet: &Packet) {
    record.local_port = packet.local_port;
    record.remote_port = packet.remote_port;
    let version: u8 = at(packet.network_header).unwrap_or_default();
    match version >> 4 {
        4 => {
            record.family = 2;
            fill_ipv4(&mut record.remote_addr, at(packet.network_header + 12).unwrap_or_default());
            fill_ipv4(&mut record.local_addr, at(packet.network_header + 16).unwrap_or_default());
        }
        6 => {
            record.family = 10;
            record.remote_addr = at(packet.network_header + 8).unwrap_or_default();
            record.local_addr = at(packet.network_header + 24).unwrap_or_default();
        }
        _ => {}
    }
    if record.netns == 0
        && packet.device != 0
        && let Some(net) = follow(packet.device, Field::DeviceNet)
    {
        record.netns = read_or_zero(net, Field::NetInode);
    }
}
