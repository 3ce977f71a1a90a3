//! What nginx did with a request whose try failed, by the rules of `ngx_http_upstream_next` ([source]).
//!
//! [source]: https://github.com/nginx/nginx/blob/release-1.28.0/src/http/ngx_http_upstream.c#L4498

use serde::{Deserialize, Serialize};

use super::{
    join::Later,
    line::{Action, Kind},
};
use crate::verdict::Impact;

/// The directives that decide on another try: `proxy_next_upstream` and its kin (`fastcgi_`, `grpc_`...). The default
/// is nginx's: `error timeout`, any number of tries, the request body read before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Whether idle connections are kept, so that tries may have been on cached connections, which cost none.
    pub keeps_connections: bool,
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
            keeps_connections: true,
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
    pub failed_before: Option<u32>,
    /// The failures of the same request afterwards.
    pub later: Option<Later>,
}

/// What it did to the request. [`Impact::RequestRetried`] means that nginx tried again and no failure of that was
/// logged. `proxy_next_upstream_timeout` and answers out of a stale cache are not known here.
#[must_use]
pub fn impact(failed: FailedTry<'_>, rules: &NextUpstream) -> Impact {
    let Some(reason) = Reason::of(failed.kind) else { return Impact::Unknown };
    let Some(Later { failures, kind, action }) = failed.later else { return fate(failed, rules, 0) };
    // The last failure decides. Of connecting alone it is known that the connection was not a cached one.
    let reused = action.is_some_and(Action::before_request).then_some(false);
    let failed_before = failed.failed_before.map(|before| before + failures);
    let spent = u32::from(is_free(failed, rules, reason) == Some(false));
    fate(FailedTry { kind, action, reused, failed_before, later: None, ..failed }, rules, spent)
}

/// What became of a request by its last failure; `spent` is how many of those before are known to have cost a try.
fn fate(failed: FailedTry<'_>, rules: &NextUpstream, spent: u32) -> Impact {
    let Some((reason, action)) = Reason::of(failed.kind).zip(failed.action) else { return Impact::Unknown };
    let (allowed, left) = (reason.allowed(rules), tries_left(failed, rules, reason, spent));
    if action.after_response_header() {
        Impact::RequestFailed
    } else if action.before_request() {
        all_of(&[allowed, left])
    } else if action.before_response() {
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
            K::TooBigHeader | K::InvalidResponse | K::Rejected | K::WentAway => Some(Self::InvalidHeader),
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

/// Whether the try cost none of those that are left: a cached connection that fails does not (`u->peer.tries++`).
fn is_free(failed: FailedTry<'_>, rules: &NextUpstream, reason: Reason) -> Option<bool> {
    if rules.keeps_connections { failed.reused.map(|reused| reused && reason == Reason::Error) } else { Some(false) }
}

/// Whether a try is left. A block has as many as servers. A cached connection that fails costs none: a single server,
/// which has none left after a failure, then gets one more.
fn tries_left(failed: FailedTry<'_>, rules: &NextUpstream, reason: Reason, spent: u32) -> Option<bool> {
    let free = is_free(failed, rules, reason);
    let tries = match (rules.servers, rules.tries) {
        (Some(servers), 0) => Some(servers),
        (Some(servers), tries) => Some(servers.min(tries)),
        (None, tries) => (tries == 1).then_some(1),
    };
    let Some(before) = failed.failed_before else {
        // What else became of the request is not known.
        return matches!((tries, free), (Some(0), _) | (Some(1), Some(false))).then_some(false);
    };
    match (tries, free) {
        (Some(0), _) => Some(false),
        (_, Some(true)) => Some(true),
        (None, _) => None,
        (Some(tries), free) => {
            // How many of those before were on cached connections is not known.
            let at_least = tries.saturating_sub(before + 1);
            let at_most = if rules.keeps_connections { tries.saturating_sub(spent + 1) } else { at_least };
            match (at_least, at_most, free) {
                (1.., _, _) => Some(true),
                (0, 0, Some(false)) => Some(false),
                (0, _, _) => None,
            }
        }
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
