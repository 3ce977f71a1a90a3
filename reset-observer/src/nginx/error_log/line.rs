//! One line of nginx's error log, taken apart.
//!
//! `YYYY/MM/DD HH:MM:SS [level] PID#TID: *CONN MSG[ (ERRNO: strerror)][ while ACTION], client: A, server: S
//! [, request: "R"][, subrequest: "U"][, upstream: "SCHEMA PEER[:]URI"][, host: "H"][, referrer: "R"]` ([core], [http]).
//! nginx writes what clients and backends sent as it came: nothing in a line is escaped, and any of it may imitate the
//! line's own grammar. Where two readings are possible the line says so ([`Line::contested`]).
//!
//! [core]: https://github.com/nginx/nginx/blob/release-1.28.0/src/core/ngx_log.c#L95
//! [http]: https://github.com/nginx/nginx/blob/release-1.28.0/src/http/ngx_http_request.c#L3906

use std::net::IpAddr;

use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

mod action;
mod bytes;
mod complaint;
mod head;
mod tail;
mod upstream;
mod written;

pub use action::Action;
pub use complaint::{Call, Complaint, Kind, ProcessEnd};
pub use head::Level;
pub use upstream::{Peer, Upstream};
pub(crate) use written::plain as time_of;

/// The longest line that nginx writes, its line feed included: `NGX_MAX_ERROR_STR` ([source]).
///
/// [source]: https://github.com/nginx/nginx/blob/release-1.28.0/src/core/ngx_log.h#L71
pub const MAX_LINE: usize = 2048;

/// Who the client is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Client {
    /// An IP address; nginx does not log the port.
    Ip(IpAddr),
    /// A Unix socket: no TCP connection.
    Unix,
}

/// One line. Text is what nginx wrote, with control characters and invalid UTF-8 as `\xHH`, so that it may go to a
/// terminal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// When, in the local time of nginx, cut to the second. nginx takes it from the start of the turn of its event
    /// loop: it may be a little earlier than the event, never later than the line.
    #[serde(deserialize_with = "written::deserialize")]
    pub written: DateTime,
    /// How bad nginx finds it.
    pub level: Level,
    /// Process id in the pid namespace of nginx.
    pub pid: u32,
    /// Number of the client's connection, from the start of nginx.
    pub connection: Option<u64>,
    /// What happened.
    pub complaint: Complaint,
    /// What nginx was doing.
    pub action: Option<Action>,
    /// Who asked.
    pub client: Option<Client>,
    /// `server_name` of the virtual server, or the listening address before a request was read.
    pub server: Option<SmolStr>,
    /// The request line.
    pub request: Option<SmolStr>,
    /// The path of the subrequest.
    pub subrequest: Option<SmolStr>,
    /// The server that the request went to.
    pub upstream: Option<Upstream>,
    /// The Host header.
    pub host: Option<SmolStr>,
    /// The Referer header.
    pub referrer: Option<SmolStr>,
    /// The line reached [`MAX_LINE`] or ends within a quoted part: what comes last may be incomplete, and parts that
    /// would follow are missing.
    pub truncated: bool,
    /// The line can be read in more than one way, because it holds text that imitates nginx's own.
    pub contested: bool,
}

impl Line {
    /// Takes a line apart, given without its line feed; `None` if it is none of nginx's. Beyond [`MAX_LINE`] nothing
    /// is read.
    ///
    /// ```
    /// use reset_observer::nginx::error_log::line::{Action, Kind, Line};
    ///
    /// let line = Line::parse(
    ///     b"2026/11/22 13:45:03 [error] 3632#3632: *7 recv() failed (104: Connection reset by peer) while reading \
    ///       response header from upstream, client: 127.0.0.1, server: , request: \"GET /ok HTTP/1.1\", \
    ///       upstream: \"http://10.99.2.1:3000/ok\", host: \"x\"",
    /// )
    /// .unwrap();
    /// assert_eq!((line.complaint.kind, line.complaint.errno), (Kind::Failed, Some(104)));
    /// assert_eq!(line.action, Some(Action::ReadingResponseHeader));
    /// assert_eq!(line.upstream.unwrap().peer.tcp(), Some(([10, 99, 2, 1], 3000).into()));
    /// ```
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let truncated = bytes.len() >= MAX_LINE - 1;
        let (head, rest) = head::read(&bytes[..bytes.len().min(MAX_LINE)])?;
        let (what, tail) = tail::split(rest);
        let (said, action) = action::split(what, tail.is_some());
        let fields = tail.map(tail::read).unwrap_or_default();
        Some(Self {
            written: head.written,
            level: head.level,
            pid: head.pid,
            connection: head.connection,
            complaint: Complaint::read(said),
            action,
            truncated: fields.unclosed || truncated,
            contested: tail::is_contested(rest),
            client: fields.client,
            server: fields.server,
            request: fields.request,
            subrequest: fields.subrequest,
            upstream: fields.upstream,
            host: fields.host,
            referrer: fields.referrer,
        })
    }

    /// The request's method, if the request line begins with one.
    #[must_use]
    pub fn method(&self) -> Option<&str> {
        let (method, _) = self.request.as_deref()?.split_once(' ')?;
        let is_method = !method.is_empty() && method.bytes().all(|b| b.is_ascii_uppercase() || b"_-".contains(&b));
        is_method.then_some(method)
    }

    /// Whether nginx was done with this record when the line ended. Of what concerns a connection each record ends
    /// with its client; one that does not is cut at [`MAX_LINE`], or goes on in the next line, because the message
    /// holds a line feed. Debug messages and the end of a keep-alive connection ([source]) have no such end.
    ///
    /// [source]: https://github.com/nginx/nginx/blob/release-1.28.0/src/http/ngx_http_request.c#L3396
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let endless = self.level == Level::Debug || self.complaint.kind == Kind::KeepaliveClosed;
        self.connection.is_none() || self.client.is_some() || self.truncated || endless
    }
}

#[cfg(test)]
mod tests;
