//! Metrics for Prometheus.

use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::{
    encoding::text,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::{ConstGauge, Gauge},
        histogram::Histogram,
        info::Info,
    },
    registry::Registry,
};

use crate::{
    counts::ProgramRuns,
    resets::{Direction, ResetTotals},
    sandbox::{Measure, Sandbox},
    sink::{
        losses::Stage,
        servers::{MAX_SERVERS, SeenServers, ServerKey},
    },
    verdict::{Cause, Leg, UpstreamLabel, Verdict},
};

mod labels;
mod upstreams;

pub use labels::{BuildInfo, Side};
use labels::{
    ByCause, ByFeature, ByMeasure, ByProgram, ByReason, ByReset, ByServer, ByServerSide, ByStage, ByVerdict, ByWorker,
};

/// Content type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Prefix of every name.
const PREFIX: &str = "reset_observer";

/// Upper bounds of the buckets for idle times in seconds. Beside round numbers they are the idle timeouts in use:
/// Node 5, Apache 5, nginx 60 and 75, Azure 240, AWS NLB 350, Google Cloud 600.
const IDLE_BUCKETS: [f64; 16] =
    [0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 75.0, 120.0, 240.0, 350.0, 600.0, 900.0, 1200.0];

type IdleHistograms = Family<ByCause, Histogram, fn() -> Histogram>;

/// All metrics of the observer. Series of fixed label sets exist from the start, at zero.
pub struct Metrics {
    registry: Registry,
    seen: SeenServers,
    resets: Family<ByReset, Counter>,
    sent_by_reason: Family<ByReason, Counter>,
    verdicts: Family<ByVerdict, Counter>,
    worker_verdicts: Family<ByWorker, Counter>,
    idle_before_request: IdleHistograms,
    upstream_idle_timeout: Family<ByServerSide, Gauge<f64, AtomicU64>>,
    keepalive_mismatch: Family<ByServer, Gauge>,
    upstream_servers: Gauge,
    servers_forgotten: Counter,
    records_lost: Family<ByStage, Counter>,
    program_run_seconds: Family<ByProgram, Counter<f64, AtomicU64>>,
    program_runs: Family<ByProgram, Counter>,
    kernel_feature: Family<ByFeature, Gauge>,
    sandbox: Family<ByMeasure, Gauge>,
}

impl Metrics {
    /// Metrics at zero.
    #[must_use]
    pub fn new(build: BuildInfo) -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix(PREFIX),
            seen: SeenServers::default(),
            resets: Family::default(),
            sent_by_reason: Family::default(),
            verdicts: Family::default(),
            worker_verdicts: Family::default(),
            idle_before_request: Family::new_with_constructor(|| Histogram::new(IDLE_BUCKETS)),
            upstream_idle_timeout: Family::default(),
            keepalive_mismatch: Family::default(),
            upstream_servers: Gauge::default(),
            servers_forgotten: Counter::default(),
            records_lost: Family::default(),
            program_run_seconds: Family::default(),
            program_runs: Family::default(),
            kernel_feature: Family::default(),
            sandbox: Family::default(),
        };
        metrics.register_connections();
        metrics.register_observer(build);
        metrics.start_at_zero();
        metrics
    }

    /// Names and helps of what happens to connections; the labels are in [`labels`]. The library adds `_total`,
    /// `_info` and the full stop.
    fn register_connections(&mut self) {
        let Self { registry, .. } = self;
        registry.register(
            "resets",
            "TCP resets on this host, counted exactly by the kernel; leg other holds those without details",
            self.resets.clone(),
        );
        registry.register(
            "resets_sent_by_reason",
            "TCP resets that this host sent, counted exactly by the kernel, by its own reason; none before Linux 6.10",
            self.sent_by_reason.clone(),
        );
        registry.register("verdicts", "Connections that ended, by what ended them", self.verdicts.clone());
        registry.register(
            "worker_verdicts",
            "Connections of an nginx worker that ended, by its position among the workers of its master",
            self.worker_verdicts.clone(),
        );
        registry.register(
            "idle_before_request_seconds",
            "How long a connection had been idle before the request that hit its end",
            self.idle_before_request.clone(),
        );
        registry.register(
            "upstream_idle_timeout_seconds",
            "How long an idle connection is kept, as learned on the backend's side, as configured on nginx's",
            self.upstream_idle_timeout.clone(),
        );
        registry.register(
            "keepalive_mismatch",
            "Whether nginx keeps idle connections to a server for longer than the server does, 1 or 0",
            self.keepalive_mismatch.clone(),
        );
    }

    /// Names and helps of what the program says about itself.
    fn register_observer(&mut self, build: BuildInfo) {
        let Self { registry, .. } = self;
        registry.register(
            "upstream_servers",
            "Upstream servers that have series of their own",
            self.upstream_servers.clone(),
        );
        registry.register(
            "upstream_servers_max",
            "Upstream servers that can have series of their own; the rest is counted as other",
            ConstGauge::new(i64::try_from(MAX_SERVERS).unwrap_or(i64::MAX)),
        );
        registry.register(
            "servers_forgotten",
            "Servers forgotten for want of room though something had been learned of them",
            self.servers_forgotten.clone(),
        );
        registry.register(
            "records_lost",
            "Records that were lost on the way from the kernel, or left out because they repeat what is known",
            self.records_lost.clone(),
        );
        registry.register(
            "program_run_seconds",
            "How long the kernel programs ran, while the kernel keeps statistics (--kernel.program-stats)",
            self.program_run_seconds.clone(),
        );
        registry.register(
            "program_runs",
            "How often the kernel programs ran, while the kernel keeps statistics (--kernel.program-stats)",
            self.program_runs.clone(),
        );
        registry.register(
            "kernel_feature",
            "Whether the running kernel offers an optional feature, 1 or 0",
            self.kernel_feature.clone(),
        );
        registry.register(
            "sandbox",
            "Whether a right that is not needed any more was given up, 1 or 0",
            self.sandbox.clone(),
        );
        registry.register("build", "Version of the program", Info::new(build));
    }

    fn start_at_zero(&self) {
        for direction in Direction::ALL {
            for leg in Leg::ALL {
                drop(self.resets.get_or_create(&ByReset::new(direction, *leg)));
            }
        }
        for cause in Cause::ALL {
            drop(self.idle_before_request.get_or_create(&ByCause::new(*cause)));
        }
        for stage in Stage::ALL {
            drop(self.records_lost.get_or_create(&ByStage::new(stage)));
        }
    }

    /// Creates the series of this many workers at zero, so that the first verdict of each shows as an increase.
    pub fn expect_workers(&mut self, count: usize) {
        for worker in 0..u32::try_from(count).unwrap_or(u32::MAX) {
            for cause in Cause::ALL {
                drop(self.worker_verdicts.get_or_create(&ByWorker::new(Some(worker), *cause)));
            }
        }
    }

    /// Counts a verdict.
    pub fn observe_verdict(&mut self, verdict: &Verdict) {
        let server = verdict.upstream.as_ref().map(|upstream| self.admit(upstream)).unwrap_or_default();
        self.verdicts.get_or_create(&ByVerdict::new(verdict, server)).inc();
        if verdict.leg == Leg::Upstream {
            let worker = verdict.process.as_ref().and_then(|process| process.ordinal);
            self.worker_verdicts.get_or_create(&ByWorker::new(worker, verdict.cause)).inc();
        }
        if let Some(idle_ms) = verdict.timing.idle_before_request_ms {
            self.idle_before_request.get_or_create(&ByCause::new(verdict.cause)).observe(idle_ms / 1e3);
        }
    }

    /// Takes the exact counts of resets.
    pub fn set_resets(&mut self, totals: &ResetTotals) {
        for direction in Direction::ALL {
            for &leg in Leg::ALL {
                let counter = self.resets.get_or_create(&ByReset::new(direction, leg));
                raise(&counter, totals.get(direction, leg));
            }
        }
    }

    /// Takes how many resets were sent for a reason since the start. A smaller number than before is ignored.
    pub fn set_sent_by_reason(&mut self, reason: &str, total: u64) {
        raise(&self.sent_by_reason.get_or_create(&ByReason::new(reason)), total);
    }

    /// Takes how many servers were forgotten since the start. A smaller number than before is ignored.
    pub fn set_servers_forgotten(&mut self, total: u64) {
        raise(&self.servers_forgotten, total);
    }

    /// Takes how many records were lost at a stage since the start. A smaller number than before is ignored.
    pub fn set_lost(&mut self, stage: Stage, total: u64) {
        raise(&self.records_lost.get_or_create(&ByStage::new(stage)), total);
    }

    /// Takes what a kernel program cost since it was loaded.
    pub fn set_program_runs(&mut self, cost: &ProgramRuns) {
        let label = ByProgram::new(&cost.program);
        raise(&self.program_runs.get_or_create(&label), cost.runs);
        let seconds = self.program_run_seconds.get_or_create(&label);
        // Floating-point numbers from 0 on are ordered as their bits are.
        seconds.inner().fetch_max(cost.time.as_secs_f64().to_bits(), Ordering::Relaxed);
    }

    /// Says whether the kernel has an optional feature.
    pub fn set_feature(&mut self, feature: &str, present: bool) {
        self.kernel_feature.get_or_create(&ByFeature::new(feature)).set(i64::from(present));
    }

    /// Says what this process gave up.
    pub fn set_sandbox(&mut self, sandbox: &Sandbox) {
        for measure in Measure::ALL {
            self.sandbox.get_or_create(&ByMeasure::new(measure)).set(i64::from(sandbox.holds(measure)));
        }
    }

    /// All metrics in the OpenMetrics text format, see [`CONTENT_TYPE`].
    #[must_use]
    pub fn encode(&self) -> String {
        let mut out = String::new();
        // Writing to a string fails only if a metric refuses to encode itself, which none of these does.
        if let Err(error) = text::encode(&mut out, &self.registry) {
            log::error!("cannot encode metrics, please report this: {error}");
        }
        out
    }

    fn admit(&mut self, upstream: &UpstreamLabel) -> ServerKey {
        let key = self.seen.admit(upstream);
        self.upstream_servers.set(i64::try_from(self.seen.len()).unwrap_or(i64::MAX));
        key
    }
}

/// Raises a counter to a total that is counted elsewhere; never lowers it, which would look like a restart.
fn raise(counter: &Counter, total: u64) {
    counter.inner().fetch_max(total, Ordering::Relaxed);
}

#[cfg(test)]
mod tests;
