//! Hands a recording's entries to a pipeline, as the session did.

use std::sync::Arc;

use anyhow::{Context as _, Result};

use super::{
    Header, Placing,
    entry::{Context, Entry, MAX_PLACINGS},
};
use crate::{
    correlate::learned::Learned,
    counts::KernelCounts,
    decode::Decoder,
    pipeline::Pipeline,
    record::KernelTime,
    sink::{MarkedBy, Ready, upstream::UpstreamNews},
    verdict::Verdict,
};

/// What comes of an entry, to be shown as the session showed it.
#[derive(Debug)]
pub enum Step {
    /// Nothing to show.
    Nothing,
    /// The observer was ready.
    Ready(Box<Ready>),
    /// Verdicts fell.
    Verdicts(Vec<Verdict>),
    /// Something was new about servers.
    News(Vec<UpstreamNews>),
    /// Records were lost.
    Counts(KernelTime, Box<KernelCounts>),
    /// Something was changed.
    Mark(KernelTime, Box<KernelCounts>, MarkedBy),
    /// The session ended.
    End(KernelTime, Box<KernelCounts>),
}

/// A pipeline that is told what another one was told.
pub struct Player {
    pipeline: Pipeline,
    placings: Vec<Arc<Placing>>,
}

impl Player {
    /// A player for a recording with this header.
    #[must_use]
    pub fn new(header: &Header) -> Self {
        let decoder = Decoder::new(&header.reset_reasons);
        Self { pipeline: Pipeline::recorded(decoder, header.settle()), placings: Vec::new() }
    }

    /// The pipeline.
    pub const fn pipeline(&mut self) -> &mut Pipeline {
        &mut self.pipeline
    }

    /// Takes the next entry.
    ///
    /// # Errors
    /// If it names something that no entry before it said.
    pub fn play(&mut self, entry: Entry<'_>) -> Result<Step> {
        match entry {
            Entry::Record(bytes, placing) => {
                let placing = usize::try_from(placing).ok().and_then(|index| self.placings.get(index));
                self.pipeline.take_placed(bytes, placing.context("a record names a place that was not told")?);
            }
            Entry::Loose(bytes) => self.pipeline.take_loose(bytes),
            Entry::Due(now) => return Ok(Step::Verdicts(self.pipeline.due(now))),
            Entry::Placing(placing) => self.place(*placing),
            Entry::Context(context) => return self.take(context),
        }
        Ok(Step::Nothing)
    }

    fn place(&mut self, placing: Placing) {
        if self.placings.len() >= MAX_PLACINGS {
            self.placings.clear();
        }
        self.placings.push(Arc::new(placing));
    }

    fn take(&mut self, context: Box<Context>) -> Result<Step> {
        let pipeline = &mut self.pipeline;
        match *context {
            Context::Ready { at, ready } => return Ok(Step::Ready(Box::new(Ready { at, ..ready }))),
            Context::Line { log, written, line } => pipeline.take_line(log, line, written),
            Context::LinesLost { at } => pipeline.lines_lost(at),
            Context::Follow { instances } => pipeline.follow_logs_of(instances.into_iter().collect()),
            Context::Recall { server, age_ms, at, learned } => {
                let age = std::time::Duration::from_millis(age_ms);
                pipeline.recall(server, Learned::restore(&learned, at), age, at);
            }
            Context::Named { worker, remote, upstream, settings } => {
                pipeline.learn_name(worker, remote, (upstream, settings.map(|settings| (*settings).into())));
            }
            Context::News { at, revision } => {
                pipeline.learn_revision(revision);
                let news = pipeline.upstream_news(at);
                return Ok(Step::News(news.into_iter().map(|news| UpstreamNews::new(at, &news)).collect()));
            }
            Context::Counts { at, kernel } => return Ok(Step::Counts(at, Box::new(kernel))),
            Context::Mark { at, kernel, by } => return Ok(Step::Mark(at, Box::new(kernel), by)),
            Context::Flush => return Ok(Step::Verdicts(pipeline.flush())),
            Context::End { at, kernel } => return Ok(Step::End(at, Box::new(kernel))),
            Context::Full => {}
        }
        Ok(Step::Nothing)
    }
}

#[cfg(test)]
mod tests;
