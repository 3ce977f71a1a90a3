//! The live source of verdicts: programs in the kernel, the ring they write to, and the pipeline behind it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::Result;
use rustix::time::{ClockId, clock_gettime};

use super::{error_logs::ErrorLogs, recorder::Recorder, storm::Storm};
use crate::{
    container::node_name,
    counts::{KernelCounts, ProgramRuns},
    episode::Episode,
    kernel::{
        self, cost::Cost, counters::Counters, features::Feature, log::ProgramLog, programs::Programs, ring::Ring,
    },
    pipeline::Pipeline,
    record::KernelTime,
    recording::entry::Context,
    sandbox::Sandbox,
    sink::{NginxFound, Ready, upstream::UpstreamNews},
    verdict::Verdict,
};

mod start;

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
