//! The exact counters, summed over the CPUs.

use anyhow::{Context as _, Result};
use aya::maps::PerCpuArray;
use reset_observer_ebpf::{counter, symbol};

use super::programs::{Data, Programs};
use crate::counts::KernelCounts;

/// Reads the per-CPU counters.
pub struct Counters {
    map: PerCpuArray<Data, [u64; counter::SLOTS as usize]>,
}

impl Counters {
    /// Takes the counter map out of the loaded programs.
    ///
    /// # Errors
    /// If the map is missing.
    pub fn new(programs: &mut Programs) -> Result<Self> {
        let map = PerCpuArray::try_from(programs.take_map(symbol::COUNTERS)?).context("the counters are no array")?;
        Ok(Self { map })
    }

    /// Reads all counters, in one system call.
    ///
    /// # Errors
    /// If the kernel refuses to read the map.
    pub fn read(&self) -> Result<KernelCounts> {
        let per_cpu = self.map.get(&0, 0).context("cannot read the kernel's counters")?;
        let sum = |slot: u32| per_cpu.iter().map(|counters| counters[slot as usize]).sum::<u64>();
        Ok(KernelCounts {
            sent: (counter::SENT..counter::SENT + counter::REASON_SLOTS).map(sum).sum(),
            received: sum(counter::RECEIVED),
            received_not_on_wire: sum(counter::RECEIVED_NOT_ON_WIRE),
            submitted: sum(counter::SUBMITTED),
            ring_full: sum(counter::RING_FULL),
            socketless_not_detailed: sum(counter::SOCKETLESS_NOT_DETAILED),
            owner_not_remembered: sum(counter::OWNER_NOT_REMEMBERED),
            repeated_not_detailed: sum(counter::REPEATED_NOT_DETAILED),
            owners_remembered: sum(counter::OWNER_REMEMBERED),
            owners_forgotten: sum(counter::OWNER_FORGOTTEN),
        })
    }
}
