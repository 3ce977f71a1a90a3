//! What happened, in nginx's words ([upstream], [connection]).
//!
//! [upstream]: https://github.com/nginx/nginx/blob/release-1.28.0/src/http/ngx_http_upstream.c
//! [connection]: https://github.com/nginx/nginx/blob/release-1.28.0/src/core/ngx_connection.c

use std::fmt;

use serde::{Deserialize, Serialize};

use super::bytes::{cut, find, number, rfind};
use crate::{record::Exit, verdict::closed_enum};

closed_enum! {
    /// The kinds of message that concern us.
    Kind {
        /// A call failed: [`Complaint::call`] and [`Complaint::errno`] say which and how.
        Failed = "failed",
        /// The upstream server closed before its response was complete.
        PrematurelyClosed = "prematurely_closed",
        /// The upstream server answered before the request was sent.
        PrematureResponse = "premature_response",
        /// The upstream server did not answer in time.
        TimedOut = "timed_out",
        /// The response header does not fit into `proxy_buffer_size`.
        TooBigHeader = "too_big_header",
        /// The response is longer than its Content-Length.
        MoreThanContentLength = "more_than_content_length",
        /// The response does not begin with a status line.
        NoValidHeader = "no_valid_header",
        /// The upstream server broke its protocol in another way.
        InvalidResponse = "invalid_response",
        /// HTTP/2: the upstream server rejected the request, or everything, for an error that it named.
        Rejected = "rejected",
        /// HTTP/2: the upstream server had said GOAWAY without an error, and did not take the request ([source]).
        ///
        /// [source]: https://github.com/nginx/nginx/blob/release-1.28.0/src/http/modules/ngx_http_grpc_module.c#L1704
        WentAway = "went_away",
        /// The peer closed during the TLS handshake.
        TlsPeerClosed = "tls_peer_closed",
        /// The upstream server's certificate is not the right one.
        TlsNotVerified = "tls_not_verified",
        /// Every server of the upstream block is marked as failed.
        NoLiveUpstreams = "no_live_upstreams",
        /// A server of the upstream block was marked as failed.
        ServerDisabled = "server_disabled",
        /// The response went to a temporary file.
        BufferedToFile = "buffered_to_file",
        /// The client closed first.
        ClientClosed = "client_closed",
        /// The client closed between two requests.
        KeepaliveClosed = "keepalive_closed",
        /// The client did not take or send anything in time.
        ClientTimedOut = "client_timed_out",
        /// A process of nginx ended: [`Complaint::process`] says which and how.
        ProcessEnded = "process_ended",
        /// Any other.
        Other = "other",
    }
}

closed_enum! {
    /// The call that failed.
    #[expect(missing_docs, reason = "the names of the calls")]
    Call {
        Connect = "connect",
        Recv = "recv",
        Readv = "readv",
        Send = "send",
        Writev = "writev",
        Sendfile = "sendfile",
        SslHandshake = "SSL_do_handshake",
        SslRead = "SSL_read",
        SslWrite = "SSL_write",
        SslShutdown = "SSL_shutdown",
    }
}

impl Call {
    /// Whether it writes.
    #[must_use]
    pub const fn writes(self) -> bool {
        matches!(self, Self::Send | Self::Writev | Self::Sendfile | Self::SslWrite)
    }
}

/// The end of a process, as the master saw it ([source]).
///
/// [source]: https://github.com/nginx/nginx/blob/release-1.28.0/src/os/unix/ngx_process.c#L533
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessEnd {
    /// Its process id in the pid namespace of nginx.
    pub pid: u32,
    /// It was a worker process.
    pub worker: bool,
    /// How it ended.
    pub exit: Exit,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Complaint {
    /// Which kind of message.
    pub kind: Kind,
    /// The call that failed.
    pub call: Option<Call>,
    /// The error number after the message. nginx logs some kinds with one and some without.
    pub errno: Option<i32>,
    /// The process that ended.
    pub process: Option<ProcessEnd>,
}

/// Messages that begin with these words.
const BEGINNINGS: &[(&str, Kind)] = &[
    ("upstream prematurely closed", Kind::PrematurelyClosed),
    ("upstream prematurely sent response", Kind::PrematureResponse),
    ("upstream timed out", Kind::TimedOut),
    ("upstream sent too big ", Kind::TooBigHeader),
    ("upstream sent more data than specified in", Kind::MoreThanContentLength),
    ("upstream sent response body larger than indicated", Kind::MoreThanContentLength),
    ("upstream sent no valid HTTP/1.0 header", Kind::NoValidHeader),
    ("upstream sent goaway with error 0", Kind::WentAway),
    ("upstream sent goaway with error ", Kind::Rejected),
    ("upstream rejected request", Kind::Rejected),
    ("upstream sent ", Kind::InvalidResponse),
    ("upstream violated ", Kind::InvalidResponse),
    ("upstream SSL certificate ", Kind::TlsNotVerified),
    ("upstream server temporarily disabled", Kind::ServerDisabled),
    ("peer closed connection in SSL handshake", Kind::TlsPeerClosed),
    ("no live upstreams", Kind::NoLiveUpstreams),
    ("an upstream response is buffered to a temporary file", Kind::BufferedToFile),
    ("client timed out", Kind::ClientTimedOut),
    ("client prematurely closed connection", Kind::ClientClosed),
    ("client closed connection", Kind::ClientClosed),
    ("epoll_wait() reported that client prematurely closed connection", Kind::ClientClosed),
];

impl Complaint {
    /// Reads `MSG[ (ERRNO: strerror)]`.
    pub(super) fn read(said: &[u8]) -> Self {
        let (message, errno) = split_errno(said);
        let process = process_end(message);
        let call = failed_call(message);
        let beginning = BEGINNINGS.iter().find(|(words, _)| message.starts_with(words.as_bytes()));
        let kind = match (process, call, beginning) {
            (Some(_), _, _) => Kind::ProcessEnded,
            (None, Some(_), _) => Kind::Failed,
            (None, None, Some((_, kind))) => *kind,
            (None, None, None) if is_keepalive_end(message) => Kind::KeepaliveClosed,
            (None, None, None) => Kind::Other,
        };
        Self { kind, call, errno, process }
    }
}

/// ` (104: Connection reset by peer)`, which a cut line may end within.
fn split_errno(said: &[u8]) -> (&[u8], Option<i32>) {
    let at = rfind(said, b" (").filter(|at| {
        let inside = said[at + 2..].strip_suffix(b")").unwrap_or(&said[at + 2..]);
        number(inside).is_some_and(|(_, rest)| rest.starts_with(b": "))
    });
    let Some(at) = at else { return (said, None) };
    let errno = number(&said[at + 2..]).and_then(|(errno, _)| i32::try_from(errno).ok());
    (&said[..at], errno)
}

/// `recv() failed`, `connect() to 10.0.0.1:80 failed`, `SSL_read() failed (SSL: ...)`.
fn failed_call(message: &[u8]) -> Option<Call> {
    let (name, rest) = cut(message, b"()")?;
    let failed = rest.starts_with(b" failed") || (rest.starts_with(b" to ") && find(rest, b" failed").is_some());
    Call::ALL.iter().copied().find(|call| failed && call.as_str().as_bytes() == name)
}

/// `client 10.0.0.9 closed keepalive connection`
fn is_keepalive_end(message: &[u8]) -> bool {
    message.starts_with(b"client ") && message.ends_with(b" closed keepalive connection")
}

/// `worker process 4711 exited on signal 9`, `worker process 4711 exited with code 2`.
fn process_end(message: &[u8]) -> Option<ProcessEnd> {
    let (who, how) = cut(message, b" exited ")?;
    let pid_at = rfind(who, b" ")? + 1;
    let (pid, left) = number(&who[pid_at..])?;
    let status = |rest| number(rest).and_then(|(number, _)| u8::try_from(number).ok());
    let exit = if let Some(signal) = how.strip_prefix(b"on signal ") {
        Exit::Signal(status(signal)?)
    } else {
        let code = how.strip_prefix(b"with code ").or_else(|| how.strip_prefix(b"with fatal code "))?;
        Exit::Status(status(code)?)
    };
    let pid = u32::try_from(pid).ok().filter(|_| left.is_empty())?;
    Some(ProcessEnd { pid, worker: who.starts_with(b"worker process"), exit })
}
