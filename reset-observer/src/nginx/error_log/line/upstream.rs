//! The server that a request went to.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::bytes::{cut, shown};

/// Where the server listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Peer {
    /// An address.
    Tcp(SocketAddr),
    /// The path of a Unix socket: no TCP connection.
    Unix(SmolStr),
    /// The name of an upstream block: nginx had not chosen a server.
    Name(SmolStr),
}

impl Peer {
    /// The address, if it is one.
    #[must_use]
    pub const fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Unix(_) | Self::Name(_) => None,
        }
    }
}

/// The server that a request went to, and what was asked of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Upstream {
    /// `http`, `https`, `grpc`, `fastcgi`...; empty in lines of the `stream` module.
    pub scheme: SmolStr,
    /// The server.
    pub peer: Peer,
    /// The URI that nginx asked for, which may be empty.
    pub uri: SmolStr,
}

impl Upstream {
    /// Reads `SCHEME://PEER[:]URI`, or `PEER` alone.
    pub(super) fn read(value: &[u8]) -> Self {
        // In a URI, `://` may come again.
        let scheme = cut(value, b"://").filter(|(scheme, _)| scheme.iter().all(u8::is_ascii_alphanumeric));
        let (scheme, rest) = scheme.unwrap_or((b"", value));
        let (peer, uri) = match rest.strip_prefix(b"unix:") {
            Some(path) if scheme.is_empty() => (Peer::Unix(shown(path)), &b""[..]),
            Some(path) => {
                let (path, uri) = cut(path, b":").unwrap_or((path, b""));
                (Peer::Unix(shown(path)), uri)
            }
            None => {
                let end = rest.iter().position(|byte| b"/?#".contains(byte)).unwrap_or(rest.len());
                (peer(&rest[..end]), &rest[end..])
            }
        };
        Self { scheme: shown(scheme), peer, uri: shown(uri) }
    }
}

fn peer(name: &[u8]) -> Peer {
    let address = std::str::from_utf8(name).ok().and_then(|name| name.parse().ok());
    address.map_or_else(|| Peer::Name(shown(name)), Peer::Tcp)
}
