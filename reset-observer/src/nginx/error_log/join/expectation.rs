//! The ends of connections that make nginx write a line, and which line.

use std::{fmt, net::SocketAddr, time::Duration};

use serde::{Deserialize, Serialize};

use super::super::line::{Action, Call, Kind, Line};
use crate::{record::KernelTime, verdict::closed_enum};

const EPIPE: i32 = 32;
const ENETUNREACH: i32 = 101;
const ECONNABORTED: i32 = 103;
const ECONNRESET: i32 = 104;
const ETIMEDOUT: i32 = 110;
const ECONNREFUSED: i32 = 111;
const EHOSTUNREACH: i32 = 113;

/// nginx writes its line before it cuts a connection itself, in the same turn of its event loop.
const BEFORE_OWN_CUT: Duration = Duration::from_millis(100);

closed_enum! {
    /// How a connection ended, as far as nginx's line depends on it.
    Ending {
        /// The handshake was answered with a reset or an ICMP error.
        Refused = "refused",
        /// A reset on an established connection: recv(2) gives ECONNRESET.
        Reset = "reset",
        /// A FIN, whatever came after it: recv(2) gives 0, and only writing fails (`tcp_recvmsg_locked` looks at
        /// SOCK_DONE before `sk_err`).
        Closed = "closed",
        /// A FIN right after payload, with nothing outstanding: the end of a response, or of half of one.
        CutShort = "cut_short",
        /// A FIN some time after payload, with nothing outstanding: the end of an idle connection, unless of a response that
        /// paused.
        CutAfterPause = "cut_after_pause",
        /// A FIN long after payload, with nothing outstanding: the end of an idle connection.
        Quiet = "quiet",
        /// A reset right after payload, with nothing outstanding: it may have cut a response.
        CutByReset = "cut_by_reset",
        /// Nobody answered until the kernel or nginx gave up.
        Silent = "silent",
        /// nginx closed it with the response unfinished, or unread.
        CutByProxy = "cut_by_proxy",
    }
}

impl Ending {
    /// Whether nginx writes such a line after such an end.
    #[must_use]
    pub fn fits(self, line: &Line) -> bool {
        let said = &line.complaint;
        if matches!(said.kind, Kind::WentAway | Kind::Rejected) {
            // The server may close, or reset, before or after nginx has read that, and nginx closes at once.
            return !matches!(self, Self::Refused | Self::Silent | Self::Quiet);
        }
        let connecting = said.call == Some(Call::Connect) || line.action == Some(Action::ConnectingToUpstream);
        match self {
            Self::Refused => said.kind == Kind::Failed && connecting && said.errno.is_some_and(is_refusal),
            Self::Reset => !connecting && after_reset(line),
            // Over HTTP/2 nginx, too, says something after the response began.
            Self::Closed => !connecting && after_fin(line) && (!in_response(line) || over_http2(line)),
            Self::CutShort => after_fin(line) && (in_response(line) || over_http2(line)),
            Self::CutAfterPause => after_fin(line) && over_http2(line),
            Self::Quiet => false,
            Self::CutByReset => after_reset(line) && (in_response(line) || over_http2(line)),
            Self::Silent => {
                matches!(said.kind, Kind::TimedOut | Kind::ClientClosed)
                    || (said.kind == Kind::Failed && said.errno.is_some_and(is_silence))
            }
            Self::CutByProxy => is_reason_to_cut(said.kind),
        }
    }

    /// Whether nginx writes such a line after such an end, which looked harmless, if it is of no end that did not: nginx had
    /// sent a request into the connection before it saw the FIN, and the server took that without a word; or its response
    /// had paused.
    #[must_use]
    pub fn may_fit(self, line: &Line) -> bool {
        let unanswered = line.action.is_some_and(Action::before_response);
        let fits = match self {
            Self::CutAfterPause => unanswered || in_response(line),
            Self::CutShort | Self::Quiet => unanswered,
            // The server's farewell came first, and nginx closed with its request under way.
            Self::CutByProxy => unanswered && over_tls(line),
            Self::Refused | Self::Reset | Self::Closed | Self::CutByReset | Self::Silent => false,
        };
        fits && after_fin(line) && !over_http2(line)
    }

    const fn is_by_proxy(self) -> bool {
        matches!(self, Self::Silent | Self::CutByProxy)
    }
}

const fn is_refusal(errno: i32) -> bool {
    matches!(errno, ECONNREFUSED | ECONNRESET | EHOSTUNREACH | ENETUNREACH)
}

const fn is_silence(errno: i32) -> bool {
    matches!(errno, ETIMEDOUT | EHOSTUNREACH | ENETUNREACH)
}

/// Over TLS the alert `close_notify` may come before the reset, and nginx takes it for the end.
fn after_reset(line: &Line) -> bool {
    let kind = line.complaint.kind;
    let by_reset = matches!(line.complaint.errno, Some(ECONNRESET | EPIPE | ECONNABORTED));
    (by_reset && matches!(kind, Kind::Failed | Kind::TlsPeerClosed))
        || (over_tls(line) && kind == Kind::PrematurelyClosed)
}

fn over_tls(line: &Line) -> bool {
    line.upstream.as_ref().is_some_and(|upstream| upstream.scheme.ends_with('s'))
}

/// The header of the response had come.
fn in_response(line: &Line) -> bool {
    line.action.is_some_and(Action::after_response_header)
}

/// Over HTTP/2 a server has said something (SETTINGS, WINDOW_UPDATE) before it answers.
pub(super) fn over_http2(line: &Line) -> bool {
    line.upstream.as_ref().is_some_and(|upstream| upstream.scheme.starts_with("grpc"))
}

fn after_fin(line: &Line) -> bool {
    match (line.complaint.kind, line.complaint.call) {
        (Kind::PrematurelyClosed | Kind::TlsPeerClosed, _) => true,
        (Kind::Failed, Some(Call::SslHandshake | Call::SslRead)) => line.complaint.errno.is_none(),
        (Kind::Failed, Some(call)) => call.writes() && matches!(line.complaint.errno, Some(EPIPE | ECONNRESET)),
        _ => false,
    }
}

const fn is_reason_to_cut(kind: Kind) -> bool {
    use Kind as K;
    match kind {
        K::TimedOut | K::TooBigHeader | K::MoreThanContentLength | K::NoValidHeader | K::InvalidResponse => true,
        K::Rejected | K::WentAway | K::PrematureResponse | K::TlsNotVerified | K::ClientClosed | K::ClientTimedOut => {
            true
        }
        K::Failed | K::PrematurelyClosed | K::TlsPeerClosed | K::NoLiveUpstreams | K::ServerDisabled => false,
        K::BufferedToFile | K::KeepaliveClosed | K::ProcessEnded | K::Other => false,
    }
}

/// Of which endings a line may tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Endings(u16);

impl Endings {
    /// Those after which nginx writes such a line.
    pub(super) fn of(line: &Line) -> Self {
        let fitting = Ending::ALL.iter().filter(|ending| ending.fits(line));
        Self(fitting.fold(0, |bits, ending| bits | Self::bit(*ending)))
    }

    /// Those after which it may write such a line if it is of none of those.
    pub(super) fn perhaps_of(line: &Line) -> Self {
        let fitting = Ending::ALL.iter().filter(|ending| ending.may_fit(line));
        Self(fitting.fold(0, |bits, ending| bits | Self::bit(*ending)))
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// This one alone.
    pub(super) const fn only(ending: Ending) -> Self {
        Self(Self::bit(ending))
    }

    /// Whether they have one in common.
    pub(super) const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Those that are in either.
    pub(super) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those that are in both.
    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    const fn bit(ending: Ending) -> u16 {
        1 << ending as u16
    }
}

/// The end of one connection of a worker to a server, with a request outstanding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// The instance of nginx, as in [`LogId`](super::LogId).
    pub instance: u64,
    /// Process id of the worker in the pid namespace of nginx.
    pub pid: u32,
    /// The server.
    pub server: SocketAddr,
    /// How it ended.
    pub ending: Ending,
    /// The first event of the end, such as the FIN.
    pub since: KernelTime,
    /// The last event known, such as the reset after it.
    pub at: KernelTime,
}

impl Expectation {
    /// No line of this end was there before.
    pub(super) fn first_line(&self) -> KernelTime {
        if self.ending.is_by_proxy() { self.since.before(BEFORE_OWN_CUT) } else { self.since }
    }

    /// No line of this end is written after it.
    pub(super) fn last_line(&self, reach: Duration) -> KernelTime {
        self.at.after(reach)
    }
}
