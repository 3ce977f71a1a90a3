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

/// Version of the contract.
pub const SCHEMA: u32 = 1;

/// An object with what stands at the start of each line.
#[derive(Serialize)]
pub(crate) struct Line<'a, T> {
    #[serde(rename = "type")]
    kind: &'static str,
    schema: u32,
    time: String,
    #[serde(flatten)]
    body: &'a T,
}

/// An episode with its bounds as wall-clock times.
#[derive(Serialize)]
struct EpisodeBody<'a> {
    from: String,
    to: String,
    #[serde(flatten)]
    episode: &'a Episode,
}

impl<'a> Line<'a, Verdict> {
    /// A verdict as it stands in a line.
    pub(crate) fn verdict(verdict: &'a Verdict, clock: WallClock) -> Self {
        Self { kind: "verdict", schema: SCHEMA, time: clock.rfc3339(verdict.at), body: verdict }
    }
}

/// Writes JSON lines. Each line is written at once and flushed, so that a reader never sees half of one.
pub struct JsonLines<W> {
    out: W,
    clock: WallClock,
    line: Vec<u8>,
}

impl<W: Write> JsonLines<W> {
    /// Writes to `out`, with times by `clock`.
    pub fn new(out: W, clock: WallClock) -> Self {
        Self { out, clock, line: Vec::new() }
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
        let time = self.clock.timestamp(at);
        write!(self.line, r#"{{"type":"{kind}","schema":{SCHEMA},"time":"{time:.6}""#)?;
        let body_at = self.line.len();
        serde_json::to_writer(&mut self.line, body).map_err(|error| OutputError::Write(error.into()))?;
        // Each body is an object with something in it: what it begins with becomes what parts it from the rest.
        self.line[body_at] = b',';
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
        self.write("verdict", verdict.at, verdict)
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
