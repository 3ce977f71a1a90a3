//! What nginx did with a request whose try failed, by the rules of `ngx_http_upstream_next` ([source]).
//!
//! [source]: https://github.com/nginx/nginx/blob/release-1.28.0/src/http/ngx_http_upstream.c#L4498

use super::line::{Action, Kind};
use crate::verdict::Impact;

/// The directives that decide on another try: `proxy_next_upstream` and its kin (`fastcgi_`, `grpc_`...). The default
/// is nginx's: `error timeout`, any number of tries, the request body read before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "they are flags of a directive")]
pub struct NextUpstream {
    /// `error`.
    pub error: bool,
    /// `timeout`.
    pub timeout: bool,
    /// `invalid_header`.
    pub invalid_header: bool,
    /// `non_idempotent`.
    pub non_idempotent: bool,
    /// `proxy_next_upstream_tries`; 0 for any number.
    pub tries: u32,
    /// `proxy_request_buffering on`.
    pub request_buffering: bool,
    /// Servers of the upstream block that are not `down`, backups included; `None` if not known.
    pub servers: Option<u32>,
}

impl Default for NextUpstream {
    fn default() -> Self {
        Self {
            error: true,
            timeout: true,
            invalid_header: false,
            non_idempotent: false,
            tries: 0,
            request_buffering: true,
            servers: None,
        }
    }
}

/// A try that failed. What is not known is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailedTry<'a> {
    /// What nginx says.
    pub kind: Kind,
    /// What it was doing.
    pub action: Option<Action>,
    /// The request's method.
    pub method: Option<&'a str>,
    /// The connection came out of the keep-alive pool: the socket tells, the log does not.
    pub reused: Option<bool>,
    /// Tries of the same request that failed before.
    pub failed_before: u32,
    /// The same request failed again afterwards.
    pub failed_again: bool,
}

/// What it did to the request. [`Impact::RequestRetried`] means that nginx tried again and no failure of that was
/// logged. `proxy_next_upstream_timeout` and answers out of a stale cache are not known here.
#[must_use]
pub fn impact(failed: FailedTry<'_>, rules: &NextUpstream) -> Impact {
    let Some(reason) = Reason::of(failed.kind) else { return Impact::Unknown };
    if failed.failed_again {
        return Impact::RequestFailed;
    }
    let Some(action) = failed.action else { return Impact::Unknown };
    let (allowed, left) = (reason.allowed(rules), tries_left(failed, rules, reason));
    if action.after_response_header() {
        Impact::RequestFailed
    } else if matches!(action, Action::ConnectingToUpstream | Action::TlsHandshakingToUpstream) {
        all_of(&[allowed, left])
    } else if matches!(action, Action::SendingRequest | Action::ReadingResponseHeader) {
        all_of(&[allowed, may_be_repeated(failed.method, rules), left])
    } else {
        Impact::Unknown
    }
}

/// `NGX_HTTP_UPSTREAM_FT_*`
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reason {
    Error,
    Timeout,
    InvalidHeader,
    NoLive,
}

impl Reason {
    /// `None` for messages that do not end a try.
    const fn of(kind: Kind) -> Option<Self> {
        use Kind as K;
        match kind {
            K::Failed | K::PrematurelyClosed | K::PrematureResponse | K::TlsPeerClosed | K::TlsNotVerified => {
                Some(Self::Error)
            }
            K::TimedOut => Some(Self::Timeout),
            K::TooBigHeader | K::InvalidResponse | K::Rejected => Some(Self::InvalidHeader),
            K::NoLiveUpstreams => Some(Self::NoLive),
            K::MoreThanContentLength | K::NoValidHeader | K::ServerDisabled | K::BufferedToFile => None,
            K::ClientClosed | K::KeepaliveClosed | K::ClientTimedOut | K::ProcessEnded | K::Other => None,
        }
    }

    const fn allowed(self, rules: &NextUpstream) -> Option<bool> {
        Some(match self {
            Self::Error => rules.error,
            Self::Timeout => rules.timeout,
            Self::InvalidHeader => rules.invalid_header,
            Self::NoLive => false,
        })
    }
}

/// Whether a request that was sent, at least in part, may be sent again. A body that was not kept is gone.
fn may_be_repeated(method: Option<&str>, rules: &NextUpstream) -> Option<bool> {
    let is_non_idempotent = method.map(|method| matches!(method, "POST" | "LOCK" | "PATCH"));
    let has_no_body = matches!(method, Some("GET" | "HEAD" | "OPTIONS" | "DELETE" | "TRACE"));
    match (is_non_idempotent, rules.non_idempotent) {
        (Some(true), false) => Some(false),
        (None, false) => None,
        (Some(_), _) | (None, true) if rules.request_buffering || has_no_body => Some(true),
        (Some(_), _) | (None, true) => None,
    }
}

/// Whether a try is left. A block has as many as servers. A cached connection that fails costs none: a single server,
/// which has none left after a failure, then gets one more (`u->peer.tries++`).
fn tries_left(failed: FailedTry<'_>, rules: &NextUpstream, reason: Reason) -> Option<bool> {
    let free = failed.reused.map(|reused| reused && reason == Reason::Error);
    match (rules.servers, free) {
        (Some(0), _) => Some(false),
        (_, Some(true)) => Some(true),
        (Some(1), free) => free,
        (Some(servers), free) => {
            let tries = if rules.tries == 0 { servers } else { servers.min(rules.tries) };
            // How many of those before were on cached connections is not known.
            let (at_least, at_most) = (tries.saturating_sub(failed.failed_before + 1), tries.saturating_sub(1));
            match (at_least, at_most, free) {
                (1.., _, _) => Some(true),
                (0, 0, Some(false)) => Some(false),
                (0, _, _) => None,
            }
        }
        (None, Some(false)) if rules.tries == 1 => Some(false),
        (None, _) => None,
    }
}

/// All must hold for another try; one that does not decides, whatever is not known of the others.
fn all_of(conditions: &[Option<bool>]) -> Impact {
    if conditions.contains(&Some(false)) {
        Impact::RequestFailed
    } else if conditions.contains(&None) {
        Impact::Unknown
    } else {
        Impact::RequestRetried
    }
}

#[cfg(test)]
mod tests;
