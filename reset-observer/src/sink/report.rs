//! What a report of a session is made of, gathered as the session goes. Bounded, however long it lasts and whatever it sees:
//! everything is counted, and of what is shown one by one the first few and the newest of each kind are kept.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use smol_str::{SmolStr, format_smolstr};

use crate::{
    comparison::Comparison,
    correlate::{Gaps, IdleGaps},
    episode::Episode,
    record::KernelTime,
    sink::{
        Ready,
        clock::WallClock,
        history::CauseCounts,
        servers::{SeenServers, ServerKey},
        summary::Summary,
        upstream::Upstream,
    },
    verdict::{Cause, Confidence, Impact, Request, Verdict, VerdictId},
};

mod course;
mod kept;

pub use course::Course;
pub use kept::Kept;

/// How many verdicts of each cause and impact are kept with their evidence: the first few and the newest. Each takes some
/// 1.5 KiB here and 2 KiB in the report.
const VERDICTS: (usize, usize) = (5, 35);

/// How many hurt requests are listed.
const REQUESTS: (usize, usize) = (100, 400);

/// How many crashes and restarts.
const EPISODES: (usize, usize) = (20, 80);

/// How many marks are drawn.
const MARKS: (usize, usize) = (10, 10);

/// How many characters of a request line and a host are shown. nginx itself logs at most 2048 of a whole line.
const LONGEST_TEXT: usize = 200;

/// What a report is made of.
#[derive(Clone, Debug)]
pub struct Report {
    pub(in crate::sink) clock: WallClock,
    pub(in crate::sink) ready: Option<Ready>,
    pub(in crate::sink) caveats: Vec<String>,
    pub(in crate::sink) course: Course,
    pub(in crate::sink) sure: BTreeMap<Cause, u64>,
    pub(in crate::sink) verdicts: BTreeMap<(Cause, Impact), Kept<Verdict>>,
    pub(in crate::sink) requests: Kept<HurtRequest>,
    pub(in crate::sink) servers: BTreeMap<ServerKey, ServerSeen>,
    pub(in crate::sink) episodes: Kept<Episode>,
    pub(in crate::sink) marks: Kept<KernelTime>,
    seen: SeenServers,
}

/// A request that failed, or that nginx had to try again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HurtRequest {
    /// When its connection ended.
    pub at: KernelTime,
    /// The verdict's name.
    pub id: VerdictId,
    /// Why.
    pub cause: Cause,
    /// What became of it.
    pub impact: Impact,
    /// The server it was for.
    pub server: String,
    /// The request, where nginx's log names it.
    pub request: Option<Request>,
}

/// What happened at one server.
#[derive(Clone, Debug, Default)]
pub struct ServerSeen {
    /// Its address; `None` of what stands for all servers beyond the bound.
    pub address: Option<SocketAddr>,
    /// Verdicts.
    pub counts: CauseCounts,
    /// How long connections had lain idle before the requests that were hurt, by cause.
    pub hurt: BTreeMap<Cause, Gaps>,
    /// What to change, by cause: the newest advice, and how often there was any.
    pub advice: BTreeMap<Cause, (String, u64)>,
}

/// What is known only at the end of a session.
#[derive(Clone, Debug)]
pub struct Ending {
    /// The counts.
    pub summary: Summary,
    /// Both sides of the idle connections to each server whose timeout was learned.
    pub upstreams: Vec<Upstream>,
    /// How long connections to each server had lain idle.
    pub gaps: BTreeMap<SocketAddr, IdleGaps>,
    /// Connections that were opened on this host, by the kernel's counters; `None` where those were not read at the end, so
    /// that resets and losses are not known either.
    pub connections: Option<u64>,
    /// Records of the kernel's that were read.
    pub records: u64,
    /// Both sides of a mark.
    pub comparison: Option<Comparison>,
}

impl Report {
    /// Nothing happened yet; times are shown by `clock`.
    #[must_use]
    pub fn new(clock: WallClock) -> Self {
        Self {
            clock,
            ready: None,
            caveats: Vec::new(),
            course: Course::start(KernelTime(0)),
            sure: BTreeMap::new(),
            verdicts: BTreeMap::new(),
            requests: Kept::new(REQUESTS),
            servers: BTreeMap::new(),
            episodes: Kept::new(EPISODES),
            marks: Kept::new(MARKS),
            seen: SeenServers::default(),
        }
    }

    /// The session begins.
    pub fn ready(&mut self, ready: &Ready) {
        self.course = Course::start(ready.at);
        self.ready = Some(ready.clone());
    }

    /// Something that whoever reads the report must know of it, as a sentence.
    pub fn caveat(&mut self, sentence: String) {
        self.caveats.push(sentence);
    }

    /// Takes a verdict; with its evidence only where it is `worth` it.
    pub fn verdict(&mut self, verdict: &Verdict, worth: bool) {
        self.course.add(verdict.at, verdict.cause);
        *self.sure.entry(verdict.cause).or_default() += u64::from(verdict.confidence == Confidence::High);
        self.server(verdict);
        if !worth {
            return;
        }
        if matches!(verdict.impact, Impact::RequestFailed | Impact::RequestRetried) {
            self.requests.add(HurtRequest::of(verdict));
        }
        let kept = self.verdicts.entry((verdict.cause, verdict.impact));
        kept.or_insert_with(|| Kept::new(VERDICTS)).add(verdict.clone());
    }

    fn server(&mut self, verdict: &Verdict) {
        let Some(upstream) = &verdict.upstream else { return };
        let key = self.seen.admit(upstream);
        let address = SocketAddr::new(verdict.remote.addr, verdict.remote.port);
        let is_itself = key.server == upstream.server;
        let server = self.servers.entry(key).or_default();
        server.address = is_itself.then_some(address);
        server.counts.add(verdict.cause);
        if let Some(gap_ms) = verdict.timing.idle_before_request_ms.filter(|_| verdict.impact != Impact::None) {
            let gap = Duration::try_from_secs_f64(gap_ms / 1e3).unwrap_or_default();
            server.hurt.entry(verdict.cause).or_default().add(gap);
        }
        if let Some(advice) = &verdict.advice {
            let told = server.advice.entry(verdict.cause).or_default();
            *told = (advice.clone(), told.1 + 1);
        }
    }

    /// Takes an episode that is over.
    pub fn episode(&mut self, episode: &Episode) {
        self.episodes.add(episode.clone());
    }

    /// Something was changed at this instant.
    pub fn mark(&mut self, at: KernelTime) {
        self.marks.add(at);
    }

    /// The addresses of the servers that something happened at, each once, in order.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let mut addresses: Vec<SocketAddr> = self.servers.values().filter_map(|server| server.address).collect();
        addresses.sort_unstable();
        addresses.dedup();
        addresses
    }
}

impl HurtRequest {
    fn of(verdict: &Verdict) -> Self {
        let server = match &verdict.upstream {
            Some(upstream) => upstream.server.clone(),
            None => SocketAddr::new(verdict.remote.addr, verdict.remote.port).to_string(),
        };
        let request = verdict.request.as_ref().map(|request| Request {
            line: shortened(&request.line),
            client: shortened(&request.client),
            host: request.host.as_ref().map(shortened),
        });
        Self { at: verdict.at, id: verdict.id, cause: verdict.cause, impact: verdict.impact, server, request }
    }
}

fn shortened(text: &SmolStr) -> SmolStr {
    match text.char_indices().nth(LONGEST_TEXT) {
        Some((end, _)) => format_smolstr!("{}…", &text[..end]),
        None => text.clone(),
    }
}

#[cfg(test)]
mod tests;
