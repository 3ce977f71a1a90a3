//! What counts where the configuration says nothing, by the version of nginx.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{pass::Protocol, upstream::Layer, upstream::Upstream};
use crate::nginx::version::{Product, Version};

/// How an upstream's idle connections are kept, with the defaults filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// Idle connections kept per worker; 0: none are kept.
    pub connections: u64,
    /// nginx closes a connection that was idle for so long; `None`: never.
    pub timeout: Option<Duration>,
    /// nginx closes a connection after so many requests; `None`: never.
    pub requests: Option<u64>,
    /// nginx closes a connection that is older than this after its request; `None`: never.
    pub time: Option<Duration>,
}

/// nginx's timers count in milliseconds ([source]).
///
/// [source]: https://github.com/nginx/nginx/blob/release-1.29.7/src/event/ngx_event_timer.h
pub const SHORTEST_TIMER: Duration = Duration::from_millis(1);

/// `keepalive_timeout` and `keepalive_requests` in upstream blocks ([changes] of 1.15.3).
///
/// [changes]: https://nginx.org/en/CHANGES
const TIMEOUT_SINCE: (u32, u32, u32) = (1, 15, 3);
/// `keepalive_time`, and 1000 requests in place of 100 (changes of 1.19.10).
const TIME_SINCE: (u32, u32, u32) = (1, 19, 10);
/// 32 idle connections without a `keepalive` directive, and HTTP/1.1 without `proxy_http_version` (changes of 1.29.7).
const ON_BY_DEFAULT_SINCE: (u32, u32, u32) = (1, 29, 7);

/// The pool of an upstream block. An unknown version is taken for one between 1.19.10 and 1.29.6, which most hosts run.
#[must_use]
pub fn pool(upstream: &Upstream, version: Option<&Version>) -> Pool {
    let since = |core, otherwise| version.and_then(|version| version.is_at_least(core)).unwrap_or(otherwise);
    let set = &upstream.keepalive;
    let default_connections = if since(ON_BY_DEFAULT_SINCE, false) && !is_angie(version) { 32 } else { 0 };
    let connections = set.connections.as_ref().map_or(default_connections, |set| set.value);
    let connections = if upstream.layer == Layer::Stream { 0 } else { connections };
    let default_requests = if since(TIME_SINCE, true) { 1000 } else { 100 };
    let timeout = set.timeout.as_ref().map_or(Duration::from_secs(60), |set| set.value);
    let time = set.time.as_ref().map_or(Duration::from_secs(60 * 60), |set| set.value);
    let requests = set.requests.as_ref().map_or(default_requests, |set| set.value);
    Pool {
        connections,
        timeout: since(TIMEOUT_SINCE, true).then_some(timeout),
        requests: since(TIMEOUT_SINCE, true).then_some(requests),
        time: since(TIME_SINCE, true).then_some(time),
    }
}

/// The HTTP version of `proxy_pass` where `proxy_http_version` is not set; `None` for other protocols.
#[must_use]
pub fn http_version(protocol: Protocol, version: Option<&Version>) -> Option<&'static str> {
    let new = version.and_then(|version| version.is_at_least(ON_BY_DEFAULT_SINCE)).unwrap_or(false);
    match protocol {
        Protocol::Http | Protocol::Https => Some(if new { "1.1" } else { "1.0" }),
        Protocol::Grpc => Some("2"),
        Protocol::FastCgi | Protocol::Uwsgi | Protocol::Scgi | Protocol::Memcached | Protocol::Stream => None,
    }
}

/// Angie 1.13, on the core of nginx 1.31.2, keeps no connections unless told to ([source]).
///
/// [source]: https://github.com/webserver-llc/angie/blob/master/src/http/modules/ngx_http_upstream_keepalive_module.c
fn is_angie(version: Option<&Version>) -> bool {
    version.is_some_and(|version| version.product == Product::Angie)
}

#[cfg(test)]
mod tests;
