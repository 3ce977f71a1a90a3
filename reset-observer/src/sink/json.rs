//! JSON lines, schema 1: one object per line, told apart by `type`. A public contract: fields are added, never renamed.

use std::io::Write;

use serde::Serialize;

use crate::{
    comparison::Comparison,
    episode::Episode,
    record::KernelTime,
    sink::{
        Lost, Mark, Output, OutputError, Ready, checks::Check, clock::WallClock, summary::Summary,
        upstream::UpstreamNews,
    },
    verdict::Verdict,
};

mod line;
mod name;
mod number;
mod value;
mod verdict;

pub(crate) use line::Lines;

/// Version of the contract.
pub const SCHEMA: u32 = 1;

/// An episode with its bounds as wall-clock times.
#[derive(Serialize)]
struct EpisodeBody<'a> {
    from: String,
    to: String,
    #[serde(flatten)]
    episode: &'a Episode,
}

/// Writes JSON lines. Each line is written at once and flushed, so that a reader never sees half of one.
pub struct JsonLines<W> {
    out: W,
    clock: WallClock,
    lines: Lines,
    line: Vec<u8>,
}

impl<W: Write> JsonLines<W> {
    /// Writes to `out`, with times by `clock`.
    pub fn new(out: W, clock: WallClock) -> Self {
        Self { out, clock, lines: Lines::new(clock), line: Vec::new() }
    }

    /// Writes what `doctor` found of one thing.
    ///
    /// # Errors
    /// See [`OutputError`].
    pub fn check(&mut self, check: &Check, at: KernelTime) -> Result<(), OutputError> {
        self.write("doctor", at, check)
    }

    fn write<T: Serialize>(&mut self, kind: &'static str, at: KernelTime, body: &T) -> Result<(), OutputError> {
        self.line.clear();
        let written = self.lines.object(kind, at, body, &mut self.line);
        written.map_err(|error| OutputError::Write(error.into()))?;
        self.end()
    }

    /// Ends the line and lets it go.
    fn end(&mut self) -> Result<(), OutputError> {
        self.line.push(b'\n');
        self.out.write_all(&self.line)?;
        Ok(self.out.flush()?)
    }
}

impl<W: Write> Output for JsonLines<W> {
    fn ready(&mut self, ready: &Ready) -> Result<(), OutputError> {
        self.write("ready", ready.at, ready)
    }

    fn verdict(&mut self, verdict: &Verdict) -> Result<(), OutputError> {
        self.line.clear();
        self.lines.verdict(verdict, &mut self.line);
        self.end()
    }

    fn episode(&mut self, episode: &Episode) -> Result<(), OutputError> {
        let (from, to) = (self.clock.rfc3339(episode.from), self.clock.rfc3339(episode.to));
        self.write("episode", episode.to, &EpisodeBody { from, to, episode })
    }

    fn upstream(&mut self, news: &UpstreamNews) -> Result<(), OutputError> {
        self.write("upstream", news.at, news)
    }

    fn lost(&mut self, lost: &Lost) -> Result<(), OutputError> {
        self.write("lost", lost.at, lost)
    }

    fn mark(&mut self, mark: &Mark) -> Result<(), OutputError> {
        self.write("mark", mark.at, mark)
    }

    fn comparison(&mut self, comparison: &Comparison, at: KernelTime) -> Result<(), OutputError> {
        self.write("comparison", at, comparison)
    }

    fn summary(&mut self, summary: &Summary) -> Result<(), OutputError> {
        self.write("summary", summary.ended_at(), summary)
    }
}

#[cfg(test)]
mod tests;
