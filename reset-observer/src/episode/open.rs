//! An episode that goes on.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use super::{Away, Episode};
use crate::{
    correlate::Case,
    record::{Exit, KernelTime},
    verdict::{Cause, Confidence, Evidence, Impact, ProcessLabel, UpstreamLabel, Verdict},
};

/// What was seen of it so far.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) id: String,
    upstream: UpstreamLabel,
    pub(super) from: KernelTime,
    pub(super) to: KernelTime,
    /// First and last connection that was cut.
    pub(super) cuts: Option<(KernelTime, KernelTime)>,
    last_refused: Option<KernelTime>,
    /// When the first connection was opened that the server served afterwards.
    pub(super) back: Option<KernelTime>,
    connections: u64,
    refused: u64,
    requests: BTreeMap<Impact, u64>,
    causes: BTreeMap<Cause, u64>,
    confidence: BTreeMap<Cause, Confidence>,
    exit: Option<Exit>,
    process: Option<Arc<ProcessLabel>>,
    oom_killed: bool,
}

impl Open {
    /// Begins with this verdict.
    pub(super) fn new(server: SocketAddr, verdict: &Verdict) -> Self {
        let unnamed = || UpstreamLabel { name: None, server: server.to_string() };
        Self {
            id: format!("{server}@{}", verdict.at.0 / 1_000_000),
            upstream: verdict.upstream.as_deref().cloned().unwrap_or_else(unnamed),
            from: verdict.at,
            to: verdict.at,
            cuts: None,
            last_refused: None,
            back: None,
            connections: 0,
            refused: 0,
            requests: BTreeMap::new(),
            causes: BTreeMap::new(),
            confidence: BTreeMap::new(),
            exit: None,
            process: None,
            oom_killed: false,
        }
    }

    /// Takes a verdict that belongs to it.
    pub(super) fn add(&mut self, case: &Case, verdict: &Verdict) {
        let at = verdict.at;
        (self.from, self.to) = (self.from.min(at), self.to.max(at));
        if verdict.cause == Cause::ConnectionRefused {
            self.refused += 1;
            self.last_refused = self.last_refused.max(Some(at));
        } else {
            self.connections += 1;
            self.cuts = Some(self.cuts.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
        }
        if verdict.impact != Impact::None {
            *self.requests.entry(verdict.impact).or_default() += 1;
        }
        *self.causes.entry(verdict.cause).or_default() += 1;
        let surest = self.confidence.entry(verdict.cause).or_insert(verdict.confidence);
        *surest = verdict.confidence.min(*surest);
        self.oom_killed |= verdict.evidence.contains(&Evidence::OomKilled);
        let peer = case.peer.as_ref().and_then(|peer| Some((peer.exit()?, peer.process().cloned())));
        match peer {
            Some((exit, process)) => (self.exit, self.process) = (Some(exit), process.or(self.process.take())),
            None => self.exit = self.exit.or(case.server.exit),
        }
    }

    /// The server served a connection that was opened at this time, after everything so far.
    pub(super) fn note_back(&mut self, opened: KernelTime) {
        if opened > self.to {
            self.back = Some(self.back.map_or(opened, |back| back.min(opened)));
        }
    }

    /// What it was, by all that is known now.
    pub(super) fn close(self) -> Episode {
        let (cause, confidence) = self.cause();
        let at_least = self.last_refused.map(|last| last.since(self.from)).unwrap_or_default();
        let at_most = self.back.map(|back| back.since(self.from));
        Episode {
            id: self.id,
            upstream: self.upstream,
            cause,
            confidence,
            from: self.from,
            to: self.to,
            connections: self.connections,
            refused: self.refused,
            requests: self.requests,
            causes: self.causes,
            away: Away { at_least, at_most },
            process: self.process.map(Arc::unwrap_or_clone),
            exit: self.exit.map(|exit| exit.to_string()),
            oom_killed: self.oom_killed,
        }
    }

    /// How a process ended decides between crash and restart; without it, what the verdicts say.
    fn cause(&self) -> (Cause, Confidence) {
        let said = |cause| self.confidence.get(&cause).map(|confidence| (cause, *confidence));
        let by_exit = self.exit.map(|exit| {
            let cause = if exit.in_good_order() { Cause::BackendRestart } else { Cause::BackendCrash };
            said(cause).unwrap_or((cause, Confidence::Medium))
        });
        let told = said(Cause::BackendCrash).or_else(|| said(Cause::BackendRestart));
        by_exit.or(told).or_else(|| said(Cause::ConnectionRefused)).unwrap_or((Cause::Unknown, Confidence::Low))
    }
}
