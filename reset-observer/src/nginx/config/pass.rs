//! Where requests are passed on to: `proxy_pass` and its kin, with the settings that count there.

use std::time::Duration;

use super::{
    directive::{Directive, Place, Problem},
    endpoint::{self, Endpoint},
    setting::{Scope, Setting},
    upstream::Layer,
};

/// What nginx speaks with the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// `proxy_pass http://`.
    Http,
    /// `proxy_pass https://`.
    Https,
    /// `fastcgi_pass`.
    FastCgi,
    /// `uwsgi_pass`.
    Uwsgi,
    /// `scgi_pass`.
    Scgi,
    /// `grpc_pass`.
    Grpc,
    /// `memcached_pass`.
    Memcached,
    /// `proxy_pass` in `stream {}`.
    Stream,
}

impl Protocol {
    /// What the module's directives begin with.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Http | Self::Https | Self::Stream => "proxy_",
            Self::FastCgi => "fastcgi_",
            Self::Uwsgi => "uwsgi_",
            Self::Scgi => "scgi_",
            Self::Grpc => "grpc_",
            Self::Memcached => "memcached_",
        }
    }
}

/// Whom requests are passed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// An `upstream` block.
    Upstream(String),
    /// A server without such a block.
    Server(Endpoint),
    /// Chosen for each request by variables.
    Dynamic,
}

/// A directive that passes requests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pass {
    /// How.
    pub protocol: Protocol,
    /// Its argument as written.
    pub text: String,
    /// To whom.
    pub target: Target,
    /// Where the directive is.
    pub place: Place,
    /// What counts there.
    pub settings: Settings,
}

/// What is set for a directive that passes requests on, there or in a block around it. `None` is nginx's default, which
/// for most is 60 s.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `proxy_connect_timeout`; 60 s unless set.
    pub connect_timeout: Option<Setting<Duration>>,
    /// `proxy_send_timeout`; 60 s unless set.
    pub send_timeout: Option<Setting<Duration>>,
    /// `proxy_read_timeout`, 60 s unless set; in `stream {}` `proxy_timeout`, 10 minutes unless set.
    pub read_timeout: Option<Setting<Duration>>,
    /// `proxy_next_upstream`; `error timeout` unless set, in `stream {}` `on`.
    pub next_upstream: Option<Setting<Vec<String>>>,
    /// `proxy_next_upstream_tries`; 0, no limit, unless set.
    pub next_upstream_tries: Option<Setting<u64>>,
    /// `proxy_next_upstream_timeout`; 0, no limit, unless set.
    pub next_upstream_timeout: Option<Setting<Duration>>,
    /// `proxy_socket_keepalive`; off unless set.
    pub socket_keepalive: Option<Setting<bool>>,
    /// `proxy_http_version`; its default depends on the version: [`super::defaults::http_version`].
    pub http_version: Option<Setting<String>>,
    /// `proxy_set_header Connection`; `""` allows idle connections to be kept.
    pub connection_header: Option<Setting<String>>,
    /// `proxy_buffering`; on unless set.
    pub buffering: Option<Setting<bool>>,
    /// `proxy_request_buffering`; on unless set.
    pub request_buffering: Option<Setting<bool>>,
    /// `fastcgi_keep_conn`; off unless set.
    pub keep_conn: Option<Setting<bool>>,
    /// `proxy_ssl` of `stream {}`; off unless set.
    pub ssl: Option<Setting<bool>>,
}

impl Settings {
    fn read(protocol: Protocol, scope: &Scope<'_>) -> Self {
        let name = |setting: &str| format!("{}{setting}", protocol.prefix());
        let is_proxy = matches!(protocol, Protocol::Http | Protocol::Https);
        let read_timeout = if protocol == Protocol::Stream { "timeout" } else { "read_timeout" };
        Self {
            connect_timeout: scope.time(&name("connect_timeout")),
            send_timeout: scope.time(&name("send_timeout")),
            read_timeout: scope.time(&name(read_timeout)),
            next_upstream: scope.texts(&name("next_upstream")),
            next_upstream_tries: scope.number(&name("next_upstream_tries")),
            next_upstream_timeout: scope.time(&name("next_upstream_timeout")),
            socket_keepalive: scope.flag(&name("socket_keepalive")),
            http_version: scope.text(&name("http_version")),
            connection_header: scope.connection_header().filter(|_| is_proxy),
            buffering: scope.flag(&name("buffering")),
            request_buffering: scope.flag(&name("request_buffering")),
            keep_conn: scope.flag(&name("keep_conn")),
            ssl: scope.flag(&name("ssl")).filter(|_| protocol == Protocol::Stream),
        }
    }
}

impl Pass {
    /// Whether it is in `http {}` or `stream {}`.
    #[must_use]
    pub fn layer(&self) -> Layer {
        if self.protocol == Protocol::Stream { Layer::Stream } else { Layer::Http }
    }

    /// Whether TLS is spoken with the server.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        let scheme = self.text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        matches!(scheme.as_deref(), Some("https" | "grpcs" | "suwsgi"))
            || self.settings.ssl.as_ref().is_some_and(|set| set.value)
    }

    /// Reads the directive if it passes requests on; `is_upstream` tells names of upstream blocks.
    pub(super) fn read(
        directive: &Directive,
        layer: Layer,
        scope: &Scope<'_>,
        is_upstream: &dyn Fn(&str) -> bool,
    ) -> Option<Result<Self, Problem>> {
        let protocol = protocol(directive.name(), layer)?;
        let Some(argument) = directive.arguments().first() else {
            let says = format!("invalid number of arguments in \"{}pass\" directive", protocol.prefix());
            return Some(Err(directive.problem(&says)));
        };
        let text = String::from_utf8_lossy(argument).into_owned();
        let read = match without_scheme(argument, protocol) {
            url if argument.contains(&b'$') => Ok(Self::target_with_variables(url, protocol, is_upstream)),
            Ok(url) => {
                let refused = |says| format!("{says} in upstream \"{}\"", String::from_utf8_lossy(url.rest));
                Self::target(&url, is_upstream).map(|target| (url.protocol, target)).map_err(refused)
            }
            Err(says) => Err(says.to_owned()),
        };
        Some(match read {
            Ok((protocol, target)) => {
                let (place, settings) = (directive.place.clone(), Settings::read(protocol, scope));
                Ok(Self { protocol, text, target, place, settings })
            }
            Err(says) => Err(directive.problem(&says)),
        })
    }

    /// Variables in the path choose no server: `http://backend/$1`, `http://backend$request_uri`.
    fn target_with_variables(
        url: Result<Url<'_>, &'static str>,
        protocol: Protocol,
        is_upstream: &dyn Fn(&str) -> bool,
    ) -> (Protocol, Target) {
        let Ok(url) = url else { return (protocol, Target::Dynamic) };
        let paths = [b"$request_uri" as &[u8], b"${request_uri}", b"$uri", b"${uri}", b"/", b"?"];
        let end = (0..url.rest.len()).find(|at| paths.iter().any(|path| url.rest[*at..].starts_with(path)));
        let server = Url { rest: &url.rest[..end.unwrap_or(url.rest.len())], ..url };
        let is_fixed = !server.rest.contains(&b'$');
        let target = is_fixed.then(|| Self::target(&server, is_upstream).ok()).flatten();
        (url.protocol, target.unwrap_or(Target::Dynamic))
    }

    fn target(url: &Url<'_>, is_upstream: &dyn Fn(&str) -> bool) -> Result<Target, &'static str> {
        // An upstream block has a name and no port, so a name without one may be such a block.
        match endpoint::server_in_url(url.rest, None)? {
            Endpoint::Name { host, port: None } if is_upstream(&host) => Ok(Target::Upstream(host)),
            Endpoint::Address(_) | Endpoint::Name { .. } | Endpoint::Unix(_) => {
                Ok(Target::Server(endpoint::server_in_url(url.rest, url.default_port)?))
            }
        }
    }
}

fn protocol(name: &[u8], layer: Layer) -> Option<Protocol> {
    match (name, layer) {
        (b"proxy_pass", Layer::Http) => Some(Protocol::Http),
        (b"proxy_pass", Layer::Stream) => Some(Protocol::Stream),
        (b"fastcgi_pass", Layer::Http) => Some(Protocol::FastCgi),
        (b"uwsgi_pass", Layer::Http) => Some(Protocol::Uwsgi),
        (b"scgi_pass", Layer::Http) => Some(Protocol::Scgi),
        (b"grpc_pass", Layer::Http) => Some(Protocol::Grpc),
        (b"memcached_pass", Layer::Http) => Some(Protocol::Memcached),
        _ => None,
    }
}

/// A URL taken apart.
struct Url<'a> {
    protocol: Protocol,
    /// What follows the scheme.
    rest: &'a [u8],
    /// The port that counts where none is written.
    default_port: Option<u16>,
}

fn without_scheme(url: &[u8], protocol: Protocol) -> Result<Url<'_>, &'static str> {
    let strip = |scheme: &str| {
        let (begins, rest) = url.split_at_checked(scheme.len())?;
        begins.eq_ignore_ascii_case(scheme.as_bytes()).then_some(rest)
    };
    let (protocol, rest, default_port) = match protocol {
        Protocol::Http | Protocol::Https => match (strip("http://"), strip("https://")) {
            (Some(rest), _) => (Protocol::Http, rest, Some(80)),
            (_, Some(rest)) => (Protocol::Https, rest, Some(443)),
            _ => return Err("invalid URL prefix"),
        },
        Protocol::Grpc => match (strip("grpc://"), strip("grpcs://")) {
            (Some(rest), _) => (protocol, rest, Some(80)),
            (_, Some(rest)) => (protocol, rest, Some(443)),
            _ => (protocol, url, Some(80)),
        },
        Protocol::Uwsgi => (protocol, strip("uwsgi://").or_else(|| strip("suwsgi://")).unwrap_or(url), None),
        Protocol::FastCgi | Protocol::Scgi | Protocol::Memcached | Protocol::Stream => (protocol, url, None),
    };
    Ok(Url { protocol, rest, default_port })
}
