//! `upstream` blocks, their servers and their pools of idle connections.

use std::time::Duration;

use super::{
    block::LUA_BALANCER,
    directive::{Directive, Place, Problem},
    endpoint::{self, Endpoint},
    setting::Setting,
    value,
};

/// Which module serves a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layer {
    /// `http {}`.
    Http,
    /// `stream {}`: TCP, or UDP, passed on as it is.
    Stream,
}

/// An `upstream` block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Its name.
    pub name: String,
    /// `http` or `stream`: a name may be used in both.
    pub layer: Layer,
    /// Where the block begins.
    pub place: Place,
    /// Its servers, in the order of the file.
    pub servers: Vec<Server>,
    /// What it says about idle connections.
    pub keepalive: Keepalive,
    /// Whether Lua code chooses the server, so that [`Upstream::servers`] does not tell which there are.
    pub balanced_by_lua: bool,
    /// Whether the workers share the state of its servers (`zone`).
    pub shared: bool,
}

/// A `server` in an `upstream` block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// The address as written.
    pub text: String,
    /// The address as nginx reads it.
    pub endpoint: Endpoint,
    /// Where it is.
    pub place: Place,
    /// `backup`: used when the others fail.
    pub backup: bool,
    /// `down`: never used.
    pub down: bool,
    /// `resolve`: its name is looked up again while nginx runs.
    pub resolves: bool,
    /// `max_fails`: after so many failures within `fail_timeout` it is left alone for that time; 0 for never. 1 unless
    /// set.
    pub max_fails: u64,
    /// `fail_timeout`, 10 s unless set.
    pub fail_timeout: Duration,
}

/// The directives about idle connections, as far as they are there. What counts without them depends on the version:
/// [`super::defaults::Pool`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keepalive {
    /// `keepalive`: idle connections kept per worker.
    pub connections: Option<Setting<u64>>,
    /// `keepalive_timeout`.
    pub timeout: Option<Setting<Duration>>,
    /// `keepalive_requests`.
    pub requests: Option<Setting<u64>>,
    /// `keepalive_time`.
    pub time: Option<Setting<Duration>>,
}

impl Upstream {
    pub(super) fn read(directive: &Directive, layer: Layer, problems: &mut Vec<Problem>) -> Self {
        let mut upstream = Self {
            name: directive.only_argument().map(|name| String::from_utf8_lossy(name).into_owned()).unwrap_or_default(),
            layer,
            place: directive.place.clone(),
            servers: Vec::new(),
            keepalive: Keepalive::default(),
            balanced_by_lua: false,
            shared: false,
        };
        for child in directive.children() {
            upstream.learn(child, problems);
        }
        if upstream.servers.is_empty() {
            problems.push(directive.problem("no servers are inside upstream"));
        }
        upstream
    }

    fn learn(&mut self, child: &Directive, problems: &mut Vec<Problem>) {
        let unread = match child.name() {
            b"server" => match Server::read(child) {
                Ok(server) => {
                    self.servers.push(server);
                    false
                }
                Err(problem) => return problems.push(problem),
            },
            // `keepalive 32 local` has a second argument.
            b"keepalive" => {
                let number = child.arguments().first().and_then(|number| value::number(number));
                self.keepalive.connections = number.map(|number| child.setting(number));
                number.is_none()
            }
            b"keepalive_timeout" => {
                self.keepalive.timeout = child.time();
                self.keepalive.timeout.is_none()
            }
            b"keepalive_requests" => {
                self.keepalive.requests = child.number();
                self.keepalive.requests.is_none()
            }
            b"keepalive_time" => {
                self.keepalive.time = child.time();
                self.keepalive.time.is_none()
            }
            b"zone" => {
                self.shared = true;
                false
            }
            name => {
                self.balanced_by_lua |= name.starts_with(LUA_BALANCER);
                false
            }
        };
        if unread {
            problems.push(child.problem(&format!("\"{}\" directive invalid value", child.name().escape_ascii())));
        }
    }
}

impl Server {
    fn read(directive: &Directive) -> Result<Self, Problem> {
        let [address, parameters @ ..] = directive.arguments() else {
            return Err(directive.problem("invalid number of arguments in \"server\" directive"));
        };
        let text = String::from_utf8_lossy(address).into_owned();
        let is_set = |name: &[u8]| parameters.iter().any(|parameter| parameter == name);
        let given = |name: &[u8]| parameters.iter().find_map(|parameter| parameter.strip_prefix(name));
        // A service has its ports in the DNS.
        let default_port = if given(b"service=").is_some() { None } else { Some(80) };
        let endpoint = endpoint::server(address, default_port)
            .map_err(|says| directive.problem(&format!("{says} in upstream \"{text}\"")))?;
        let invalid = |value: &[u8]| directive.problem(&format!("invalid parameter \"{}\"", value.escape_ascii()));
        let max_fails = given(b"max_fails=").map(|text| value::number(text).ok_or_else(|| invalid(text)));
        let fail_timeout =
            given(b"fail_timeout=").map(|text| value::time_in_seconds(text).ok_or_else(|| invalid(text)));
        Ok(Self {
            text,
            endpoint,
            place: directive.place.clone(),
            backup: is_set(b"backup"),
            down: is_set(b"down"),
            resolves: is_set(b"resolve"),
            max_fails: max_fails.transpose()?.unwrap_or(1),
            fail_timeout: fail_timeout.transpose()?.unwrap_or(Duration::from_secs(10)),
        })
    }
}

impl Directive {
    pub(super) fn problem(&self, says: &str) -> Problem {
        Problem { place: Some(self.place.clone()), says: says.to_owned() }
    }
}
