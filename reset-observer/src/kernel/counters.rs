//! The exact counters, summed over the CPUs.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

use anyhow::{Context as _, Result};
use aya::maps::{PerCpuArray, PerCpuValues};
use reset_observer_ebpf::{counter, symbol};

use super::programs::{Data, Programs};
use crate::{counts::KernelCounts, decode::reason_name};

/// Reads the per-CPU counters.
pub struct Counters {
    map: PerCpuArray<Data, [u64; counter::SLOTS as usize]>,
    evicted: Evicted,
    reasons: BTreeMap<u32, String>,
}

impl Counters {
    /// Takes the counter map out of the loaded programs, which remember the openers of `max_owners` connections. `reasons`
    /// are this kernel's names and numbers of `sk_rst_reason`, none before Linux 6.10.
    ///
    /// # Errors
    /// If the map is missing.
    pub fn new(programs: &mut Programs, max_owners: u32, reasons: &[(String, u32)]) -> Result<Self> {
        let map = PerCpuArray::try_from(programs.take_map(symbol::COUNTERS)?).context("the counters are no array")?;
        Ok(Self {
            map,
            evicted: Evicted { room: max_owners.into(), total: AtomicU64::new(0) },
            reasons: reasons.iter().map(|(name, value)| (*value, reason_name(name))).collect(),
        })
    }

    /// How many resets this host sent for each reason, by the kernel's own names in lower case; those for a reason without
    /// a name are under `other`. Empty on a kernel that gives no reasons.
    ///
    /// # Errors
    /// If the kernel refuses to read the map.
    pub fn sent_by_reason(&self) -> Result<BTreeMap<&str, u64>> {
        let mut sent: BTreeMap<&str, u64> = self.reasons.values().map(|name| (name.as_str(), 0)).collect();
        if sent.is_empty() {
            return Ok(sent);
        }
        let per_cpu = self.read_slots()?;
        for reason in 0..counter::REASON_SLOTS {
            let name = self.reasons.get(&reason).map_or("other", String::as_str);
            *sent.entry(name).or_default() += total(&per_cpu, counter::sent(reason));
        }
        Ok(sent)
    }

    fn read_slots(&self) -> Result<PerCpuValues<[u64; counter::SLOTS as usize]>> {
        self.map.get(&0, 0).context("cannot read the kernel's counters")
    }

    /// Reads all counters, in one system call.
    ///
    /// # Errors
    /// If the kernel refuses to read the map.
    pub fn read(&self) -> Result<KernelCounts> {
        let per_cpu = self.read_slots()?;
        let sum = |slot: u32| total(&per_cpu, slot);
        let (remembered, forgotten) = (sum(counter::OWNER_REMEMBERED), sum(counter::OWNER_FORGOTTEN));
        Ok(KernelCounts {
            sent: (counter::SENT..counter::SENT + counter::REASON_SLOTS).map(sum).sum(),
            received: sum(counter::RECEIVED),
            received_not_on_wire: sum(counter::RECEIVED_NOT_ON_WIRE),
            submitted: sum(counter::SUBMITTED),
            ring_full: sum(counter::RING_FULL),
            socketless_not_detailed: sum(counter::SOCKETLESS_NOT_DETAILED),
            owner_not_remembered: sum(counter::OWNER_NOT_REMEMBERED),
            repeated_not_detailed: sum(counter::REPEATED_NOT_DETAILED),
            owners_remembered: remembered,
            owners_forgotten: forgotten,
            ordinary_fins_not_detailed: sum(counter::ORDINARY_FIN_NOT_DETAILED),
            runs_missed: 0,
            owners_evicted: self.evicted.total(remembered.saturating_sub(forgotten)),
        })
    }
}

fn total(per_cpu: &PerCpuValues<[u64; counter::SLOTS as usize]>, slot: u32) -> u64 {
    per_cpu.iter().map(|counters| counters[slot as usize]).sum()
}

/// How many openers were evicted, which the kernel does not count.
///
/// An evicted one can't be forgotten any more. So of those that were remembered and not forgotten, all that the map has no
/// room for were evicted, and the largest such number so far is their total.
#[derive(Debug)]
struct Evicted {
    room: u64,
    total: AtomicU64,
}

impl Evicted {
    /// The total so far, after `unforgotten` were seen.
    fn total(&self, unforgotten: u64) -> u64 {
        let evicted = unforgotten.saturating_sub(self.room);
        self.total.fetch_max(evicted, Ordering::Relaxed).max(evicted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openers_that_the_map_has_no_room_for_were_evicted_and_stay_counted() {
        let room = 1000;
        let evicted = Evicted { room, total: AtomicU64::new(0) };
        assert_eq!(evicted.total(room), 0);
        assert_eq!(evicted.total(room + 7), 7);
        assert_eq!(evicted.total(7), 7, "all others were forgotten");
        assert_eq!(evicted.total(room + 9), 9, "two more found no room");
    }
}
