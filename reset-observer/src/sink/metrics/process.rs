//! What this process itself uses, gave up, and was told to do.

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};

use super::{
    ConfigFile, Metrics, catalogue,
    labels::{ByFile, ByMeasure},
    programs::raise_to_seconds,
    register,
};
use crate::{
    own_process::OwnProcess,
    sandbox::{Measure, Sandbox},
};

/// The `process_*` metrics of every exporter.
#[derive(Clone, Debug, Default)]
pub(super) struct ProcessMetrics {
    cpu_seconds: Counter<f64, AtomicU64>,
    resident: Gauge,
    virtual_memory: Gauge,
    open_fds: Gauge,
    max_fds: Gauge,
    threads: Gauge,
    started: Gauge<f64, AtomicU64>,
}

impl Metrics {
    /// Takes what this process uses. Less processor time than before is ignored.
    pub fn set_process(&mut self, process: &OwnProcess) {
        self.process.set(process);
    }

    /// Says what this process gave up.
    pub fn set_sandbox(&mut self, sandbox: &Sandbox) {
        for measure in Measure::ALL {
            self.sandbox.get_or_create(&ByMeasure::new(measure)).set(i64::from(sandbox.holds(measure)));
        }
    }

    /// Says whether a configuration file was taken over when it was last read.
    pub fn set_reload(&mut self, file: ConfigFile, successful: bool) {
        self.config_reload_successful.get_or_create(&ByFile::new(file)).set(i64::from(successful));
    }
}

impl ProcessMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        register(registry, &catalogue::PROCESS_CPU, self.cpu_seconds.clone());
        register(registry, &catalogue::PROCESS_RESIDENT, self.resident.clone());
        register(registry, &catalogue::PROCESS_VIRTUAL, self.virtual_memory.clone());
        register(registry, &catalogue::PROCESS_OPEN_FDS, self.open_fds.clone());
        register(registry, &catalogue::PROCESS_MAX_FDS, self.max_fds.clone());
        register(registry, &catalogue::PROCESS_THREADS, self.threads.clone());
        register(registry, &catalogue::PROCESS_START, self.started.clone());
    }

    pub(super) fn set(&self, process: &OwnProcess) {
        raise_to_seconds(&self.cpu_seconds, process.cpu);
        let count = |gauge: &Gauge, value: u64| _ = gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        count(&self.resident, process.resident_bytes);
        count(&self.virtual_memory, process.virtual_bytes);
        count(&self.open_fds, process.open_fds);
        count(&self.max_fds, process.max_fds);
        count(&self.threads, process.threads);
        self.started.set(process.started_unix_s);
    }
}
