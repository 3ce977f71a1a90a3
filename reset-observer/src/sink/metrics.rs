//! Metrics for Prometheus.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::SystemTime,
};

use prometheus_client::{
    encoding::text,
    metrics::{
        counter::Counter,
        exemplar::{CounterWithExemplar, HistogramWithExemplars},
        family::Family,
        gauge::{ConstGauge, Gauge},
    },
    registry::{Metric, Registry},
};

use crate::{
    episode::Episode,
    resets::{Direction, ResetTotals},
    sink::{
        clock::WallClock,
        losses::Stage,
        servers::{MAX_SERVERS, SeenServers, ServerKey},
    },
    verdict::{Cause, Impact, Leg, UpstreamLabel, Verdict},
};

pub mod catalogue;
mod error_log;
mod labels;
mod otlp;
pub mod plain_text;
mod process;
mod programs;
#[cfg(feature = "protobuf")]
mod protobuf;
mod upstreams;

use catalogue::Description;
use error_log::{ByLeftOut, ByResult};
pub use labels::{BuildInfo, ConfigFile, Side};
use labels::{
    ByCause, ByEpisode, ByFeature, ByFile, ByMeasure, ByProgram, ByReason, ByReset, ByServer, ByServerSide, ByStage,
    ByVerdict, ByVerdictId, ByWorker,
};
use otlp::ByFate;
use process::ProcessMetrics;
#[cfg(feature = "protobuf")]
pub use protobuf::Measures;

/// Content type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Content type of Prometheus's messages, each after its length: the only format that carries native histograms.
pub const PROTOBUF_CONTENT_TYPE: &str =
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

/// Upper bounds of the buckets for idle times in seconds. Beside round numbers they are the idle timeouts in use:
/// Node 5, Apache 5, nginx 60 and 75, Azure 240, AWS NLB 350, Google Cloud 600.
const IDLE_BUCKETS: [f64; 16] =
    [0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 75.0, 120.0, 240.0, 350.0, 600.0, 900.0, 1200.0];

type IdleHistogram = HistogramWithExemplars<ByVerdictId>;
type IdleHistograms = Family<ByCause, IdleHistogram, fn() -> IdleHistogram>;

/// All metrics of the observer. Series of fixed label sets exist from the start, at zero.
pub struct Metrics {
    registry: Registry,
    clock: WallClock,
    seen: SeenServers,
    resets: Family<ByReset, Counter>,
    sent_by_reason: Family<ByReason, Counter>,
    verdicts: Family<ByVerdict, CounterWithExemplar<ByVerdictId>>,
    worker_verdicts: Family<ByWorker, Counter>,
    episodes: Family<ByEpisode, Counter>,
    idle_before_request: IdleHistograms,
    #[cfg(feature = "protobuf")]
    native: protobuf::Native,
    upstream_idle_timeout: Family<ByServerSide, Gauge<f64, AtomicU64>>,
    keepalive_mismatch: Family<ByServer, Gauge>,
    upstream_servers: Gauge,
    servers_forgotten: Counter,
    error_log_joins: Family<ByResult, Counter>,
    error_log_lines_left: Family<ByLeftOut, Counter>,
    records_lost: Family<ByStage, Counter>,
    otlp_verdicts: Family<ByFate, Counter>,
    program_attached: Family<ByProgram, Gauge>,
    program_run_seconds: Family<ByProgram, Counter<f64, AtomicU64>>,
    program_runs: Family<ByProgram, Counter>,
    kernel_feature: Family<ByFeature, Gauge>,
    config_reload_successful: Family<ByFile, Gauge>,
    process: ProcessMetrics,
    sandbox: Family<ByMeasure, Gauge>,
}

impl Metrics {
    /// Metrics at zero; exemplars get their time by `clock`.
    #[must_use]
    pub fn new(build: BuildInfo, clock: WallClock) -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            clock,
            seen: SeenServers::default(),
            resets: Family::default(),
            sent_by_reason: Family::default(),
            verdicts: Family::default(),
            worker_verdicts: Family::default(),
            episodes: Family::default(),
            idle_before_request: Family::new_with_constructor(|| HistogramWithExemplars::new(IDLE_BUCKETS.into_iter())),
            #[cfg(feature = "protobuf")]
            native: protobuf::Native::new(),
            upstream_idle_timeout: Family::default(),
            keepalive_mismatch: Family::default(),
            upstream_servers: Gauge::default(),
            servers_forgotten: Counter::default(),
            error_log_joins: Family::default(),
            error_log_lines_left: Family::default(),
            records_lost: Family::default(),
            otlp_verdicts: Family::default(),
            program_attached: Family::default(),
            program_run_seconds: Family::default(),
            program_runs: Family::default(),
            kernel_feature: Family::default(),
            config_reload_successful: Family::default(),
            process: ProcessMetrics::default(),
            sandbox: Family::default(),
        };
        metrics.register_connections();
        metrics.register_error_log();
        metrics.register_observer(&build);
        metrics.start_at_zero();
        metrics
    }

    /// What happens to connections.
    fn register_connections(&mut self) {
        let Self { registry, .. } = self;
        register(registry, &catalogue::RESETS, self.resets.clone());
        register(registry, &catalogue::SENT_BY_REASON, self.sent_by_reason.clone());
        register(registry, &catalogue::VERDICTS, self.verdicts.clone());
        register(registry, &catalogue::WORKER_VERDICTS, self.worker_verdicts.clone());
        register(registry, &catalogue::EPISODES, self.episodes.clone());
        register(registry, &catalogue::IDLE_BEFORE_REQUEST, self.idle_before_request.clone());
        register(registry, &catalogue::UPSTREAM_IDLE_TIMEOUT, self.upstream_idle_timeout.clone());
        register(registry, &catalogue::KEEPALIVE_MISMATCH, self.keepalive_mismatch.clone());
        register(registry, &catalogue::UPSTREAM_SERVERS, self.upstream_servers.clone());
        let max = ConstGauge::new(i64::try_from(MAX_SERVERS).unwrap_or(i64::MAX));
        register(registry, &catalogue::UPSTREAM_SERVERS_MAX, max);
    }

    /// What the program says about itself.
    fn register_observer(&mut self, build: &BuildInfo) {
        let Self { registry, .. } = self;
        register(registry, &catalogue::SERVERS_FORGOTTEN, self.servers_forgotten.clone());
        register(registry, &catalogue::RECORDS_LOST, self.records_lost.clone());
        register(registry, &catalogue::OTLP_VERDICTS, self.otlp_verdicts.clone());
        register(registry, &catalogue::PROGRAM_ATTACHED, self.program_attached.clone());
        register(registry, &catalogue::PROGRAM_RUN_SECONDS, self.program_run_seconds.clone());
        register(registry, &catalogue::PROGRAM_RUNS, self.program_runs.clone());
        register(registry, &catalogue::KERNEL_FEATURE, self.kernel_feature.clone());
        register(registry, &catalogue::SANDBOX, self.sandbox.clone());
        register(registry, &catalogue::CONFIG_RELOAD_SUCCESSFUL, self.config_reload_successful.clone());
        // A gauge, as all exporters have it: promtool knows no infos.
        let version = Family::<BuildInfo, Gauge>::default();
        version.get_or_create(build).set(1);
        register(registry, &catalogue::BUILD, version);
        self.process.register(registry);
    }

    fn start_at_zero(&self) {
        for &leg in Leg::ALL {
            for direction in Direction::ALL {
                drop(self.resets.get_or_create(&ByReset::new(direction, leg)));
            }
            for &cause in Cause::ALL {
                for &impact in impacts(cause) {
                    drop(self.verdicts.get_or_create(&ByVerdict::new(cause, impact, leg, ServerKey::default())));
                }
            }
        }
        for cause in Cause::ALL {
            drop(self.idle_before_request.get_or_create(&ByCause::new(*cause)));
        }
        self.set_otlp(0, 0);
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

    /// Counts a verdict, which becomes the exemplar of its series.
    pub fn observe_verdict(&mut self, verdict: &Verdict) {
        let server = verdict.upstream.as_ref().map(|upstream| self.admit(upstream)).unwrap_or_default();
        let at = Some(SystemTime::from(self.clock.timestamp(verdict.at)));
        let id = || Some(ByVerdictId::new(verdict.id));
        let labels = ByVerdict::new(verdict.cause, verdict.impact, verdict.leg, server);
        self.verdicts.get_or_create(&labels).inc_by(1, id(), at);
        if verdict.leg == Leg::Upstream {
            let worker = verdict.process.as_ref().and_then(|process| process.ordinal);
            self.worker_verdicts.get_or_create(&ByWorker::new(worker, verdict.cause)).inc();
        }
        if let Some(idle_ms) = verdict.timing.idle_before_request_ms {
            self.idle_before_request.get_or_create(&ByCause::new(verdict.cause)).observe(idle_ms / 1e3, id(), at);
            #[cfg(feature = "protobuf")]
            self.native.observe(verdict.cause, idle_ms / 1e3);
        }
    }

    /// Counts an episode.
    pub fn observe_episode(&mut self, episode: &Episode) {
        let server = self.admit(&episode.upstream);
        self.episodes.get_or_create(&ByEpisode::new(episode.cause, server)).inc();
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

fn register(registry: &mut Registry, what: &Description, metric: impl Metric) {
    registry.register(what.family(), what.help, metric);
}

/// What can have become of the request when a connection ended for this cause.
const fn impacts(cause: Cause) -> &'static [Impact] {
    match cause {
        Cause::IdleClose => &[Impact::None],
        Cause::BackendCrash
        | Cause::BackendRestart
        | Cause::BackendAbort
        | Cause::KeepaliveRace
        | Cause::MiddleboxIdleDrop
        | Cause::ConnectionRefused
        | Cause::ConnectionLimit
        | Cause::ClientAbort
        | Cause::ProxyTimeout
        | Cause::ProxyCrash
        | Cause::Unknown => &[Impact::RequestFailed, Impact::RequestRetried, Impact::Unknown],
    }
}

/// Raises a counter to a total that is counted elsewhere; never lowers it, which would look like a restart.
fn raise(counter: &Counter, total: u64) {
    counter.inner().fetch_max(total, Ordering::Relaxed);
}

#[cfg(test)]
mod tests;
