//! A session that is marked at the point of a change: what was said before it, and after it.

use super::{Comparison, Stretch};
use crate::{counts::KernelCounts, record::KernelTime, verdict::Verdict};

/// What was counted by an instant.
#[derive(Clone, Copy, Debug, Default)]
struct Reading {
    at: KernelTime,
    kernel: KernelCounts,
    records: u64,
}

/// A stretch that began at a reading.
#[derive(Clone, Debug, Default)]
struct Half {
    from: Reading,
    stretch: Stretch,
}

impl Half {
    fn end(&mut self, to: &Reading) {
        let (from, records) = (&self.from, to.records.saturating_sub(self.from.records));
        self.stretch.end(to.at.since(from.at), Stretch::opened(&from.kernel, &to.kernel), records);
    }
}

/// Both sides of the newest mark of a session.
#[derive(Clone, Debug, Default)]
pub struct Halves {
    before: Option<Half>,
    current: Half,
}

impl Halves {
    /// A session that begins at `at`, when nothing was counted yet.
    #[must_use]
    pub fn start(at: KernelTime) -> Self {
        Self { before: None, current: Half { from: Reading { at, ..Reading::default() }, ..Half::default() } }
    }

    /// Counts a verdict on the side on which its connection ended: it falls later, by the settle window.
    pub fn add(&mut self, verdict: &Verdict, others_count: bool) {
        let half = match &mut self.before {
            Some(before) if verdict.at < self.current.from.at => before,
            Some(_) | None => &mut self.current,
        };
        if verdict.at >= half.from.at {
            half.stretch.add(verdict, others_count);
        }
    }

    /// Something was changed at `at`, when so much had been counted: what came since the mark before, if there is one, is
    /// compared with what comes.
    pub fn mark(&mut self, at: KernelTime, kernel: KernelCounts, records: u64) {
        let reading = Reading { at, kernel, records };
        let mut before = std::mem::replace(&mut self.current, Half { from: reading, ..Half::default() });
        before.end(&reading);
        self.before = Some(before);
    }

    /// The session ended at `at`, when so much had been counted: both sides of the newest mark; `None` if there was none.
    pub fn end(&mut self, at: KernelTime, kernel: KernelCounts, records: u64) -> Option<Comparison> {
        let before = self.before.take()?;
        self.current.end(&Reading { at, kernel, records });
        Some(Comparison::of(before.stretch, std::mem::take(&mut self.current).stretch))
    }
}

#[cfg(test)]
mod tests;
