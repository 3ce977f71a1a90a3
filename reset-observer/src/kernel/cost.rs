//! What the programs themselves cost, from the kernel's own statistics. It keeps them only while someone asks it to,
//! because each run of every eBPF program on the host then reads the clock twice ([source]).
//!
//! [source]: https://github.com/torvalds/linux/blob/v6.12/include/linux/filter.h#L676-L693

use std::{os::fd::OwnedFd, sync::Arc};

use anyhow::{Context as _, Result};
use aya::{
    programs::ProgramError,
    sys::{Stats, enable_stats},
};

use super::{missed::runs_missed, programs::Programs};
use crate::counts::ProgramRuns;

/// Reads how often each program ran, and for how long.
pub struct Cost {
    programs: Arc<Programs>,
    /// The kernel keeps statistics as long as this is open, or `sysctl kernel.bpf_stats_enabled` is 1.
    switch: Option<OwnedFd>,
}

impl Cost {
    /// Asks the kernel to keep statistics while this lives, if `keep`.
    ///
    /// # Errors
    /// If the kernel refuses: it is older than 5.8, or CAP_SYS_ADMIN is missing.
    pub fn new(programs: Arc<Programs>, keep: bool) -> Result<Self> {
        let switch = keep.then(|| enable_stats(Stats::RunTime)).transpose().context(
            "the kernel keeps no program statistics for this process: run with CAP_SYS_ADMIN, or leave out \
             --kernel.program-stats and set `sysctl kernel.bpf_stats_enabled=1`",
        )?;
        Ok(Self { programs, switch })
    }

    /// Runs of all programs that the kernel left out, see [`runs_missed`].
    #[must_use]
    pub fn runs_missed(&self) -> u64 {
        runs_missed(&self.programs)
    }

    /// The runs of each loaded program since it was loaded, as far as the kernel kept statistics. `None` if it never
    /// did: a zero would then be a claim.
    ///
    /// # Errors
    /// If the kernel does not tell of a program that is loaded.
    pub fn read(&self) -> Result<Option<Vec<ProgramRuns>>> {
        let mut all = Vec::new();
        for (name, program) in self.programs.all() {
            match program.info() {
                Ok(info) => {
                    all.push(ProgramRuns { program: name.into(), runs: info.run_count(), time: info.run_time() });
                }
                // An optional hook that was refused.
                Err(ProgramError::NotLoaded) => {}
                Err(error) => return Err(error).with_context(|| format!("the kernel does not tell of program {name}")),
            }
        }
        let kept = self.switch.is_some() || all.iter().any(|program| program.runs > 0);
        Ok(kept.then_some(all))
    }
}
