//! Which verdicts belong to which episode.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use super::{Episode, open::Open};
use crate::{
    correlate::Case,
    record::KernelTime,
    verdict::{Cause, Impact, Leg, Signal, Verdict},
};

/// Without a sign for so long an episode is over. nginx leaves a failed server alone for `fail_timeout`, 10 s unless set
/// ([documentation]), before it tries again and is refused again.
///
/// [documentation]: https://nginx.org/en/docs/http/ngx_http_upstream_module.html#fail_timeout
const QUIET: Duration = Duration::from_secs(15);

/// Verdicts of idle connections fall so many settle windows after the cut.
const LATEST_WINDOWS: u32 = 7;

/// Connections cut within this time of each other were cut together.
const TOGETHER: Duration = Duration::from_millis(50);

/// A process closes its connections before its listener, which refuses only then; what was cut so long before a refusal
/// belongs to it.
const BEFORE_REFUSAL: Duration = Duration::from_secs(1);

/// Episodes that go on at a time. Beyond it the oldest are taken to be over.
const MAX_OPEN: usize = 1024;

/// The episodes that go on, by server.
#[derive(Debug)]
pub struct Episodes {
    late: Duration,
    open: BTreeMap<SocketAddr, Open>,
    ended: Vec<Episode>,
    /// None of those that go on is over before this; `None` if nothing goes on.
    soonest: Option<KernelTime>,
}

impl Episodes {
    /// For verdicts that wait `settle` for corroboration.
    #[must_use]
    pub fn new(settle: Duration) -> Self {
        Self { late: settle * LATEST_WINDOWS, open: BTreeMap::new(), ended: Vec::new(), soonest: None }
    }

    /// Takes a case and its verdict, and gives the name of the episode that it belongs to, if any.
    pub fn take(&mut self, case: &Case, verdict: &Verdict) -> Option<String> {
        if verdict.leg != Leg::Upstream {
            return None;
        }
        let server = case.connection.ends().remote;
        if begins_one(verdict) {
            self.end_if_another(server, verdict.at);
            self.make_room(server);
            let open = self.open.entry(server).or_insert_with(|| Open::new(server, verdict));
            open.add(case, verdict);
            let (id, deadline) = (open.id.clone(), deadline(open, self.late));
            self.look_at(deadline);
            return Some(id);
        }
        let open = self.open.get_mut(&server)?;
        if belongs(open, case, verdict) {
            open.add(case, verdict);
            return Some(open.id.clone());
        }
        let served = case.connection.snapshot().is_some_and(|snapshot| snapshot.bytes_received > 0);
        if let Some(opened) = case.connection.opened_at().filter(|_| served) {
            open.note_back(opened);
            let deadline = deadline(open, self.late);
            self.look_at(deadline);
        }
        None
    }

    /// One of them is over at this time, as it stands.
    fn look_at(&mut self, deadline: KernelTime) {
        self.soonest = Some(self.soonest.map_or(deadline, |soonest| soonest.min(deadline)));
    }

    /// A sign that comes after the server was back, or long after the last one, is of another episode.
    fn end_if_another(&mut self, server: SocketAddr, at: KernelTime) {
        let over = |open: &Open| open.back.is_some_and(|back| at > back) || at > open.to.after(QUIET);
        if self.open.get(&server).is_some_and(over) {
            self.end(server);
        }
    }

    fn make_room(&mut self, server: SocketAddr) {
        if self.open.len() >= MAX_OPEN && !self.open.contains_key(&server) {
            let oldest = self.open.iter().min_by_key(|(_, open)| open.to).map(|(server, _)| *server);
            oldest.into_iter().for_each(|server| self.end(server));
        }
    }

    fn end(&mut self, server: SocketAddr) {
        self.ended.extend(self.open.remove(&server).map(Open::close));
    }

    /// When [`Self::poll`] has something to do next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<KernelTime> {
        let now = (!self.ended.is_empty()).then_some(KernelTime(0));
        self.open.values().map(|open| deadline(open, self.late)).chain(now).min()
    }

    /// The episodes that are over by `now`, in the order in which they began.
    pub fn poll(&mut self, now: KernelTime) -> Vec<Episode> {
        if self.soonest.is_some_and(|soonest| soonest <= now) {
            let over = self.open.iter().filter(|(_, open)| deadline(open, self.late) <= now);
            let over: Vec<SocketAddr> = over.map(|(server, _)| *server).collect();
            over.into_iter().for_each(|server| self.end(server));
            self.soonest = self.open.values().map(|open| deadline(open, self.late)).min();
        }
        let mut ended = std::mem::take(&mut self.ended);
        ended.sort_by(|one, other| (one.from, &one.id).cmp(&(other.from, &other.id)));
        ended
    }

    /// All that go on, as they are: the end of a session.
    pub fn flush(&mut self) -> Vec<Episode> {
        self.poll(KernelTime(u64::MAX))
    }
}

/// When it is over, as it stands.
fn deadline(open: &Open, late: Duration) -> KernelTime {
    match open.back {
        Some(back) => back.after(late),
        None => open.to.after(QUIET + late),
    }
}

/// The server as a whole went away. Harmless closes alone are none, however many: so a server ends that drains.
fn begins_one(verdict: &Verdict) -> bool {
    let cause = matches!(verdict.cause, Cause::BackendCrash | Cause::BackendRestart | Cause::ConnectionRefused);
    cause && verdict.impact != Impact::None
}

/// The server's end cut it at the same time, whatever is known of why.
fn belongs(open: &Open, case: &Case, verdict: &Verdict) -> bool {
    let by_peer = matches!(verdict.signal, Signal::FinReceived | Signal::RstReceived);
    let elsewhere = matches!(
        verdict.cause,
        Cause::MiddleboxIdleDrop | Cause::ClientAbort | Cause::ProxyTimeout | Cause::ProxyCrash
    );
    let at = verdict.at;
    let together = open.cuts.is_some_and(|(first, last)| at.after(TOGETHER) >= first && at <= last.after(TOGETHER));
    let went = case.server.refused || case.server.exit.is_some();
    let before = at.after(BEFORE_REFUSAL) >= open.from && at <= open.to;
    by_peer && !elsewhere && (together || went && before)
}
