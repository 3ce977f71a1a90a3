//! What a session shows, live or from a recording.

use std::io;

use anyhow::Result;
use jiff::tz::TimeZone;

use super::{Failure, losses::LossWatch};
use crate::{
    cli::OutputFormat,
    comparison::Halves,
    counts::{DecodeCounts, KernelCounts},
    episode::Episode,
    pipeline::Pipeline,
    record::KernelTime,
    sink::{
        Mark, MarkedBy, Output, OutputError, Ready,
        clock::WallClock,
        json::JsonLines,
        losses::Stage,
        summary::Summary,
        table::{Look, Table},
        upstream::UpstreamNews,
    },
    verdict::{Cause, Leg, Verdict},
};

/// One session and what it has shown.
pub(super) struct Showing {
    output: Box<dyn Output>,
    summary: Summary,
    /// Both sides of the newest mark by SIGUSR1.
    halves: Halves,
    /// Both sides of the newest reload of nginx, which count if nobody marked anything.
    reload: Halves,
    marks: u32,
    losses: LossWatch,
    all: bool,
    /// The session ends after so many verdicts.
    count: Option<u64>,
    shown: u64,
    /// Without nginx on this host, connections of any other program are what there is to see.
    show_others: bool,
    /// There is no nginx on this host.
    no_nginx: bool,
}

impl Showing {
    /// Shows on standard output, with times by `clock`: harmless closes too if `all`, no more than `count` verdicts.
    pub(super) fn new(format: OutputFormat, clock: WallClock, all: bool, count: Option<u64>) -> Self {
        Self {
            output: output(format, clock),
            summary: Summary::start(KernelTime(0)),
            halves: Halves::default(),
            reload: Halves::default(),
            marks: 0,
            losses: LossWatch::default(),
            all,
            count,
            shown: 0,
            show_others: all,
            no_nginx: false,
        }
    }

    /// The session begins.
    pub(super) fn ready(&mut self, ready: &Ready) -> Result<()> {
        self.summary = Summary::start(ready.at);
        (self.halves, self.reload) = (Halves::start(ready.at), Halves::start(ready.at));
        self.no_nginx = ready.nginx.workers == 0;
        self.show_others = self.all || self.no_nginx;
        Ok(self.output.ready(ready)?)
    }

    /// Whether as many verdicts were shown as were wanted.
    pub(super) fn is_complete(&self) -> bool {
        self.count.is_some_and(|count| self.shown >= count)
    }

    pub(super) fn verdicts(&mut self, verdicts: &[Verdict]) -> Result<()> {
        for verdict in verdicts {
            if self.is_complete() {
                break;
            }
            self.summary.add(verdict);
            self.halves.add(verdict, self.no_nginx);
            self.reload.add(verdict, self.no_nginx);
            if self.is_shown(verdict) {
                self.output.verdict(verdict)?;
                self.shown += 1;
            }
        }
        Ok(())
    }

    fn is_shown(&self, verdict: &Verdict) -> bool {
        self.all || (verdict.cause != Cause::IdleClose && (self.show_others || verdict.leg != Leg::Other))
    }

    pub(super) fn episodes(&mut self, episodes: &[Episode]) -> Result<()> {
        for episode in episodes {
            self.summary.add_episode(episode);
            self.output.episode(episode)?;
        }
        Ok(())
    }

    pub(super) fn news(&mut self, news: &[UpstreamNews]) -> Result<()> {
        for news in news {
            self.output.upstream(news)?;
        }
        Ok(())
    }

    /// Tells what was lost since the last call, and whether that was anything.
    pub(super) fn losses(&mut self, kernel: &KernelCounts, decode: &DecodeCounts, at: KernelTime) -> Result<bool> {
        let lost = self.losses.news(kernel, decode, at);
        for lost in &lost {
            self.output.lost(lost)?;
        }
        Ok(!lost.is_empty())
    }

    /// Something was changed at `at`, by when the kernel had counted so much.
    pub(super) fn mark(
        &mut self,
        pipeline: &Pipeline,
        kernel: &KernelCounts,
        at: KernelTime,
        by: MarkedBy,
    ) -> Result<()> {
        let halves = match by {
            MarkedBy::Signal => &mut self.halves,
            MarkedBy::Reload => &mut self.reload,
        };
        halves.mark(at, *kernel, pipeline.counts().decoded);
        self.marks += 1;
        Ok(self.output.mark(&Mark { at, number: self.marks, by })?)
    }

    /// The session ends, with these counters of the kernel's.
    pub(super) fn end(&mut self, pipeline: &mut Pipeline, kernel: &KernelCounts, at: KernelTime) -> Result<()> {
        self.summary.set_resets(&pipeline.resets(kernel));
        for stage in Stage::ALL.into_iter().filter(|stage| !stage.is_redundant()) {
            self.summary.set_lost(stage, stage.total(kernel, &pipeline.counts()));
        }
        self.summary.set_upstreams(&pipeline.upstreams(at));
        self.summary.end(at);
        let records = pipeline.counts().decoded;
        let marked = self.halves.end(at, *kernel, records);
        if let Some(comparison) = marked.or_else(|| self.reload.end(at, *kernel, records)) {
            self.output.comparison(&comparison, at)?;
        }
        Ok(self.output.summary(&self.summary)?)
    }
}

/// What a command ends with: a reader that went away is no failure.
pub(super) fn outcome(shown: Result<()>) -> Result<(), Failure> {
    match shown.map_err(|error| error.downcast::<OutputError>()) {
        Ok(()) | Err(Ok(OutputError::ReaderGone)) => Ok(()),
        Err(Ok(error @ OutputError::Write(_))) => Err(Failure::Running(error.into())),
        Err(Err(error)) => Err(Failure::Running(error)),
    }
}

fn output(format: OutputFormat, clock: WallClock) -> Box<dyn Output> {
    match format {
        OutputFormat::Table => Box::new(Table::new(io::stdout(), clock, TimeZone::system(), Look::of_stdout())),
        OutputFormat::Json => Box::new(JsonLines::new(io::stdout(), clock)),
    }
}
