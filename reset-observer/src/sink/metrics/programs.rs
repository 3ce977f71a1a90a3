//! The kernel programs and what the kernel offers them.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use prometheus_client::metrics::counter::Counter;

use super::{ByFeature, ByProgram, Metrics, raise};
use crate::counts::ProgramRuns;

impl Metrics {
    /// Takes what a kernel program cost since it was loaded.
    pub fn set_program_runs(&mut self, cost: &ProgramRuns) {
        let label = ByProgram::new(&cost.program);
        raise(&self.program_runs.get_or_create(&label), cost.runs);
        raise_to_seconds(&self.program_run_seconds.get_or_create(&label), cost.time);
    }

    /// A kernel program is attached.
    pub fn set_attached(&mut self, program: &str) {
        self.program_attached.get_or_create(&ByProgram::new(program)).set(1);
    }

    /// Says whether the kernel has an optional feature.
    pub fn set_feature(&mut self, feature: &str, present: bool) {
        self.kernel_feature.get_or_create(&ByFeature::new(feature)).set(i64::from(present));
    }
}

/// Raises a counter of seconds, as [`raise`] does one of events: floating-point numbers from 0 on are ordered as their bits are.
pub(super) fn raise_to_seconds(counter: &Counter<f64, AtomicU64>, total: Duration) {
    counter.inner().fetch_max(total.as_secs_f64().to_bits(), Ordering::Relaxed);
}
