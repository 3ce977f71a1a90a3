//! The live source of verdicts: programs in the kernel, the ring they write to, and the pipeline behind it.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use log::{Level, log_enabled};
use rustix::time::{ClockId, clock_gettime};

use super::{Failure, confine::confine, error_logs::ErrorLogs, recorder::Recorder, storm::Storm};
use crate::{
    attribute::Attributor,
    cli::{RstPackets, WatchArgs},
    container::{Containers, node_name},
    counts::{KernelCounts, ProgramRuns},
    decode::Decoder,
    episode::Episode,
    kernel::{
        self,
        btf::Btf,
        cost::Cost,
        counters::Counters,
        features::{Feature, Features},
        log::ProgramLog,
        privilege,
        programs::{Options, Programs},
        ring::Ring,
    },
    nginx::{configurations::Configurations, processes::NginxProcesses, sockets::NginxSockets},
    pipeline::Pipeline,
    record::KernelTime,
    recording::entry::Context,
    sandbox::Sandbox,
    sink::{NginxFound, Ready, upstream::UpstreamNews},
    verdict::Verdict,
};

/// aya-log's number for its level "debug".
const PROGRAM_LOG_DEBUG: u8 = 4;

/// The state that verdicts and metrics are made of.
pub(super) struct Core {
    pub(super) pipeline: Pipeline,
    counters: Counters,
    cost: Cost,
}

impl Core {
    /// The kernel's counters, and the runs that it left out.
    pub(super) fn read_counters(&self) -> Result<KernelCounts> {
        Ok(KernelCounts { runs_missed: self.cost.runs_missed(), ..self.counters.read()? })
    }

    /// Resets sent by reason.
    pub(super) fn sent_by_reason(&self) -> Result<BTreeMap<&str, u64>> {
        self.counters.sent_by_reason()
    }

    /// What the programs cost; `None` if the kernel keeps no statistics.
    pub(super) fn read_cost(&self) -> Result<Option<Vec<ProgramRuns>>> {
        self.cost.read()
    }
}

/// Programs that run, and the way their records take.
pub(super) struct Session {
    core: Arc<Mutex<Core>>,
    ring: Ring,
    log: ProgramLog,
    error_logs: ErrorLogs,
    recorder: Option<Recorder>,
    /// Records that found the ring full, as of the last look.
    ring_full: u64,
    storm: Storm,
    features: Vec<Feature>,
    programs: Vec<String>,
    nginx: NginxFound,
    sandbox: Sandbox,
    /// Dropped last of all, so that records are counted as long as anything reads them.
    _programs: Arc<Programs>,
}

impl Session {
    /// Checks what is needed, finds nginx, then loads and attaches the programs. The command writes `writes` later; with
    /// `keep_cost`, the kernel is asked to keep statistics of what the programs cost.
    pub(super) fn start(
        watch: &WatchArgs,
        keep_cost: bool,
        mut recorder: Option<Recorder>,
        writes: &[PathBuf],
    ) -> Result<Self, Failure> {
        privilege::check().map_err(Failure::Prerequisite)?;
        let (types, mut features) = detect().map_err(Failure::Prerequisite)?;
        let log_level = if log_enabled!(Level::Trace) { PROGRAM_LOG_DEBUG } else { 0 };
        let options = Options {
            ports: &watch.ports,
            ring_bytes: watch.ring_size,
            max_owners: watch.max_owners,
            log_level,
            rst_packets_by_cgroup: watch.rst_packets == RstPackets::Cgroup,
        };
        let mut programs = Programs::load(&types, &mut features, &options).map_err(Failure::Prerequisite)?;
        drop(types);
        // nginx is looked for once records are kept: what it opens meanwhile is known by its owner.
        let (attributor, nginx) = find_nginx(watch);
        let mut pipeline = Pipeline::new(Decoder::new(&features.reset_reasons), attributor, watch.settle);
        if let Some(recorder) = &mut recorder {
            recorder.begin(&mut pipeline, watch.settle, &features.reset_reasons).map_err(Failure::Prerequisite)?;
        }
        let wire = |programs: &mut Programs| -> Result<_> {
            let log = if log_level == 0 { ProgramLog::off() } else { ProgramLog::open(programs)? };
            Ok((Ring::new(programs)?, Counters::new(programs, watch.max_owners, &features.reset_reasons)?, log))
        };
        let (ring, counters, log) = wire(&mut programs).map_err(Failure::Prerequisite)?;
        let programs = Arc::new(programs);
        let cost = Cost::new(Arc::clone(&programs), keep_cost).map_err(Failure::Prerequisite)?;
        // Before the first thread that outlives its work, because rights are those of a thread.
        let sandbox = confine(watch, writes, &counters);
        let core = Arc::new(Mutex::new(Core { pipeline, counters, cost }));
        let attached = features.attached().map(String::from).collect();
        let features = features.list();
        let error_logs = ErrorLogs::new();
        let mut session = Self {
            core,
            ring,
            log,
            error_logs,
            recorder,
            ring_full: 0,
            storm: Storm::default(),
            features,
            programs: attached,
            nginx,
            sandbox,
            _programs: programs,
        };
        session.follow_logs();
        kernel::memory::give_back();
        Ok(session)
    }

    /// The state, shared with whoever shows it.
    pub(super) fn core(&self) -> Arc<Mutex<Core>> {
        Arc::clone(&self.core)
    }

    pub(super) fn nginx(&self) -> NginxFound {
        self.nginx
    }

    /// What this process gave up.
    pub(super) fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// What to say once everything is attached.
    pub(super) fn ready(&self, ports: &[u16]) -> Ready {
        Ready {
            at: now(),
            version: env!("CARGO_PKG_VERSION").into(),
            programs: self.programs.clone(),
            features: self.features.iter().map(|feature| (feature.name.into(), feature.present)).collect(),
            ports: ports.into(),
            nginx: self.nginx,
            node: node_name(),
        }
    }

    /// Waits for records or for the time of a verdict, and returns the verdicts that are due, which may be none.
    /// Nothing is lost if the caller stops waiting.
    pub(super) async fn next(&mut self) -> Result<Vec<Verdict>> {
        let deadline = lock(&self.core).pipeline.next_deadline();
        tokio::select! {
            drained = self.ring.drain(|bytes| lock(&self.core).pipeline.take(bytes)) => drained?,
            passed = self.log.pass_on() => passed?,
            news = self.error_logs.next() => news.give(&mut lock(&self.core).pipeline, now()),
            () = until(deadline) => {}
        }
        self.take_what_is_there();
        let verdicts = lock(&self.core).pipeline.due(now());
        self.give_back();
        self.follow_logs();
        self.save_recording(true);
        Ok(verdicts)
    }

    fn give_back(&mut self) {
        let mut core = lock(&self.core);
        if self.storm.has_passed(core.pipeline.connections()) {
            core.pipeline.shrink();
            drop(core);
            kernel::memory::give_back();
        }
    }

    /// The episodes that are over, each once; after [`Self::finish`], also those that went on.
    pub(super) fn episodes(&self) -> Vec<Episode> {
        lock(&self.core).pipeline.take_episodes()
    }

    /// What is new about the idle timeouts of upstream servers since the last call.
    pub(super) fn upstream_news(&self) -> Vec<UpstreamNews> {
        let at = now();
        let news = lock(&self.core).pipeline.upstream_news(at);
        news.into_iter().map(|news| UpstreamNews::new(at, &news)).collect()
    }

    /// Notes what was not decided in the pipeline, if the session is recorded.
    pub(super) fn note(&self, context: Context) {
        lock(&self.core).pipeline.tape().into_iter().for_each(|tape| tape.context(context.clone()));
    }

    /// Whether the session is recorded.
    pub(super) fn is_recorded(&self) -> bool {
        self.recorder.is_some()
    }

    /// Writes what was recorded since: all of it, or only if it fills a block.
    pub(super) fn save_recording(&mut self, only_if_full: bool) {
        if let Some(recorder) = &mut self.recorder {
            recorder.save(&mut lock(&self.core).pipeline, only_if_full);
        }
    }

    /// Ends the recording with the kernel's counters as they are.
    pub(super) fn end_recording(&mut self) -> Result<()> {
        if self.recorder.is_some() {
            let (at, kernel) = (now(), lock(&self.core).read_counters()?);
            self.note(Context::End { at, kernel });
            self.save_recording(false);
        }
        Ok(())
    }

    /// Records and lines that did not wake us may belong to a verdict that is due.
    fn take_what_is_there(&mut self) {
        let mut core = lock(&self.core);
        self.ring.drain_now(|bytes| core.pipeline.take(bytes));
        if let Ok(counts) = core.counters.read()
            && counts.ring_full > self.ring_full
        {
            self.ring_full = counts.ring_full;
            core.pipeline.lines_lost(now());
        }
        for news in self.error_logs.take_now() {
            news.give(&mut core.pipeline, now());
        }
    }

    /// Reloads and new instances bring other logs.
    fn follow_logs(&mut self) {
        let mut core = lock(&self.core);
        let followed = core.pipeline.configurations().and_then(|told| self.error_logs.follow(told));
        if let Some(instances) = followed {
            core.pipeline.follow_logs_of(instances);
        }
    }

    /// The end: takes what is in the ring and judges everything without waiting.
    pub(super) fn finish(&mut self) -> Vec<Verdict> {
        self.take_what_is_there();
        lock(&self.core).pipeline.flush()
    }
}

/// nginx's processes, sockets and configurations.
fn find_nginx(watch: &WatchArgs) -> (Attributor, NginxFound) {
    let started = Instant::now();
    let processes = NginxProcesses::scan_for(watch.processes.clone());
    let sockets = NginxSockets::scan(&processes);
    let nginx =
        NginxFound { masters: processes.masters(), workers: processes.workers(), listening: sockets.listening() };
    let configurations = Configurations::of_host(&processes);
    log::debug!("found nginx, its sockets and what it was told in {:.1?}", started.elapsed());
    let attributor = Attributor::new(processes, sockets)
        .with_containers(Containers::of_host(&watch.pod_logs))
        .with_configurations(configurations);
    (attributor, nginx)
}

/// What the running kernel offers.
fn detect() -> Result<(Btf, Features)> {
    let started = Instant::now();
    let btf = Btf::load(kernel::btf_path())?;
    let features = Features::detect(&btf).context("this kernel cannot be observed")?;
    log::debug!("looked every field up among {} types in {:.1?}", btf.len(), started.elapsed());
    Ok((btf, features))
}

/// The monotonic clock, the same that the programs read.
pub(super) fn now() -> KernelTime {
    let time = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    KernelTime(seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or_default())
}

/// A panic elsewhere must not end the counting.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn until(deadline: Option<KernelTime>) {
    match deadline {
        // One millisecond more: the timer's own resolution, so that the deadline has passed when it fires.
        Some(deadline) => tokio::time::sleep(deadline.since(now()) + Duration::from_millis(1)).await,
        None => std::future::pending().await,
    }
}
