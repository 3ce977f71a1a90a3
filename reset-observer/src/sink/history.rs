//! What happened lately: the newest verdicts and episodes, and how many of each cause fell when. Bounded.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use crate::{
    episode::Episode,
    record::KernelTime,
    sink::servers::{SeenServers, ServerKey},
    verdict::{Cause, Verdict, VerdictId},
};

mod timeline;

pub use timeline::{Bucket, CauseCounts, Span, Timeline};

/// How many verdicts are kept, besides harmless ones. Each takes some 1.5 KiB.
pub const MAX_KEPT: usize = 400;

/// How many harmless ones are kept, which must not push out the others.
pub const MAX_HARMLESS_KEPT: usize = 100;

/// How many episodes are kept.
pub const MAX_EPISODES: usize = 20;

/// What happened lately.
#[derive(Clone, Debug, Default)]
pub struct History {
    newest: VecDeque<Arc<Verdict>>,
    harmless: VecDeque<Arc<Verdict>>,
    episodes: VecDeque<Arc<Episode>>,
    hour: Timeline,
    day: Timeline,
    servers: BTreeMap<ServerKey, CauseCounts>,
    seen: SeenServers,
    totals: CauseCounts,
}

/// Which verdicts are wanted. The default: all but harmless ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of these causes; empty means of every cause but `idle_close`.
    pub causes: Vec<Cause>,
    /// About servers of this upstream block.
    pub upstream: Option<String>,
    /// About this server.
    pub server: Option<String>,
    /// The one with this name.
    pub id: Option<VerdictId>,
    /// Harmless ones too.
    pub all: bool,
}

impl Filter {
    fn takes(&self, verdict: &Verdict) -> bool {
        let label = verdict.upstream.as_ref();
        let name = label.and_then(|label| label.name.as_ref());
        (self.causes.is_empty() || self.causes.contains(&verdict.cause))
            && self.id.is_none_or(|id| id == verdict.id)
            && self.upstream.as_ref().is_none_or(|wanted| name == Some(wanted))
            && self.server.as_ref().is_none_or(|wanted| label.is_some_and(|label| label.server == *wanted))
    }

    fn takes_harmless(&self) -> bool {
        self.all || self.id.is_some() || self.causes.contains(&Cause::IdleClose)
    }
}

impl History {
    /// Nothing happened yet.
    #[must_use]
    pub fn new() -> Self {
        Self { hour: Timeline::new(Span::Hour), day: Timeline::new(Span::Day), ..Self::default() }
    }

    /// Takes a verdict.
    pub fn add(&mut self, verdict: Verdict) {
        for timeline in [&mut self.hour, &mut self.day] {
            timeline.add(verdict.at, verdict.cause);
        }
        self.totals.add(verdict.cause);
        if let Some(upstream) = &verdict.upstream {
            let key = self.seen.admit(upstream);
            self.servers.entry(key).or_default().add(verdict.cause);
        }
        let harmless = verdict.cause == Cause::IdleClose;
        let (kept, most) =
            if harmless { (&mut self.harmless, MAX_HARMLESS_KEPT) } else { (&mut self.newest, MAX_KEPT) };
        if kept.len() >= most {
            kept.pop_front();
        }
        kept.push_back(Arc::new(verdict));
    }

    /// Takes an episode that is over.
    pub fn add_episode(&mut self, episode: Episode) {
        if self.episodes.len() >= MAX_EPISODES {
            self.episodes.pop_front();
        }
        self.episodes.push_back(Arc::new(episode));
    }

    /// The episodes kept, the one that was over last first.
    #[must_use]
    pub fn episodes(&self) -> Vec<Arc<Episode>> {
        self.episodes.iter().rev().cloned().collect()
    }

    /// At most `limit` of the verdicts kept, the newest first.
    #[must_use]
    pub fn newest(&self, filter: &Filter, limit: usize) -> Vec<Arc<Verdict>> {
        let harmless = self.harmless.iter().filter(|_| filter.takes_harmless());
        let mut found: Vec<Arc<Verdict>> =
            self.newest.iter().chain(harmless).filter(|verdict| filter.takes(verdict)).cloned().collect();
        found.sort_by_key(|verdict| std::cmp::Reverse(verdict.at));
        found.truncate(limit);
        found
    }

    /// How many verdicts of each cause fell when, up to `now`.
    #[must_use]
    pub fn over_time(&self, span: Span, now: KernelTime) -> Vec<Bucket> {
        match span {
            Span::Hour => self.hour.buckets(now),
            Span::Day => self.day.buckets(now),
        }
    }

    /// Verdicts by server since the start.
    #[must_use]
    pub fn servers(&self) -> &BTreeMap<ServerKey, CauseCounts> {
        &self.servers
    }

    /// Verdicts since the start.
    #[must_use]
    pub fn totals(&self) -> &CauseCounts {
        &self.totals
    }
}

#[cfg(test)]
mod tests;
