//! What counts for connections to one upstream server, out of the whole configuration.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    config::{
        Configuration,
        defaults::{self, Pool},
        directive::Place,
        endpoint::Endpoint,
        index::UpstreamMatch,
        pass::{Pass, Target},
        running::Running,
        setting::Setting,
        upstream::{Layer, Upstream},
    },
    error_log::impact::NextUpstream,
};

/// Settings of one upstream server. Where it is in several upstream blocks, the first that keeps idle connections counts.
/// What a recording does not tell, because the program that made it did not ask, is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpstreamSettings {
    /// The upstream block, and where it begins; `None` for a server that `proxy_pass` names itself.
    pub block: Option<(String, Place)>,
    /// How idle connections are kept, defaults filled in; `None` without a block: nginx keeps none then.
    pub pool: Option<Pool>,
    /// Where `keepalive_timeout` is set; `None` where the default counts.
    pub keepalive_timeout_at: Option<Place>,
    /// What nginx does with a request whose try failed; `None` where locations differ in it.
    pub next_upstream: Option<NextUpstream>,
    /// `proxy_read_timeout` of the locations that pass requests here, shortest first, each once.
    pub read_timeouts: Vec<Duration>,
    /// `proxy_send_timeout` of the same locations. `stream {}` has none of its own.
    pub send_timeouts: Vec<Duration>,
    /// `proxy_connect_timeout` of the same locations.
    pub connect_timeouts: Vec<Duration>,
    /// `proxy_socket_keepalive`; `None` where locations differ in it.
    pub socket_keepalive: Option<bool>,
    /// Whether TLS is spoken with the server; `None` where locations differ in it.
    #[serde(default)]
    pub tls: Option<bool>,
}

/// How long nginx keeps an idle connection; the shortest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Keeps {
    /// It keeps none: there is no upstream block, or no pool in it.
    Nothing,
    /// For `keepalive_timeout`.
    For(Duration),
    /// Until the backend closes it: nginx knows no `keepalive_timeout` in upstream blocks before 1.15.3.
    Forever,
}

impl Keeps {
    /// As configured.
    #[must_use]
    pub fn of(settings: &UpstreamSettings) -> Self {
        match &settings.pool {
            Some(pool) if pool.connections > 0 => pool.timeout.map_or(Self::Forever, Self::For),
            Some(_) | None => Self::Nothing,
        }
    }
}

/// `proxy_read_timeout` unless set ([documentation]).
///
/// [documentation]: https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_read_timeout
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// `proxy_timeout` in `stream {}` unless set ([documentation]).
///
/// [documentation]: https://nginx.org/en/docs/stream/ngx_stream_proxy_module.html#proxy_timeout
const STREAM_TIMEOUT: Duration = Duration::from_mins(10);

impl UpstreamSettings {
    /// What counts for the servers of `found`.
    #[must_use]
    pub fn of(running: &Running, found: &UpstreamMatch<'_>) -> Self {
        let configuration = &running.configuration;
        let pool_of = |block: &&Upstream| defaults::pool(block, running.version.as_ref());
        let blocks: Vec<&Upstream> =
            found.members.iter().filter_map(|member| configuration.upstreams.get(member.block?)).collect();
        let block = blocks.iter().find(|block| pool_of(block).connections > 0).or(blocks.first());
        let passes = passes_to(configuration, found, &blocks);
        Self {
            block: block.map(|block| (block.name.clone(), block.place.clone())),
            pool: block.map(pool_of),
            keepalive_timeout_at: block
                .and_then(|block| block.keepalive.timeout.as_ref())
                .map(|timeout| timeout.place.clone()),
            next_upstream: agreed(passes.iter().map(|pass| {
                let keeps_connections = block_of(pass, &blocks).is_some_and(|block| pool_of(&block).connections > 0);
                NextUpstream { keeps_connections, ..next_upstream(pass, servers_of(pass, &blocks)) }
            })),
            read_timeouts: read_timeouts(&passes),
            send_timeouts: timeouts(&passes, |pass| pass.settings.send_timeout.as_ref()),
            connect_timeouts: timeouts(&passes, |pass| pass.settings.connect_timeout.as_ref()),
            socket_keepalive: agreed(
                passes.iter().map(|pass| pass.settings.socket_keepalive.as_ref().is_some_and(|set| set.value)),
            ),
            tls: agreed(passes.iter().map(|pass| pass.is_tls())),
        }
    }
}

/// The directives that lead to these servers. None if they are chosen by variables.
fn passes_to<'a>(configuration: &'a Configuration, found: &UpstreamMatch<'_>, blocks: &[&Upstream]) -> Vec<&'a Pass> {
    let leads_here = |pass: &&Pass| match &pass.target {
        Target::Upstream(_) => block_of(pass, blocks).is_some(),
        // Of several locations that name the same server, the index knows the first.
        Target::Server(endpoint) => {
            let server = endpoint.to_string();
            found.members.iter().any(|member| member.block.is_none() && member.server == server)
        }
        Target::Dynamic => false,
    };
    configuration.passes.iter().filter(leads_here).collect()
}

/// nginx compares names of upstream blocks without case (`ngx_strncasecmp` in `ngx_http_upstream_add`).
fn is_named(block: &Upstream, name: &str) -> bool {
    block.name.eq_ignore_ascii_case(name)
}

fn block_of<'a>(pass: &Pass, blocks: &[&'a Upstream]) -> Option<&'a Upstream> {
    let Target::Upstream(name) = &pass.target else { return None };
    blocks.iter().find(|block| is_named(block, name) && block.layer == pass.layer()).copied()
}

/// How many servers a request of this directive may be tried at, or at least so many; `None` if there is one name, which
/// may have several addresses.
fn servers_of(pass: &Pass, blocks: &[&Upstream]) -> Option<u32> {
    let endpoints: Vec<&Endpoint> = match &pass.target {
        Target::Upstream(_) => {
            let block = block_of(pass, blocks)?;
            block.servers.iter().filter(|server| !server.down).map(|server| &server.endpoint).collect()
        }
        Target::Server(endpoint) => vec![endpoint],
        Target::Dynamic => return None,
    };
    match endpoints[..] {
        [Endpoint::Name { .. }] => None,
        _ => u32::try_from(endpoints.len()).ok(),
    }
}

fn next_upstream(pass: &Pass, servers: Option<u32>) -> NextUpstream {
    let request_buffering = pass.settings.request_buffering.as_ref().is_none_or(|set| set.value);
    let default = NextUpstream { servers, request_buffering, ..NextUpstream::default() };
    let tries =
        pass.settings.next_upstream_tries.as_ref().map_or(0, |set| u32::try_from(set.value).unwrap_or(u32::MAX));
    let Some(words) = &pass.settings.next_upstream else { return NextUpstream { tries, ..default } };
    let has = |word: &str| words.value.iter().any(|set| set == word);
    NextUpstream {
        error: has("error"),
        timeout: has("timeout"),
        invalid_header: has("invalid_header"),
        non_idempotent: has("non_idempotent"),
        tries,
        ..default
    }
}

fn read_timeouts(passes: &[&Pass]) -> Vec<Duration> {
    let default = |layer| if layer == Layer::Stream { STREAM_TIMEOUT } else { READ_TIMEOUT };
    let timeout =
        |pass: &&Pass| pass.settings.read_timeout.as_ref().map_or_else(|| default(pass.layer()), |set| set.value);
    shortest_first(passes.iter().map(timeout))
}

/// Those of a directive that is 60 s unless set, for all protocols ([documentation]).
///
/// [documentation]: https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_connect_timeout
fn timeouts(passes: &[&Pass], setting: impl Fn(&Pass) -> Option<&Setting<Duration>>) -> Vec<Duration> {
    shortest_first(passes.iter().map(|pass| setting(pass).map_or(READ_TIMEOUT, |set| set.value)))
}

fn shortest_first(all: impl Iterator<Item = Duration>) -> Vec<Duration> {
    let mut sorted: Vec<Duration> = all.collect();
    sorted.sort_unstable();
    sorted.dedup();
    sorted
}

fn agreed<T: PartialEq>(mut all: impl Iterator<Item = T>) -> Option<T> {
    let first = all.next()?;
    all.all(|other| other == first).then_some(first)
}

#[cfg(test)]
mod tests;
