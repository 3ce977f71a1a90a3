//! A bound on how many upstream servers are told apart, so that a host which talks to thousands does not fill memory,
//! nor the metrics database.

use std::collections::BTreeSet;

use crate::verdict::UpstreamLabel;

/// How many pairs of upstream and server are told apart; the rest is counted together as [`OTHER`].
pub const MAX_SERVERS: usize = 200;

/// Name of the upstream and of the server that stand for all beyond the bound.
pub const OTHER: &str = "other";

/// An upstream block and a server in it; empty where there is none or its name is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerKey {
    /// Name of the upstream block.
    pub upstream: String,
    /// Address of the server.
    pub server: String,
}

impl ServerKey {
    fn other() -> Self {
        Self { upstream: OTHER.to_owned(), server: OTHER.to_owned() }
    }
}

impl From<&UpstreamLabel> for ServerKey {
    fn from(label: &UpstreamLabel) -> Self {
        Self { upstream: label.name.clone().unwrap_or_default(), server: label.server.clone() }
    }
}

/// The servers seen first, up to the bound.
#[derive(Clone, Debug, Default)]
pub struct SeenServers(BTreeSet<ServerKey>);

impl SeenServers {
    /// The server itself while there is room, else the one that stands for the rest.
    pub fn admit(&mut self, server: &UpstreamLabel) -> ServerKey {
        let key = ServerKey::from(server);
        if self.0.contains(&key) {
            return key;
        }
        if self.0.len() >= MAX_SERVERS {
            return ServerKey::other();
        }
        self.0.insert(key.clone());
        key
    }

    /// How many servers are told apart by now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no server was seen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(server: usize) -> UpstreamLabel {
        UpstreamLabel { name: Some("backend".to_owned()), server: format!("10.0.0.{server}:80") }
    }

    #[test]
    fn servers_beyond_the_bound_are_counted_together_and_known_ones_keep_their_name() {
        let mut seen = SeenServers::default();
        for server in 0..MAX_SERVERS {
            assert_eq!(seen.admit(&label(server)), ServerKey::from(&label(server)));
        }
        assert_eq!(seen.admit(&label(MAX_SERVERS)), ServerKey::other());
        assert_eq!(seen.admit(&label(7)), ServerKey::from(&label(7)));
        assert_eq!(seen.len(), MAX_SERVERS);
    }
}
