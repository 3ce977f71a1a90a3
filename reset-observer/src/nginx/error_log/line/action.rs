//! What nginx was doing.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::bytes::rfind;
use crate::verdict::closed_enum;

const WHILE: &[u8] = b" while ";

closed_enum! {
    /// What nginx was doing: `log->action`, in nginx's words.
    Action {
        /// The TCP handshake with the upstream server.
        ConnectingToUpstream = "connecting to upstream",
        /// The TLS handshake with the upstream server.
        TlsHandshakingToUpstream = "SSL handshaking to upstream",
        /// The request was on its way.
        SendingRequest = "sending request to upstream",
        /// The request was sent; no whole response header yet.
        ReadingResponseHeader = "reading response header from upstream",
        /// The response header was read, and may have gone to the client.
        ReadingUpstream = "reading upstream",
        /// A WebSocket or the like.
        ProxyingUpgraded = "proxying upgraded connection",
        /// The response was on its way to the client.
        SendingToClient = "sending to client",
        /// An interim response (103) was on its way to the client.
        SendingEarlyHints = "sending early hints to client",
        /// `stream`: bytes go both ways.
        ProxyingConnection = "proxying connection",
        /// `stream`: from the upstream server.
        ProxyingFromUpstream = "proxying and reading from upstream",
        /// `stream`: to the client.
        ProxyingToClient = "proxying and sending to client",
        /// `stream`: from the client.
        ProxyingFromClient = "proxying and reading from client",
        /// `stream`: to the upstream server.
        ProxyingToUpstream = "proxying and sending to upstream",
        /// `stream`: the PROXY protocol's header was on its way.
        SendingProxyHeader = "sending PROXY protocol header to upstream",
        /// The client had not sent a request on its new connection.
        WaitingForRequest = "waiting for request",
        /// The client's request line was incomplete.
        ReadingRequestLine = "reading client request line",
        /// The client's request header was incomplete.
        ReadingRequestHeaders = "reading client request headers",
        /// The TLS handshake with the client.
        TlsHandshaking = "SSL handshaking",
        /// The client's connection was between two requests.
        Keepalive = "keepalive",
        /// Any other.
        Other = "other",
    }
}

impl Action {
    /// Whether nothing of the request was sent on this connection, which is a new one then.
    #[must_use]
    pub const fn before_request(self) -> bool {
        matches!(self, Self::ConnectingToUpstream | Self::TlsHandshakingToUpstream)
    }

    /// Whether a connection stood and no response had come on it: its request may have been taken, or not.
    #[must_use]
    pub const fn before_response(self) -> bool {
        matches!(self, Self::SendingRequest | Self::ReadingResponseHeader)
    }

    /// Whether the response header was read before: from then on nginx tries no other server.
    #[must_use]
    pub const fn after_response_header(self) -> bool {
        use Action as A;
        matches!(self, A::ReadingUpstream | A::ProxyingUpgraded | A::SendingToClient | A::SendingEarlyHints)
    }
}

/// Divides `MSG while ACTION`. In a line without its tail an action that is not known whole is left in the message: it
/// may be cut, or be no action.
pub(super) fn split(what: &[u8], is_complete: bool) -> (&[u8], Option<Action>) {
    // No action holds a quote or a parenthesis; a message may hold the word itself within its own.
    let at = rfind(what, WHILE).filter(|at| !what[*at..].iter().any(|byte| b"\"()".contains(byte)));
    let Some(at) = at else { return (what, None) };
    let said = &what[at + WHILE.len()..];
    let known = Action::ALL.iter().copied().find(|action| action.as_str().as_bytes() == said);
    let whole = known.filter(|action| *action != Action::Other);
    match (whole, is_complete) {
        (Some(action), _) => (&what[..at], Some(action)),
        (None, true) => (&what[..at], Some(Action::Other)),
        (None, false) => (what, None),
    }
}
