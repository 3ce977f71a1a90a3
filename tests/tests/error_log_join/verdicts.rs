//! What the observer said of each try, beside the truth.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use lab::observer::Observer;
use rustix::process::Signal;
use serde_json::Value;

use crate::truth::{End, Try, Way, apart, unambiguous};

/// How long a verdict usually takes at most.
const ORDINARY: Duration = Duration::from_secs(3);

/// How long the last verdict may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The verdicts on the proxy's ends, by connection. The port of one may be used again by another.
pub(crate) struct Verdicts(HashMap<Way, Vec<Value>>);

impl Verdicts {
    /// Waits until each try has a verdict, but for responses cut short of which there were too many at once.
    pub(crate) fn of_all(observer: &Observer, tries: &[Try]) -> Result<Self> {
        let mut expected: HashMap<Way, usize> = HashMap::new();
        tries.iter().for_each(|attempt| *expected.entry(attempt.way).or_default() += 1);
        // A port that served several tries has several verdicts, and it is not known which of them is missing.
        let cut_short: HashSet<Way> =
            tries.iter().filter(|attempt| attempt.end == End::CutShort).map(|attempt| attempt.way).collect();
        let started = Instant::now();
        loop {
            let verdicts = Self::so_far(observer);
            let is_missing = |attempt: &&Try| verdicts.on(attempt.way).len() < expected[&attempt.way];
            let waited = started.elapsed();
            // Of FINs that follow payload at once the kernel side details only so many a second, which it counts.
            let may_be_missing = |attempt: &Try| cut_short.contains(&attempt.way) && waited >= ORDINARY;
            if tries.iter().filter(is_missing).all(may_be_missing) {
                return Ok(verdicts);
            }
            ensure!(waited < PATIENCE, verdicts.what_is_missing(observer, tries, expected.len()));
            // Some of what is waited for may have come long ago.
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn so_far(observer: &Observer) -> Self {
        let mut by_way: HashMap<Way, Vec<Value>> = HashMap::new();
        for line in observer.lines(0) {
            let Ok(verdict) = serde_json::from_str::<Value>(&line) else { continue };
            if verdict["type"] == "verdict"
                && verdict["leg"] == "upstream"
                && let Some(way) = end(&verdict["remote"]).zip(end(&verdict["local"]))
            {
                by_way.entry(way).or_default().push(verdict);
            }
        }
        Self(by_way)
    }

    /// Which connections have no verdict, and what the observer says that it lost.
    fn what_is_missing(&self, observer: &Observer, tries: &[Try], connections: usize) -> String {
        let missing: Vec<String> = tries
            .iter()
            .filter(|attempt| self.on(attempt.way).is_empty())
            .map(|attempt| format!("{:?} of {} on {}", attempt.end, attempt.line, attempt.way.1))
            .collect();
        let ended =
            observer.signal(Signal::INT).and_then(|()| observer.wait_for_line(|line| line["type"] == "summary"));
        let lost = ended.map(|summary| summary["lost"].clone());
        let port_of_first =
            tries.iter().find(|attempt| self.on(attempt.way).is_empty()).map(|first| first.way.1.port());
        let port = format!("\"port\":{}}}", port_of_first.unwrap_or_default());
        let of_first: Vec<String> = observer.lines(0).into_iter().filter(|line| line.contains(&port)).collect();
        let said = (of_first, observer.complaints());
        format!("{} of {connections} connections have no verdict: {missing:#?}; {lost:?}; {said:#?}", missing.len())
    }

    fn on(&self, way: Way) -> &[Value] {
        self.0.get(&way).map_or(&[], Vec::as_slice)
    }

    /// The request that a try's verdict names.
    pub(crate) fn request(&self, attempt: &Try) -> Option<&str> {
        self.on(attempt.way).iter().find_map(|verdict| verdict["request"]["line"].as_str())
    }

    /// The cause that it gives.
    pub(crate) fn cause(&self, attempt: &Try) -> Option<&str> {
        self.on(attempt.way).first().and_then(|verdict| verdict["cause"].as_str())
    }

    fn known_impacts(&self, tries: &[Try]) -> usize {
        let known = |attempt: &&Try| self.on(attempt.way).iter().any(|verdict| verdict["impact"] != "unknown");
        tries.iter().filter(known).count()
    }

    /// Nothing that is said is wrong, and of what can be told at least 95 in 100 are.
    pub(crate) fn assert_right(&self, tries: &[Try]) {
        let wrong: Vec<String> =
            self.0.values().flatten().filter_map(|verdict| what_is_wrong(verdict, tries)).collect();
        let joined =
            |tries: &[&Try]| tries.iter().filter(|attempt| self.request(attempt) == Some(&attempt.line)).count();
        for end in [End::Reset, End::ClosedWithoutAnswer, End::CutShort] {
            let of_kind: Vec<&Try> = tries.iter().filter(|attempt| attempt.end == end).collect();
            println!("{end:?}: {} of {} joined", joined(&of_kind), of_kind.len());
        }
        let mut alone = unambiguous(tries);
        alone.retain(|attempt| !self.on(attempt.way).is_empty());
        for (of, some) in [("all", tries.iter().collect()), ("100 ms", apart(tries, Duration::from_millis(100)))] {
            println!("{of}: {} of {} joined", joined(&some), some.len());
        }
        println!("unambiguous: {} of {} joined", joined(&alone), alone.len());
        println!("impact: {} of {} known", self.known_impacts(tries), tries.len());
        for attempt in alone.iter().filter(|attempt| self.request(attempt).is_none()) {
            println!("left out: {} {:?}: {:?}", attempt.line, attempt.end, self.on(attempt.way).first());
        }
        assert!(wrong.is_empty(), "{} are wrong: {wrong:#?}", wrong.len());
        assert!(alone.len() >= 20, "the lab itself: only {} tries are unambiguous", alone.len());
        assert!(joined(&alone) * 100 >= alone.len() * 95, "only {} of {} are joined", joined(&alone), alone.len());
    }
}

/// Whether what a verdict says of its request, and of what became of it, is not true.
fn what_is_wrong(verdict: &Value, tries: &[Try]) -> Option<String> {
    let way = end(&verdict["remote"]).zip(end(&verdict["local"]))?;
    let carried: Vec<&Try> = tries.iter().filter(|attempt| attempt.way == way).collect();
    let lines: Vec<&str> = carried.iter().map(|attempt| attempt.line.as_str()).collect();
    if verdict["request"]["line"].as_str().is_some_and(|line| !lines.contains(&line)) {
        return Some(format!("it carried {lines:?}: {verdict}"));
    }
    let [attempt] = carried[..] else { return None };
    let truth = if attempt.served { "request_retried" } else { "request_failed" };
    let is_true = verdict["impact"] == truth || verdict["impact"] == "unknown";
    (!is_true).then(|| format!("{truth} is the truth of {}: {verdict}", attempt.line))
}

fn end(endpoint: &Value) -> Option<SocketAddr> {
    let port = u16::try_from(endpoint["port"].as_u64()?).ok()?;
    Some(SocketAddr::new(endpoint["addr"].as_str()?.parse().ok()?, port))
}
