//! The exact counters, summed over the CPUs.

use anyhow::{Context as _, Result};
use aya::maps::PerCpuArray;
use reset_observer_ebpf::{counter, symbol};

use super::programs::{Data, Programs};
use crate::counts::KernelCounts;

/// Reads the per-CPU counters.
pub struct Counters {
    map: PerCpuArray<Data, u64>,
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

    /// Reads all counters.
    ///
    /// # Errors
    /// If the kernel refuses to read the map.
    pub fn read(&self) -> Result<KernelCounts> {
        // Not on the wire is read before received: it follows it, and so can never exceed it.
        let received_not_on_wire = self.sum(counter::RECEIVED_NOT_ON_WIRE)?;
        let mut sent = 0;
        for slot in counter::SENT..counter::SENT + counter::REASON_SLOTS {
            sent += self.sum(slot)?;
        }
        Ok(KernelCounts {
            sent,
            received: self.sum(counter::RECEIVED)?,
            received_not_on_wire,
            submitted: self.sum(counter::SUBMITTED)?,
            ring_full: self.sum(counter::RING_FULL)?,
            socketless_not_detailed: self.sum(counter::SOCKETLESS_NOT_DETAILED)?,
            owner_not_remembered: self.sum(counter::OWNER_NOT_REMEMBERED)?,
        })
    }

    fn sum(&self, slot: u32) -> Result<u64> {
        let values = self.map.get(&slot, 0).context("cannot read the kernel's counters")?;
        Ok(values.iter().sum())
    }
}
