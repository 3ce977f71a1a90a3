//! A cell of the truth table: under which circumstances a scenario is acted.

use std::fmt;
use std::time::Duration;

use crate::backend::Server;
use crate::nginx::Settings;
use crate::router::Router;
use crate::topology::{Family, Shape, WirePlace, WireSetting};

/// How nginx and the backend speak, and how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speech {
    /// HTTP/1.1, with a length, a few bytes each way.
    Plain,
    /// The same within TLS.
    Tls,
    /// HTTP/1.0, where the end of the connection is the end of the response.
    Close,
    /// Responses in chunks.
    Chunked,
    /// Requests with a large body.
    Up,
    /// Responses with a large body.
    Down,
    /// gRPC over HTTP/2, which the scenario's own nginx speaks.
    Grpc,
}

/// How much larger than usual a large body is, in bytes.
const LARGE: usize = 400_000;

impl Speech {
    /// What the fault backend is told.
    pub(crate) fn backend_flags(self) -> &'static [&'static str] {
        match self {
            Self::Plain | Self::Tls | Self::Up | Self::Grpc => &[],
            Self::Close => &["--framing", "close"],
            Self::Chunked => &["--framing", "chunked"],
            Self::Down => &["--body-bytes", "400000"],
        }
    }

    /// The least that a client sends as the body of each request, in bytes.
    pub(crate) fn least_body(self) -> usize {
        if self == Self::Up { LARGE } else { 0 }
    }

    /// Settings in which nginx speaks so to its backends.
    pub(crate) fn settings(self, usual: Settings) -> Settings {
        match self {
            Self::Tls => Settings { tls: true, ..usual },
            Self::Close => Settings {
                location: "location ~ . { proxy_pass http://backend; proxy_http_version 1.0; \
                           proxy_set_header Connection close; proxy_read_timeout 3s; }",
                ..usual
            },
            Self::Plain | Self::Chunked | Self::Up | Self::Down | Self::Grpc => usual,
        }
    }
}

/// The road between proxy and backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Road {
    /// The one of the scenario's own plan.
    Own,
    /// The loopback.
    Loopback,
    /// A router, and a wire with 0.5 ms each way.
    Near,
    /// A router, and a wire with 10 ms each way.
    Far,
}

/// How much of the connection the observer can see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// Both ends.
    Both,
    /// The proxy's end alone, as if the backend were on another host: its port is translated to one that the observer is
    /// not asked to watch.
    Proxy,
}

/// What else the machine does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// Other trials at most.
    Idle,
    /// Another nginx in front of another backend under wrk.
    Busy,
}

/// One cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// IPv4 or IPv6.
    pub family: Family,
    /// How they speak.
    pub speech: Speech,
    /// The road between them.
    pub road: Road,
    /// What the observer sees.
    pub view: View,
    /// What else the machine does.
    pub load: Load,
    /// The real server that serves; none if it is the backend of the scenario's own plan.
    pub server: Option<Server>,
}

/// The cells that make sense for a scenario: every combination of these, in both families, idle and busy.
#[derive(Debug, Clone, Copy)]
pub struct Cells {
    /// Roads on which the deed works.
    pub roads: &'static [Road],
    /// Speeches in which it means the same.
    pub speeches: &'static [Speech],
    /// Views from which its truth is known.
    pub views: &'static [View],
    /// Real servers that do it; none if it takes the backend of the scenario's own plan.
    pub servers: &'static [Server],
}

/// Both views.
pub(crate) const VIEWS: &[View] = &[View::Both, View::Proxy];

impl Cells {
    /// The scenario's own road, plain speech, seen from both views.
    pub const OWN: Self = Self { roads: &[Road::Own], speeches: &[Speech::Plain], views: VIEWS, servers: &[] };

    /// The same, on every road.
    pub const ANY_ROAD: Self = Self { roads: ROADS, ..Self::OWN };

    /// Each of them.
    pub fn all(&self) -> Vec<Cell> {
        [Family::V4, Family::V6].iter().flat_map(|family| self.of(*family)).collect()
    }

    /// The simplest one of a family.
    pub fn simplest(&self, family: Family) -> Cell {
        let cells = self.of(family);
        let plain = cells.iter().find(|cell| cell.speech == Speech::Plain);
        plain.or(cells.first()).copied().unwrap_or_else(|| Cell::simple(family))
    }

    fn of(&self, family: Family) -> Vec<Cell> {
        let mut cells = Vec::new();
        for &speech in self.speeches {
            for &road in self.roads {
                for &view in self.views {
                    for server in self.backends() {
                        let cell = |load| Cell { family, speech, road, view, load, server };
                        cells.extend([Load::Idle, Load::Busy].map(cell));
                    }
                }
            }
        }
        cells
    }

    fn backends(&self) -> Vec<Option<Server>> {
        if self.servers.is_empty() { vec![None] } else { self.servers.iter().copied().map(Some).collect() }
    }
}

/// Every road for a deed that needs none of its own.
pub(crate) const ROADS: &[Road] = &[Road::Own, Road::Loopback, Road::Near, Road::Far];

impl Cell {
    /// The simplest one: on the scenario's own road, plain, idle, both ends in sight.
    pub fn simple(family: Family) -> Self {
        Self { family, speech: Speech::Plain, road: Road::Own, view: View::Both, load: Load::Idle, server: None }
    }

    /// The road as namespaces, where `own` is the scenario's.
    pub fn shape(&self, own: Shape) -> Shape {
        let wire = |each_way| {
            let wire = Some(WireSetting { place: WirePlace::BeforeRouter, delay: each_way });
            Shape::Routed { wire, router: Router::Plain }
        };
        match self.road {
            Road::Own => own,
            Road::Loopback => Shape::Loopback,
            Road::Near => wire(Duration::from_micros(500)),
            Road::Far => wire(Duration::from_millis(10)),
        }
    }

    /// Whether `words`, such as `tls,20ms`, are all in its name.
    pub fn is_one_of(&self, words: &[String]) -> bool {
        let name = self.to_string();
        words.iter().all(|word| name.split(',').any(|part| part == word))
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = match self.family {
            Family::V4 => "ipv4",
            Family::V6 => "ipv6",
        };
        let speech = match self.speech {
            Speech::Plain => "plain",
            Speech::Tls => "tls",
            Speech::Close => "http10",
            Speech::Chunked => "chunked",
            Speech::Up => "up",
            Speech::Down => "down",
            Speech::Grpc => "grpc",
        };
        let road = match self.road {
            Road::Own => "own",
            Road::Loopback => "loopback",
            Road::Near => "1ms",
            Road::Far => "20ms",
        };
        let view = match self.view {
            View::Both => "both",
            View::Proxy => "proxy",
        };
        let load = match self.load {
            Load::Idle => "idle",
            Load::Busy => "busy",
        };
        write!(f, "{family},{speech},{road},{view},{load}")?;
        self.server.map_or(Ok(()), |server| write!(f, ",{}", server.name()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_chosen_by_words_of_its_name() {
        let cell = Cell { speech: Speech::Tls, road: Road::Far, ..Cell::simple(Family::V6) };
        assert_eq!(cell.to_string(), "ipv6,tls,20ms,both,idle");
        let words = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
        assert!(cell.is_one_of(&words("20ms,tls")));
        assert!(!cell.is_one_of(&words("20ms,plain")));
        let served = Cell { server: Some(Server::Apache), ..cell };
        assert_eq!(served.to_string(), "ipv6,tls,20ms,both,idle,apache");
        assert!(served.is_one_of(&words("apache")));
    }

    #[test]
    fn the_simplest_cell_of_a_scenario_is_one_of_its_own() {
        let cells = Cells { speeches: &[Speech::Grpc], servers: &[Server::Apache], ..Cells::ANY_ROAD };
        assert_eq!(cells.simplest(Family::V6).to_string(), "ipv6,grpc,own,both,idle,apache");
        assert!(cells.all().contains(&cells.simplest(Family::V6)));
        assert_eq!(Cells::OWN.simplest(Family::V4), Cell::simple(Family::V4));
    }

    #[test]
    fn a_scenario_has_every_combination_of_what_it_declares_in_both_families_idle_and_busy() {
        assert_eq!(Cells::OWN.all().len(), 2 * 2 * 2);
        assert_eq!(Cells::ANY_ROAD.all().len(), 4 * 2 * 2 * 2);
        let served = Cells { servers: &[Server::Node, Server::Apache], ..Cells::OWN };
        assert_eq!(served.all().len(), 2 * 2 * 2 * 2);
    }
}
