//! A short name for one verdict, by which a metric's exemplar, a line of JSON and the page mean the same one.

use std::{fmt, net::SocketAddr, str};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::record::KernelTime;

/// Hexadecimal digits of an id. Among 10,000 verdicts, two share one with a probability of 2 in 10 million.
const DIGITS: usize = 12;

const BITS: u64 = (1 << (4 * DIGITS)) - 1;

/// Names one verdict: the same in a replay, another after a restart of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VerdictId(u64);

impl VerdictId {
    /// Of the verdict about what happened at this time to the connection between these ends of a network namespace.
    #[must_use]
    pub fn of(at: KernelTime, netns: Option<u32>, local: SocketAddr, remote: SocketAddr) -> Self {
        let mut hash = Fnv::default();
        hash.take(&at.0.to_be_bytes());
        hash.take(&netns.unwrap_or_default().to_be_bytes());
        for end in [local, remote] {
            match end.ip() {
                std::net::IpAddr::V4(address) => hash.take(&address.octets()),
                std::net::IpAddr::V6(address) => hash.take(&address.octets()),
            }
            hash.take(&end.port().to_be_bytes());
        }
        Self(hash.finish() & BITS)
    }

    /// Its hexadecimal digits.
    pub(crate) fn digits(self) -> [u8; DIGITS] {
        let mut rest = self.0;
        let mut digits = [0; DIGITS];
        for digit in digits.iter_mut().rev() {
            *digit = b"0123456789abcdef"[usize::from(rest.to_le_bytes()[0] & 0xf)];
            rest >>= 4;
        }
        digits
    }
}

impl fmt::Display for VerdictId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(str::from_utf8(&self.digits()).unwrap_or_default())
    }
}

impl Serialize for VerdictId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for VerdictId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let number = (text.len() == DIGITS).then(|| u64::from_str_radix(&text, 16).ok()).flatten();
        number.map(Self).ok_or_else(|| de::Error::custom("an id has 12 hexadecimal digits"))
    }
}

/// FNV-1a with the last mixing of `MurmurHash3`: the standard library's hashes may change with its version, and an id
/// must not.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn finish(self) -> u64 {
        let mut mixed = self.0;
        for factor in [0xff51_afd7_ed55_8ccd, 0xc4ce_b9fe_1a85_ec53] {
            mixed = (mixed ^ (mixed >> 33)).wrapping_mul(factor);
        }
        mixed ^ (mixed >> 33)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn id(at: u64, port: u16) -> VerdictId {
        let local = SocketAddr::from(([10, 99, 1, 1], port));
        VerdictId::of(KernelTime(at), Some(4_026_531_992), local, SocketAddr::from(([10, 99, 2, 1], 3000)))
    }

    #[test]
    fn an_id_stays_what_it_is_from_one_version_to_the_next() {
        assert_eq!(id(3_432_611_000, 50452).to_string(), "dd85010ffea0");
    }

    #[test]
    fn neighbours_in_time_and_port_have_ids_of_their_own() {
        let ids: BTreeSet<VerdictId> = (0..100).flat_map(|at| (0..100).map(move |port| id(at, port))).collect();
        assert_eq!(ids.len(), 10_000);
        assert!(ids.iter().all(|id| id.to_string().len() == DIGITS));
    }

    #[test]
    fn an_id_survives_json_and_nothing_else_is_taken_for_one() {
        let text = serde_json::to_string(&id(7, 7)).unwrap();
        assert_eq!(serde_json::from_str::<VerdictId>(&text).unwrap(), id(7, 7));
        for other in ["\"\"", "\"123\"", "\"00000000000g\"", "7"] {
            assert!(serde_json::from_str::<VerdictId>(other).is_err(), "{other}");
        }
    }
}
