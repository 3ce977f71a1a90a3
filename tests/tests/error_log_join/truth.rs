//! Which connection carried which request: by the servers' own words, and by nginx's log whose worker it was.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::place::Place;
use crate::traffic::Asked;

/// Another failure this near to a try may own its line: the window of the joiner.
const WINDOW: Duration = Duration::from_millis(1200);

/// A connection: the server and the proxy's end.
pub(crate) type Way = (SocketAddr, SocketAddr);

/// How nginx hears of the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Reset,
    ClosedWithoutAnswer,
    CutShort,
}

/// A request that a server failed.
pub(crate) struct Try {
    pub(crate) way: Way,
    pub(crate) end: End,
    /// Its request line.
    pub(crate) line: String,
    /// Whether its client was served all the same.
    pub(crate) served: bool,
    worker: u32,
    sent: Instant,
    answered: Instant,
}

impl End {
    fn asked_for(path: &str) -> Option<Self> {
        match path.split('/').nth(1)? {
            "linger0" | "cut-reset" => Some(Self::Reset),
            "close" => Some(Self::ClosedWithoutAnswer),
            "cut" => Some(Self::CutShort),
            _ => None,
        }
    }
}

impl Try {
    /// Whether `other` may be mistaken for it by anyone who knows worker, server, kind of end, and the time to `window`.
    fn is_near(&self, other: &Self, window: Duration) -> bool {
        let alike = (self.worker, self.way.0, self.end) == (other.worker, other.way.0, other.end);
        alike && self.sent <= other.answered + window && other.sent <= self.answered + window
    }
}

/// Every try that failed.
pub(crate) fn tries(place: &Place, asked: &[Asked]) -> Result<Vec<Try>> {
    let by_path: HashMap<&str, &Asked> = asked.iter().map(|asked| (asked.path.as_str(), asked)).collect();
    let logged = place.logged()?;
    let workers: HashMap<(&str, SocketAddr), u32> = logged.iter().filter_map(|line| worker(line)).collect();
    let mut tries = Vec::new();
    for (server, backend) in &place.failing {
        for (peer, path) in backend.lines().iter().filter_map(|line| request(line)) {
            let Some(end) = End::asked_for(&path) else { continue };
            let asked = by_path.get(path.as_str()).with_context(|| format!("nobody asked for {path}"))?;
            let worker = workers.get(&(path.as_str(), *server));
            tries.push(Try {
                way: (*server, peer),
                end,
                line: format!("{} {path} HTTP/1.1", asked.method),
                served: asked.served,
                worker: *worker
                    .with_context(|| format!("the lab itself: nginx logged nothing of {path} at {server}"))?,
                sent: asked.sent,
                answered: asked.answered,
            });
        }
    }
    Ok(tries)
}

/// Which tries nothing can be mistaken for: no other one of the same worker, server and kind of end was under way within
/// the window before it began or after it ended.
pub(crate) fn unambiguous(tries: &[Try]) -> Vec<&Try> {
    apart(tries, WINDOW)
}

/// The same with another window.
pub(crate) fn apart(tries: &[Try], window: Duration) -> Vec<&Try> {
    let alone =
        |at: usize| tries.iter().enumerate().all(|(other, another)| other == at || !tries[at].is_near(another, window));
    tries.iter().enumerate().filter(|(at, _)| alone(*at)).map(|(_, attempt)| attempt).collect()
}

/// What a server says of a request: the proxy's end, and the path.
fn request(line: &str) -> Option<(SocketAddr, String)> {
    let event: Value = serde_json::from_str(line).ok()?;
    let path = event["path"].as_str().filter(|_| event["event"] == "request")?;
    Some((event["peer"].as_str()?.parse().ok()?, path.to_owned()))
}

/// Path, server and worker of a line of nginx's.
fn worker(line: &str) -> Option<((&str, SocketAddr), u32)> {
    let after = |word: &str| Some(line.split_once(word)?.1);
    let path = after("request: \"")?.split(' ').nth(1)?;
    let server = after("upstream: \"http://")?.split('/').next()?.parse().ok()?;
    let pid = after("[error] ")?.split('#').next()?.parse().ok()?;
    Some(((path, server), pid))
}
