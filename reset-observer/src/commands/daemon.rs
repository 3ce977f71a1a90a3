//! `daemon`: metrics and health over HTTP, until SIGTERM.

use std::{
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::Context as _;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use super::{
    Failure,
    memory::Memory,
    service,
    session::{Core, Session, lock, now},
};
use crate::{
    cli::{DaemonArgs, StatePlace},
    http::{HttpState, serve},
    sink::{
        losses::Stage,
        metrics::{BuildInfo, Metrics},
        upstream::UpstreamNews,
    },
    verdict::Verdict,
};

/// Runs until SIGTERM or SIGINT.
pub(super) async fn run(args: &DaemonArgs) -> Result<(), Failure> {
    // The address first: a port that is taken is a mistake to be told at once.
    let listener = TcpListener::bind(args.listen_address)
        .await
        .with_context(|| format!("cannot listen on {}: choose another --web.listen-address", args.listen_address))
        .map_err(Failure::Prerequisite)?;
    let mut session = Session::start_keeping_cost(&args.watch, args.program_stats)?;
    let core = session.core();
    let mut memory = Memory::open(StatePlace::or_usual(args.watch.state_file.as_ref()), &core)?;
    let metrics = Arc::new(Mutex::new(start_metrics(&session)));
    let ready = Arc::new(AtomicBool::new(false));
    let state = http_state(&session, &metrics, &ready);
    log::info!("metrics at http://{}/metrics", args.listen_address);
    if session.nginx().workers == 0 {
        log::warn!("no nginx is running in sight yet: it is looked for whenever one opens a connection");
    }
    ready.store(true, Ordering::Relaxed);
    service::ready(&session.sandbox().in_force());
    let ended = tokio::select! {
        () = serve(listener, state, pending()) => Ok(()),
        failed = watch(&mut session, &metrics) => failed,
        never = memory.keep(&core) => match never {},
        never = service::keep_alive() => match never {},
        stopped = stop_signal() => stopped,
    };
    service::stopping();
    session.finish();
    memory.save(&core).await;
    ended.map_err(Failure::Running)
}

async fn watch(session: &mut Session, metrics: &Mutex<Metrics>) -> anyhow::Result<()> {
    loop {
        let verdicts = session.next().await?;
        for sentence in session.upstream_news().iter().filter_map(UpstreamNews::sentence) {
            log::warn!("{sentence}");
        }
        let mut metrics = lock(metrics);
        for verdict in &verdicts {
            say(verdict);
            metrics.observe_verdict(verdict);
        }
    }
}

fn say(verdict: &Verdict) {
    let to = verdict.remote;
    log::debug!("{} ({}) on {}:{}", verdict.cause, verdict.confidence, to.addr, to.port);
}

async fn stop_signal() -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

fn start_metrics(session: &Session) -> Metrics {
    let mut metrics = Metrics::new(BuildInfo::of_this_program());
    metrics.expect_workers(session.nginx().workers);
    for feature in session.features() {
        metrics.set_feature(feature.name, feature.present);
    }
    metrics.set_sandbox(session.sandbox());
    metrics
}

fn http_state(session: &Session, metrics: &Arc<Mutex<Metrics>>, ready: &Arc<AtomicBool>) -> HttpState {
    let (core, metrics, ready) = (session.core(), Arc::clone(metrics), Arc::clone(ready));
    HttpState {
        metrics: Arc::new(move || {
            let mut metrics = lock(&metrics);
            refresh(&mut metrics, &mut lock(&core));
            metrics.encode()
        }),
        ready: Arc::new(move || {
            let attached = ready.load(Ordering::Relaxed);
            attached.then_some(()).ok_or_else(|| "the programs are not attached yet".into())
        }),
    }
}

/// Brings what is counted elsewhere up to date.
fn refresh(metrics: &mut Metrics, core: &mut Core) {
    if let Err(error) = refresh_counts(metrics, core) {
        log::error!("the kernel's counters are as of the last scrape: {error:#}");
    }
    match core.read_cost() {
        Ok(cost) => cost.iter().flatten().for_each(|program| metrics.set_program_runs(program)),
        Err(error) => log::error!("what the programs cost is as of the last scrape: {error:#}"),
    }
    metrics.set_servers_forgotten(core.pipeline.servers_forgotten());
    metrics.set_upstreams(&core.pipeline.upstreams(now()));
}

fn refresh_counts(metrics: &mut Metrics, core: &mut Core) -> anyhow::Result<()> {
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
