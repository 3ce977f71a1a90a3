//! What the daemon shows over HTTP.

use std::{
    convert::Infallible,
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::Result;
use tokio::time::interval;

use super::Forward;
use crate::{
    cli::DaemonArgs,
    commands::session::{Core, Session, lock, now},
    http::{Observed, Web},
    own_process::OwnProcess,
    resets::Direction,
    sink::{
        Ready,
        clock::WallClock,
        history::{Filter, History, Span},
        losses::Stage,
        metrics::{BuildInfo, ConfigFile, Metrics},
        overview::{Overview, Own, Server},
        upstream::Upstream,
    },
    verdict::Verdict,
};

/// How many verdicts the page shows.
const ON_THE_PAGE: usize = 50;

/// What the daemon shows. Where two are locked, metrics come before the core.
pub(super) struct Shown {
    core: Arc<Mutex<Core>>,
    pub(super) metrics: Mutex<Metrics>,
    pub(super) history: Mutex<History>,
    /// Whether the programs are attached.
    pub(super) ready: AtomicBool,
    /// Replaced when another file is to be used.
    pub(super) web: Mutex<Arc<Web>>,
    /// Whether the daemon's own file could be used when it was last read; `None` without one.
    pub(super) config_read: Mutex<Option<bool>>,
    /// Where verdicts are sent to besides.
    pub(super) forward: Forward,
    native_histograms: bool,
    clock: WallClock,
    started: Ready,
}

impl Shown {
    pub(super) fn new(session: &Session, args: &DaemonArgs, web: &Arc<Web>) -> Result<Self> {
        let clock = WallClock::read();
        let started = session.ready(&args.watch.ports);
        let mut metrics = start_metrics(&started, clock);
        metrics.set_sandbox(session.sandbox());
        Ok(Self {
            core: session.core(),
            metrics: Mutex::new(metrics),
            history: Mutex::new(History::new()),
            ready: AtomicBool::new(false),
            web: Mutex::new(Arc::clone(web)),
            config_read: Mutex::new(args.config.as_ref().map(|_| true)),
            forward: Forward::start(args, &started.node, clock)?,
            native_histograms: native_histograms(args),
            clock,
            started,
        })
    }

    /// Hands the metrics over to who wants them sent, as often as they are wanted.
    pub(super) async fn keep_measured(&self) -> Infallible {
        let Some(every) = self.forward.metrics_every else { return pending().await };
        let mut due = interval(every);
        loop {
            due.tick().await;
            self.measure();
        }
    }

    /// Hands them over, if they are wanted at all.
    pub(super) fn measure(&self) {
        if self.forward.metrics_every.is_some() {
            let mut metrics = lock(&self.metrics);
            self.refresh(&mut metrics);
            self.forward.measure(&metrics);
        }
    }

    /// Brings what is counted elsewhere up to date.
    fn refresh(&self, metrics: &mut Metrics) {
        let mut core = lock(&self.core);
        if let Err(error) = refresh_counts(metrics, &mut core) {
            log::error!("the kernel's counters are as of the last scrape: {error:#}");
        }
        match core.read_cost() {
            Ok(cost) => cost.iter().flatten().for_each(|program| metrics.set_program_runs(program)),
            Err(error) => log::error!("what the programs cost is as of the last scrape: {error:#}"),
        }
        metrics.set_servers_forgotten(core.pipeline.servers_forgotten());
        self.forward.count(metrics);
        metrics.set_joins(core.pipeline.join_counts());
        metrics.set_upstreams(&core.pipeline.upstreams(now()));
        drop(core);
        if let Some(process) = own_process() {
            metrics.set_process(&process);
        }
        let reloads =
            [(ConfigFile::Web, lock(&self.web).last_reload()), (ConfigFile::Config, *lock(&self.config_read))];
        for (file, successful) in reloads {
            if let Some(successful) = successful {
                metrics.set_reload(file, successful);
            }
        }
    }

    fn own(&self) -> Own {
        let mut own = Own {
            programs: self.started.programs.clone(),
            features: self.started.features.clone().into_iter().collect(),
            process: own_process(),
            ..Own::default()
        };
        let mut core = lock(&self.core);
        own.workers = core.pipeline.workers();
        // What cannot be read is missing on the page; the log says so at the next scrape.
        if let Ok(kernel) = core.read_counters() {
            let resets = core.pipeline.resets(&kernel);
            own.resets_sent = resets.total(Direction::Sent);
            own.resets_received = resets.total(Direction::Received);
            own.lost = Stage::ALL.map(|stage| (stage, stage.total(&kernel, &core.pipeline.counts()))).to_vec();
        }
        own.runs = core.read_cost().ok().flatten().unwrap_or_default();
        own
    }
}

impl Observed for Shown {
    fn open_metrics(&self) -> String {
        let mut metrics = lock(&self.metrics);
        self.refresh(&mut metrics);
        metrics.encode()
    }

    fn offers_protobuf(&self) -> bool {
        self.native_histograms
    }

    #[cfg(feature = "protobuf")]
    fn protobuf(&self) -> Vec<u8> {
        let mut metrics = lock(&self.metrics);
        self.refresh(&mut metrics);
        metrics.encode_protobuf()
    }

    fn ready(&self) -> std::result::Result<(), String> {
        let attached = self.ready.load(Ordering::Relaxed);
        attached.then_some(()).ok_or_else(|| "the programs are not attached yet".into())
    }

    fn verdicts(&self, filter: &Filter, limit: usize) -> Vec<Arc<Verdict>> {
        lock(&self.history).newest(filter, limit)
    }

    fn upstreams(&self) -> Vec<Upstream> {
        let sides = lock(&self.core).pipeline.upstreams(now());
        sides.iter().map(Upstream::from).collect()
    }

    fn overview(&self, span: Span) -> Overview {
        let (own, upstreams, now) = (self.own(), self.upstreams(), now());
        let history = lock(&self.history);
        Overview {
            node: self.started.node.clone(),
            clock: self.clock,
            now,
            started: self.started.at,
            ready: self.ready(),
            span,
            buckets: history.over_time(span, now),
            totals: *history.totals(),
            servers: Server::all(&history, upstreams),
            episodes: history.episodes(),
            verdicts: history.newest(&Filter::default(), ON_THE_PAGE),
            own,
        }
    }

    fn clock(&self) -> WallClock {
        self.clock
    }
}

#[cfg(feature = "protobuf")]
fn native_histograms(args: &DaemonArgs) -> bool {
    args.native_histograms
}

#[cfg(not(feature = "protobuf"))]
fn native_histograms(_: &DaemonArgs) -> bool {
    false
}

fn start_metrics(started: &Ready, clock: WallClock) -> Metrics {
    let mut metrics = Metrics::new(BuildInfo::of_this_program(), clock);
    metrics.expect_workers(started.nginx.workers);
    for (feature, present) in &started.features {
        metrics.set_feature(feature, *present);
    }
    for program in &started.programs {
        metrics.set_attached(program);
    }
    metrics
}

fn refresh_counts(metrics: &mut Metrics, core: &mut Core) -> Result<()> {
    let kernel = core.read_counters()?;
    metrics.set_resets(&core.pipeline.resets(&kernel));
    for stage in Stage::ALL {
        metrics.set_lost(stage, stage.total(&kernel, &core.pipeline.counts()));
    }
    for (reason, total) in core.sent_by_reason()? {
        metrics.set_sent_by_reason(reason, total);
    }
    Ok(())
}

fn own_process() -> Option<OwnProcess> {
    OwnProcess::read().inspect_err(|error| log::error!("{error:#}")).ok()
}
