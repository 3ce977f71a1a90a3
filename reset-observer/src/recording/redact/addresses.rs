//! Substitutes for addresses, out of ranges that belong to nobody.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

/// For measurements of network devices, 131,072 addresses: 198.18.0.0/15 (RFC 2544, appendix C.2.2).
const V4: u32 = 0xc612_0000;

/// For documentation: 2001:db8::/32 (RFC 3849).
const V6: u128 = 0x2001_0db8 << 96;

/// So many addresses of each family are told apart; those that come later share one.
const MAX_ADDRESSES: u32 = 0x0001_fffe;

/// So many sockets are told apart at a time. One that comes again after more than these is another, which says no more
/// than that no two of its records lie close together.
const MAX_SOCKETS: usize = 1 << 16;

/// The kernel's numbers of the address families.
const FAMILY_V4: u16 = 2;
const FAMILY_V6: u16 = 10;

#[derive(Debug, Default)]
pub(super) struct Addresses {
    v4: HashMap<Ipv4Addr, u32>,
    v6: HashMap<Ipv6Addr, u32>,
    sockets: HashMap<u64, u64>,
    next_socket: u64,
}

impl Addresses {
    /// What stands for an address. The host's own (loopback) and none (unspecified) stand for themselves.
    pub(super) fn of(&mut self, address: IpAddr) -> IpAddr {
        match address {
            _ if address.is_loopback() || address.is_unspecified() => address,
            IpAddr::V4(address) => self.of_v4(address).into(),
            IpAddr::V6(address) => match address.to_ipv4_mapped() {
                Some(inner) => IpAddr::V6(match self.of(inner.into()) {
                    IpAddr::V4(inner) => inner.to_ipv6_mapped(),
                    IpAddr::V6(address) => address,
                }),
                None => Ipv6Addr::from(V6 + u128::from(number(&mut self.v6, address))).into(),
            },
        }
    }

    fn of_v4(&mut self, address: Ipv4Addr) -> Ipv4Addr {
        Ipv4Addr::from(V4 + number(&mut self.v4, address))
    }

    /// The same with a port, which stays.
    pub(super) fn of_socket(&mut self, address: SocketAddr) -> SocketAddr {
        SocketAddr::new(self.of(address.ip()), address.port())
    }

    /// Replaces an address as records hold it. One of another family cannot be read anyway, and is cleared.
    pub(super) fn replace_raw(&mut self, family: u16, bytes: &mut [u8; 16]) {
        match family {
            FAMILY_V4 => {
                let address = IpAddr::from([bytes[0], bytes[1], bytes[2], bytes[3]]);
                *bytes = [0; 16];
                if let IpAddr::V4(address) = self.of(address) {
                    bytes[..4].copy_from_slice(&address.octets());
                }
            }
            FAMILY_V6 => {
                if let IpAddr::V6(address) = self.of(IpAddr::V6(Ipv6Addr::from(*bytes))) {
                    *bytes = address.octets();
                }
            }
            _ => *bytes = [0; 16],
        }
    }

    /// What stands for the address of a socket in the kernel's memory.
    pub(super) fn socket(&mut self, address: u64) -> u64 {
        if address == 0 {
            return 0;
        }
        if self.sockets.len() >= MAX_SOCKETS && !self.sockets.contains_key(&address) {
            self.sockets.clear();
        }
        let next = &mut self.next_socket;
        *self.sockets.entry(address).or_insert_with(|| {
            *next += 1;
            *next
        })
    }
}

/// The number of an address, from 1.
fn number<T: std::hash::Hash + Eq>(known: &mut HashMap<T, u32>, address: T) -> u32 {
    let next = u32::try_from(known.len()).unwrap_or(u32::MAX).saturating_add(1);
    match known.get(&address) {
        Some(number) => *number,
        None if next > MAX_ADDRESSES => MAX_ADDRESSES,
        None => {
            known.insert(address, next);
            next
        }
    }
}
