//! What a scenario did, as a fact: what the observer must say, and what it may say.

use std::net::SocketAddr;

use serde::Serialize;

use crate::cell::View;

/// A verdict that must be given, exactly once, for one connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Expected {
    /// The cause, by its public name.
    pub cause: &'static str,
    /// The proxy's port of the connection; none if the scenario cannot know it.
    pub local_port: Option<u16>,
    /// Causes that are as right where the evidence cannot tell them from it.
    pub or: Vec<&'static str>,
    /// Whether the evidence can exclude every other cause: if not, `high` is wrong.
    pub provable: bool,
    /// What it did to the request, by its public name; none where nginx's doings leave it open.
    pub impact: Option<&'static str>,
}

impl Expected {
    /// Whether this cause, said so confidently, is right.
    pub fn is_met_by(&self, cause: &str, confidence: &str) -> bool {
        (self.cause == cause || self.or.contains(&cause)) && (self.provable || confidence != "high")
    }
}

/// The truth of one run of a scenario.
#[derive(Debug, Clone, Serialize)]
pub struct Truth {
    /// The upstream server as the proxy reaches it.
    pub server: SocketAddr,
    /// The verdicts that must be given.
    pub expected: Vec<Expected>,
    /// Causes of further verdicts that are right as well; `idle_close` always is.
    pub also_right: Vec<&'static str>,
    /// How many harmless closes of idle connections must be told at least: a negative control that sees nothing at all
    /// controls nothing.
    pub idle_closes: usize,
    /// The status codes that the client got, in order.
    pub statuses: Vec<u16>,
    /// What nginx wrote to its error log.
    pub error_log: Vec<String>,
    /// What the lab itself measured that proves the mechanism.
    pub proof: Vec<String>,
}

impl Truth {
    /// Nothing expected yet of `server`.
    pub fn of(server: SocketAddr) -> Self {
        Self {
            server,
            expected: Vec::new(),
            also_right: Vec::new(),
            idle_closes: 0,
            statuses: Vec::new(),
            error_log: Vec::new(),
            proof: Vec::new(),
        }
    }

    /// One more verdict that must be given.
    pub fn expect(self, cause: &'static str, connection: Option<SocketAddr>, impact: Option<&'static str>) -> Self {
        self.expect_at(cause, connection.map(|peer| peer.port()), impact)
    }

    /// The same for a connection that is known by the proxy's port.
    pub fn expect_at(mut self, cause: &'static str, local_port: Option<u16>, impact: Option<&'static str>) -> Self {
        self.expected.push(Expected { cause, or: Vec::new(), provable: true, local_port, impact });
        self
    }

    /// Of the verdict named last: where the backend's host is out of sight, these causes look the same and none of them
    /// is certain.
    pub fn unless_seen(mut self, view: View, others: &[&'static str]) -> Self {
        if let Some(expected) = self.expected.last_mut().filter(|_| view == View::Proxy) {
            expected.or = others.to_vec();
            expected.provable = false;
        }
        self
    }

    /// One more measurement that proves the mechanism.
    pub fn prove(mut self, measured: String) -> Self {
        self.proof.push(measured);
        self
    }

    /// Further verdicts of this cause are right as well.
    pub fn allow(mut self, cause: &'static str) -> Self {
        self.also_right.push(cause);
        self
    }
}
