//! A TCP segment made by hand: what no program can make a kernel send.

use std::net::{Ipv4Addr, SocketAddrV4};

use anyhow::{Context, Result};
use rustix::net::{AddressFamily, SendFlags, SocketType, ipproto};

/// The flag of an acknowledgement.
pub const ACK: u8 = 0x10;

/// The flag of a reset.
pub const RST: u8 = 0x04;

/// Sends a segment without payload in the name of `from`.
pub fn send(from: SocketAddrV4, to: SocketAddrV4, flags: u8) -> Result<()> {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::RAW, Some(ipproto::TCP))
        .context("the lab itself: no raw socket")?;
    rustix::net::sendto(&socket, &segment(from, to, flags), SendFlags::empty(), &to)
        .context("the lab itself: cannot send a segment")?;
    Ok(())
}

fn segment(from: SocketAddrV4, to: SocketAddrV4, flags: u8) -> [u8; 20] {
    let mut bytes = [0; 20];
    bytes[0..2].copy_from_slice(&from.port().to_be_bytes());
    bytes[2..4].copy_from_slice(&to.port().to_be_bytes());
    bytes[4..8].copy_from_slice(&1_u32.to_be_bytes());
    bytes[8..12].copy_from_slice(&1_u32.to_be_bytes());
    // A header of five words, then the flags and a window.
    bytes[12..16].copy_from_slice(&[5 << 4, flags, 2, 0]);
    let sum = checksum(*from.ip(), *to.ip(), &bytes);
    bytes[16..18].copy_from_slice(&sum.to_be_bytes());
    bytes
}

/// The Internet checksum over the pseudo header and the segment (RFC 9293, section 3.1).
fn checksum(from: Ipv4Addr, to: Ipv4Addr, segment: &[u8; 20]) -> u16 {
    let pseudo = [0, 6, 0, 20];
    let bytes = [&from.octets()[..], &to.octets(), &pseudo, segment].concat();
    let sum: u32 = bytes.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    // Two carries at most: the sum of 16 words of 16 bits.
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    !u16::try_from(folded).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_with_its_checksum_sums_up_to_zero() {
        let [from, to] = [4000, 4001].map(|port| SocketAddrV4::new(Ipv4Addr::LOCALHOST, port));
        assert_eq!(checksum(*from.ip(), *to.ip(), &segment(from, to, ACK)), 0);
    }
}
