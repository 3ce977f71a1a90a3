//! The router between proxy and backend: plain, or with real connection tracking that forgets idle connections.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::interrupt;
use crate::namespace::Namespace;

/// What the router does with connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Router {
    /// Forwards everything.
    Plain,
    /// Tracks connections, forgets those idle for `idle_seconds`, and treats their next packet as `forgotten` says.
    Tracking {
        /// How long an established connection is remembered without traffic, in seconds.
        idle_seconds: u32,
        /// What happens to a packet of a connection that it does not know.
        forgotten: Forgotten,
    },
}

/// What a tracking router does with a packet of a connection that it does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgotten {
    /// Answers it with a TCP reset in the name of its destination.
    Reset,
    /// Drops it without a word.
    Silence,
}

impl Router {
    /// Sets the router up in namespace `node`.
    pub fn install(self, node: &Namespace) -> Result<()> {
        let Self::Tracking { idle_seconds, forgotten } = self else { return Ok(()) };
        let answer = match forgotten {
            Forgotten::Reset => "reject with tcp reset",
            Forgotten::Silence => "drop",
        };
        let rules = format!(
            "table inet lab {{ chain forward {{ type filter hook forward priority 0; policy accept;\n\
             meta l4proto tcp ct state invalid counter {answer}\n}}\n}}\n"
        );
        node.run("nft", &["-f", "-"], &rules)?;
        // Without `loose`, a packet from the middle of an unknown connection is not taken for a new one.
        node.sysctl(&[
            ("netfilter/nf_conntrack_tcp_loose", "0"),
            ("netfilter/nf_conntrack_tcp_timeout_established", &idle_seconds.to_string()),
        ])
    }
}

/// How many TCP connections the router remembers.
pub fn remembered(node: &Namespace) -> Result<usize> {
    // Listing drops what has expired, so the answer is what the next packet would meet.
    Ok(node.run("conntrack", &["-L", "-p", "tcp"], "")?.lines().count())
}

/// Waits until the router has forgotten every connection.
pub fn wait_until_forgotten(node: &Namespace, patience: Duration) -> Result<()> {
    let deadline = Instant::now() + patience;
    while remembered(node)? > 0 {
        interrupt::check()?;
        if Instant::now() > deadline {
            bail!("the router still remembers a connection after {patience:?}");
        }
        // Expiry makes no event that can be awaited: conntrack reports it when it is collected, which may be much later.
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// How many packets of unknown connections the router has met.
pub fn refused_packets(node: &Namespace) -> Result<u64> {
    let rules = node.run("nft", &["list", "table", "inet", "lab"], "")?;
    let count = rules.split_whitespace().skip_while(|word| *word != "packets").nth(1);
    count.and_then(|word| word.parse().ok()).with_context(|| format!("no packet counter in: {rules}"))
}
