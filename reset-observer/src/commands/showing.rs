//! What a session shows, live or from a recording.

use std::io;

use anyhow::Result;
use jiff::tz::TimeZone;

use super::{Failure, losses::LossWatch, report_file::ReportFile};
use crate::{
    cli::OutputFormat,
    comparison::{Comparison, Halves, Stretch},
    counts::{DecodeCounts, KernelCounts},
    episode::Episode,
    pipeline::Pipeline,
    record::KernelTime,
    sink::{
        Mark, MarkedBy, Output, OutputError, Ready,
        clock::WallClock,
        footer::Footer,
        html,
        json::JsonLines,
        losses::Stage,
        report::{Ending, Report},
        summary::Summary,
        table::{Look, Table},
        totals::totals,
        upstream::{Upstream, UpstreamNews},
    },
    verdict::{Cause, Leg, Verdict},
};

/// One session and what it has shown.
pub(super) struct Showing {
    output: Box<dyn Output>,
    summary: Summary,
    started_at: KernelTime,
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
    /// What a report will be made of, if there is to be one.
    report: Option<Report>,
    ending: Option<Ending>,
    /// The line at the bottom of a terminal.
    footer: Option<Footer>,
    /// What was lost so far, as of the last look.
    lost: u64,
    /// Nobody reads the output any more.
    unread: bool,
}

impl Showing {
    /// Shows on standard output, with times by `clock`: harmless closes too if `all`, no more than `count` verdicts.
    pub(super) fn new(format: OutputFormat, clock: WallClock, all: bool, count: Option<u64>) -> Self {
        Self {
            output: output(format, clock),
            summary: Summary::start(KernelTime(0)),
            started_at: KernelTime(0),
            halves: Halves::default(),
            reload: Halves::default(),
            marks: 0,
            losses: LossWatch::default(),
            all,
            count,
            shown: 0,
            show_others: all,
            no_nginx: false,
            report: None,
            ending: None,
            footer: None,
            lost: 0,
            unread: false,
        }
    }

    /// Gathers what a report is made of, too.
    pub(super) fn report_on(&mut self, report: Report) {
        self.report = Some(report);
    }

    /// Something that whoever reads the report must know of it.
    pub(super) fn caveat(&mut self, sentence: &str) {
        self.report.iter_mut().for_each(|report| report.caveat(sentence.to_owned()));
    }

    /// Keeps a line at the bottom of the terminal.
    pub(super) fn keep_footer(&mut self, footer: Option<Footer>) {
        self.footer = footer;
    }

    /// Draws the totals of a live session, as of `at`.
    pub(super) fn draw_totals(&mut self, at: KernelTime) {
        if let Some(footer) = &mut self.footer {
            footer.draw(&totals(&self.summary, at.since(self.started_at), self.lost));
        }
    }

    /// Draws how far a replay is.
    pub(super) fn draw_progress(&mut self, progress: String) {
        if let Some(footer) = &mut self.footer {
            footer.draw(&[progress, format!("{} verdicts", self.summary.verdicts)]);
        }
    }

    /// Shows something. If nobody reads it any more, that is an error only where there is no report to be written all the
    /// same.
    fn say(&mut self, what: impl FnOnce(&mut dyn Output) -> Result<(), OutputError>) -> Result<()> {
        self.footer.iter_mut().for_each(Footer::make_way);
        match what(self.output.as_mut()) {
            Err(OutputError::ReaderGone) if self.report.is_some() => {
                self.unread = true;
                self.output = Box::new(JsonLines::new(io::sink(), WallClock::fixed(0)));
                Ok(())
            }
            said => Ok(said?),
        }
    }

    /// The session begins.
    pub(super) fn ready(&mut self, ready: &Ready) -> Result<()> {
        self.summary = Summary::start(ready.at);
        self.started_at = ready.at;
        (self.halves, self.reload) = (Halves::start(ready.at), Halves::start(ready.at));
        self.no_nginx = ready.nginx.workers == 0;
        self.show_others = self.all || self.no_nginx;
        self.report.iter_mut().for_each(|report| report.ready(ready));
        self.say(|output| output.ready(ready))
    }

    /// Whether there is nothing more to watch for: as many verdicts were shown as were wanted, or nobody reads them.
    pub(super) fn is_over(&self) -> bool {
        self.unread || self.is_complete()
    }

    fn is_complete(&self) -> bool {
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
            let is_shown = self.is_shown(verdict);
            self.report.iter_mut().for_each(|report| report.verdict(verdict, is_shown));
            if is_shown {
                self.say(|output| output.verdict(verdict))?;
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
            self.report.iter_mut().for_each(|report| report.episode(episode));
            self.say(|output| output.episode(episode))?;
        }
        Ok(())
    }

    pub(super) fn news(&mut self, news: &[UpstreamNews]) -> Result<()> {
        for news in news {
            self.say(|output| output.upstream(news))?;
        }
        Ok(())
    }

    /// Tells what was lost since the last call, and whether that was anything.
    pub(super) fn losses(&mut self, kernel: &KernelCounts, decode: &DecodeCounts, at: KernelTime) -> Result<bool> {
        let lost = self.losses.news(kernel, decode, at);
        self.lost += lost.iter().map(|lost| lost.records).sum::<u64>();
        for lost in &lost {
            self.say(|output| output.lost(lost))?;
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
        self.report.iter_mut().for_each(|report| report.mark(at));
        let mark = Mark { at, number: self.marks, by };
        self.say(|output| output.mark(&mark))
    }

    /// The session ends, with these counters of the kernel's; `None` where they are not known.
    pub(super) fn end(&mut self, pipeline: &mut Pipeline, counts: Option<&KernelCounts>, at: KernelTime) -> Result<()> {
        self.footer = None;
        let kernel = &counts.copied().unwrap_or_default();
        self.summary.set_resets(&pipeline.resets(kernel));
        for stage in Stage::ALL.into_iter().filter(|stage| !stage.is_redundant()) {
            self.summary.set_lost(stage, stage.total(kernel, &pipeline.counts()));
        }
        self.summary.set_upstreams(&pipeline.upstreams(at));
        self.summary.end(at);
        let records = pipeline.counts().decoded;
        let marked = self.halves.end(at, *kernel, records);
        let comparison = marked.or_else(|| self.reload.end(at, *kernel, records));
        if let Some(comparison) = &comparison {
            self.say(|output| output.comparison(comparison, at))?;
        }
        let summary = self.summary.clone();
        self.say(|output| output.summary(&summary))?;
        self.ending = self.report.as_ref().map(|report| ending(report, summary, comparison, pipeline, counts, at));
        Ok(())
    }

    /// Writes the report, if there is to be one, once the session has ended.
    pub(super) fn write_report(&mut self, file: Option<&ReportFile>) -> Result<()> {
        let (Some(report), Some(ending), Some(file)) = (self.report.take(), self.ending.take(), file) else {
            return Ok(());
        };
        file.write(&html::report(&report, &ending))?;
        log::info!("the report is in {}", file.path().display());
        Ok(())
    }
}

/// What is known only now.
fn ending(
    report: &Report,
    summary: Summary,
    comparison: Option<Comparison>,
    pipeline: &mut Pipeline,
    counts: Option<&KernelCounts>,
    at: KernelTime,
) -> Ending {
    let upstreams = pipeline.upstreams(at);
    let gaps =
        report.addresses().into_iter().filter_map(|address| Some((address, pipeline.idle_gaps(&address)?.clone())));
    Ending {
        summary,
        upstreams: upstreams.iter().map(Upstream::from).collect(),
        gaps: gaps.collect(),
        connections: counts.map(|counts| Stretch::opened(&KernelCounts::default(), counts)),
        records: pipeline.counts().decoded,
        comparison,
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
