//! The observer's records as the checks see them: facts by name, whatever the verdict on them.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::child::{Child, Launch};
use crate::programs;

/// How long a record may take: an emulated machine is slow, and its clock is not.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long the observer may take to get ready: the verifier is what an emulated machine is slowest at.
const READY_PATIENCE: Duration = Duration::from_secs(120);

/// How many lines tell why it did not.
const LAST_WORDS: usize = 12;

/// What the observer writes before each record when it is asked to say more.
const MARK: &str = "debug: record ";

/// One record of the observer's.
#[derive(Debug, Clone)]
pub struct Record(Value);

impl Record {
    fn parse(line: &str) -> Option<Self> {
        Some(Self(serde_json::from_str(line.strip_prefix(MARK)?).ok()?))
    }

    /// Which event it tells of.
    pub fn is(&self, event: &str) -> bool {
        self.0["event"] == event || self.0["event"].get(event).is_some()
    }

    /// A property of a reset sent, such as `active`.
    pub fn of_reset_sent(&self, property: &str) -> &Value {
        &self.0["event"]["reset_sent"][property]
    }

    /// This end.
    pub fn local(&self) -> Option<SocketAddr> {
        self.0["local"].as_str()?.parse().ok()
    }

    /// The other end.
    pub fn remote(&self) -> Option<SocketAddr> {
        self.0["remote"].as_str()?.parse().ok()
    }

    /// Whether it is of the connection between these, as the first of them sees it.
    pub fn is_of(&self, local: impl Into<SocketAddr>, remote: impl Into<SocketAddr>) -> bool {
        self.local() == Some(local.into()) && self.remote() == Some(remote.into())
    }

    /// A field by its path, as in `/snapshot/unacked`; null if it is not there.
    pub fn at(&self, path: &str) -> &Value {
        self.0.pointer(path).unwrap_or(&Value::Null)
    }

    /// Fails with the whole record unless the field at `path` is `expected`.
    pub fn expect(&self, path: &str, expected: impl Into<Value>) -> Result<()> {
        let (found, expected) = (self.at(path), expected.into());
        anyhow::ensure!(*found == expected, "{path} is {found}, not {expected}, in {}", self.0);
        Ok(())
    }
}

/// An observer of all ports whose records are read as they come.
#[derive(Debug)]
pub struct Records {
    observer: Child,
}

impl Records {
    /// Starts the observer with this log level and waits until it watches; gives its `ready` line too.
    pub fn start(log_level: &str) -> Result<(Self, Value)> {
        Self::start_with(log_level, &[])
    }

    /// The same with more arguments.
    pub fn start_with(log_level: &str, more: &[&str]) -> Result<(Self, Value)> {
        let args = ["observe", "--output", "json", "--all", "--log.level", log_level];
        let observer = Launch::new("reset-observer", programs::observer()?).args(args).args(more).start()?;
        let ready = |line: &str| serde_json::from_str(line).ok().filter(|line: &Value| line["type"] == "ready");
        let ready = observer.stdout.wait_for(0, READY_PATIENCE, ready);
        let ready = ready.with_context(|| {
            // The verifier's log has many thousand lines, and the reason stands at the end.
            let said = observer.stderr.all();
            format!("it did not get ready; its last words: {:#?}", &said[said.len().saturating_sub(LAST_WORDS)..])
        })?;
        Ok((Self { observer }, ready))
    }

    /// Waits for the first verdict ever on the connection between these, as the first of them sees it.
    pub fn wait_for_verdict(&self, local: SocketAddr, remote: SocketAddr) -> Result<Value> {
        let is_of =
            |end: &Value, address: SocketAddr| end["addr"] == address.ip().to_string() && end["port"] == address.port();
        let pick = |line: &str| {
            serde_json::from_str(line).ok().filter(|line: &Value| {
                line["type"] == "verdict" && is_of(&line["local"], local) && is_of(&line["remote"], remote)
            })
        };
        self.observer.stdout.wait_for(0, PATIENCE, pick).context("no verdict on that connection")
    }

    /// How much was said so far: a bookmark.
    pub fn bookmark(&self) -> usize {
        self.observer.stderr.count()
    }

    /// Waits for the first record since a bookmark that is `wanted`; `what` names it where it does not come.
    pub fn wait_for(&self, since: usize, what: &str, wanted: impl Fn(&Record) -> bool) -> Result<Record> {
        let pick = |line: &str| Record::parse(line).filter(&wanted);
        self.observer.stderr.wait_for(since, PATIENCE, pick).with_context(|| format!("no record of {what}"))
    }

    /// The records since a bookmark that are `wanted`, as far as they are there.
    pub fn so_far(&self, since: usize, wanted: impl Fn(&Record) -> bool) -> Vec<Record> {
        let lines = self.observer.stderr.since(since);
        lines.iter().filter_map(|line| Record::parse(line)).filter(wanted).collect()
    }
}
