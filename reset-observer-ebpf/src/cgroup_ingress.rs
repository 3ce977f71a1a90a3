//! The opt-in substitute where fentry is refused: looks at every packet that arrives at a socket, and no further than
//! its TCP flags unless SYN or RST is set.

use aya_ebpf::programs::SkBuffContext;

use crate::{
    global::is_observed,
    rst_packet::{self, RST},
    socket::fill_ipv4,
    tuple::Tuple,
};

const IPPROTO_TCP: u8 = 6;
const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

/// The packet starts with its IP header here.
#[inline(always)]
pub(crate) fn handle(ctx: &SkBuffContext) {
    _ = look(ctx);
}

#[inline(always)]
fn look(ctx: &SkBuffContext) -> Option<()> {
    let first: u8 = ctx.load(0).ok()?;
    let mut tuple = Tuple { remote: [0; 16], local_port: 0, remote_port: 0 };
    let (tcp, ttl) = if first >> 4 == 4 {
        let ip: [u8; 16] = ctx.load(0).ok()?;
        if ip[9] != IPPROTO_TCP {
            return None;
        }
        fill_ipv4(&mut tuple.remote, [ip[12], ip[13], ip[14], ip[15]]);
        (((first & 0xf) as usize) * 4, ip[8])
    } else {
        // Extension headers before TCP are not followed: neither SYN-ACKs nor resets have any in practice.
        let ip: [u8; 24] = ctx.load(0).ok()?;
        if ip[6] != IPPROTO_TCP {
            return None;
        }
        tuple.remote = ctx.load(8).ok()?;
        (40, ip[7])
    };
    let flags: u8 = ctx.load(tcp + 13).ok()?;
    let is_reset = flags & RST != 0;
    if !is_reset && flags & (SYN | ACK) != SYN | ACK {
        return None;
    }
    let ports: [u8; 4] = ctx.load(tcp).ok()?;
    tuple.remote_port = u16::from_be_bytes([ports[0], ports[1]]);
    tuple.local_port = u16::from_be_bytes([ports[2], ports[3]]);
    if !is_observed(tuple.local_port, tuple.remote_port) {
        return None;
    }
    let mut header = [0_u8; 24];
    let plain: [u8; 20] = ctx.load(tcp).ok()?;
    header[..20].copy_from_slice(&plain);
    if plain[12] >> 4 > 5 {
        let option: [u8; 4] = ctx.load(tcp + 20).ok()?;
        header[20..].copy_from_slice(&option);
    }
    rst_packet::note_on_wire(&tuple, rst_packet::parse(&header, ttl), is_reset);
    Some(())
}
