//! The places and the roads between them: proxy, wire, router and backend as a chain of namespaces, or all in one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::namespace::Namespace;
use crate::router::Router;
use crate::wire::Wire;

/// IPv4 or IPv6: a scenario runs entirely on one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// Where the wire that adds delay sits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WirePlace {
    /// Between proxy and router: all that the router answers takes as long as what the backend answers.
    BeforeRouter,
    /// Between router and backend: what the router answers arrives sooner than anything from the backend can.
    BehindRouter,
}

/// A wire: where, and how much later everything arrives, each way.
#[derive(Debug, Clone, Copy)]
pub struct WireSetting {
    /// Where it sits.
    pub place: WirePlace,
    /// Delay each way.
    pub delay: Duration,
}

/// What the road between proxy and backend is made of.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// Proxy and backend in one namespace, over the loopback.
    Loopback,
    /// Proxy, router and backend in namespaces of their own.
    Routed {
        /// A wire with delay, or none.
        wire: Option<WireSetting>,
        /// Whether the router tracks connections, and what it does with packets of those that it forgot.
        router: Router,
    },
}

/// The namespaces of one stage, joined and addressed.
#[derive(Debug)]
pub struct Topology {
    /// From proxy to backend; one alone on the loopback.
    nodes: Vec<Namespace>,
    /// Keeps the addresses of two stages apart, so that what is learned of one server is not believed of another.
    site: u8,
    family: Family,
    _wire: Option<Wire>,
}

/// Which end of a link.
#[derive(Clone, Copy)]
enum End {
    Near = 1,
    Far = 2,
}

static NEXT_SITE: AtomicU8 = AtomicU8::new(0);

impl Topology {
    /// Makes the namespaces and the links between them.
    pub fn build(shape: Shape, family: Family, scratch: &Path) -> Result<Self> {
        let site = NEXT_SITE.fetch_add(1, Ordering::Relaxed) % 100 + 1;
        let names = node_names(shape);
        let nodes = names.iter().map(|name| Namespace::new(name, scratch)).collect::<Result<Vec<_>>>()?;
        let mut topology = Self { nodes, site, family, _wire: None };
        topology.link_up().context("cannot join the namespaces")?;
        if let Shape::Routed { wire, router } = shape {
            if let Some(node) = topology.node("router") {
                router.install(node)?;
            }
            if let (Some(setting), Some(node)) = (wire, topology.node("wire")) {
                topology._wire = Some(Wire::start(node, setting.delay)?);
            }
        }
        Ok(topology)
    }

    /// Where nginx and the client live.
    pub fn proxy(&self) -> &Namespace {
        &self.nodes[0]
    }

    /// Where the backend lives.
    pub fn backend(&self) -> &Namespace {
        &self.nodes[self.nodes.len() - 1]
    }

    /// The router between them, if there is one.
    pub fn router(&self) -> Option<&Namespace> {
        self.node("router")
    }

    /// All namespaces of the stage.
    pub fn namespaces(&self) -> &[Namespace] {
        &self.nodes
    }

    /// The address that the backend is reached at.
    pub fn backend_address(&self) -> IpAddr {
        match self.nodes.len() {
            1 => self.loopback_address(),
            nodes => self.address(nodes - 1, End::Far),
        }
    }

    /// The address that clients of nginx connect to, in the proxy's namespace.
    pub fn front_address(&self) -> IpAddr {
        match self.family {
            Family::V4 => Ipv4Addr::LOCALHOST.into(),
            Family::V6 => Ipv6Addr::LOCALHOST.into(),
        }
    }

    fn node(&self, name: &str) -> Option<&Namespace> {
        self.nodes.iter().find(|node| node.name() == name)
    }

    fn loopback_address(&self) -> IpAddr {
        match self.family {
            Family::V4 => Ipv4Addr::new(127, 0, self.site, 1).into(),
            Family::V6 => Ipv6Addr::new(0xfd99, self.site.into(), 0, 0, 0, 0, 0, 1).into(),
        }
    }

    /// The address of one end of link `link`, counted from 1 at the proxy.
    fn address(&self, link: usize, end: End) -> IpAddr {
        // A chain has at most three links.
        let link = u8::try_from(link).unwrap_or(u8::MAX);
        match self.family {
            Family::V4 => Ipv4Addr::new(10, 100 + self.site, link, end as u8).into(),
            Family::V6 => Ipv6Addr::new(0xfd99, self.site.into(), link.into(), 0, 0, 0, 0, u16::from(end as u8)).into(),
        }
    }

    fn prefix_length(&self) -> u8 {
        match self.family {
            Family::V4 => 24,
            Family::V6 => 64,
        }
    }

    fn link_up(&self) -> Result<()> {
        for node in &self.nodes {
            // Without duplicate address detection an IPv6 address serves at once.
            node.sysctl(&[
                ("ipv6/conf/default/accept_dad", "0"),
                ("ipv6/conf/all/accept_dad", "0"),
                ("ipv6/conf/all/forwarding", "1"),
                ("ipv4/ip_forward", "1"),
            ])?;
        }
        for pair in self.nodes.windows(2) {
            let peer = pair[1].pid();
            let link = format!("link add right type veth peer name left netns {peer}\nlink set right up\n");
            pair[0].run("ip", &["-batch", "-"], &link)?;
            // An IPv6 address that is there before its link is up waits up to a second for its first use.
            pair[1].run("ip", &["link", "set", "left", "up"], "")?;
        }
        for (index, node) in self.nodes.iter().enumerate() {
            node.run("ip", &["-batch", "-"], &self.addressing(index))?;
        }
        Ok(())
    }

    /// The `ip -batch` lines that give node `index` its addresses and its routes.
    fn addressing(&self, index: usize) -> String {
        let links = self.nodes.len() - 1;
        let length = self.prefix_length();
        let nodad = if self.family == Family::V6 { " nodad" } else { "" };
        let mut batch = String::from("link set lo up\n");
        if links == 0 && self.family == Family::V6 {
            batch += &format!("addr add {}/128 dev lo nodad\n", self.loopback_address());
        }
        let mut interface = |name: &str, address: IpAddr| {
            batch += &format!("addr add {address}/{length} dev {name}{nodad}\n");
        };
        if index > 0 {
            interface("left", self.address(index, End::Far));
        }
        if index < links {
            interface("right", self.address(index + 1, End::Near));
        }
        for link in 1..=links {
            let via = match link {
                _ if link < index => self.address(index, End::Near),
                _ if link > index + 1 => self.address(index + 1, End::Far),
                _ => continue,
            };
            batch += &format!("route add {}/{length} via {via}\n", self.network(link));
        }
        batch
    }

    fn network(&self, link: usize) -> IpAddr {
        match self.address(link, End::Near) {
            IpAddr::V4(near) => Ipv4Addr::from(u32::from(near) & !0xff).into(),
            IpAddr::V6(near) => Ipv6Addr::from(u128::from(near) & !0xff).into(),
        }
    }
}

fn node_names(shape: Shape) -> &'static [&'static str] {
    match shape {
        Shape::Loopback => &["host"],
        Shape::Routed { wire: None, .. } => &["proxy", "router", "backend"],
        Shape::Routed { wire: Some(WireSetting { place: WirePlace::BeforeRouter, .. }), .. } => {
            &["proxy", "wire", "router", "backend"]
        }
        Shape::Routed { wire: Some(WireSetting { place: WirePlace::BehindRouter, .. }), .. } => {
            &["proxy", "router", "wire", "backend"]
        }
    }
}
