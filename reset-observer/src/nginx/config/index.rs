//! Which configured server a worker is connected to.
//!
//! nginx looks names up when it loads its configuration, or while it runs; what it found then is in no file. So a
//! connection is told by its address where that is written, then by `/etc/hosts`, and otherwise only where one name alone
//! can be meant.

use std::{
    collections::{HashMap, HashSet},
    net::{IpAddr, SocketAddr},
};

use super::{
    Configuration,
    directive::Place,
    endpoint::Endpoint,
    pass::Target,
    upstream::{Keepalive, Layer},
};

/// What the name of a server rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ground {
    /// The address is written in the configuration.
    Written,
    /// The name is in `/etc/hosts` with this address.
    Hosts,
    /// No other server with an unknown address has this port, and nothing chooses servers by variables or Lua.
    OnlyOne,
}

/// One place in the configuration where a server is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The upstream block; `None` for a server that `proxy_pass` or its kin names itself.
    pub upstream: Option<String>,
    /// `http` or `stream`.
    pub layer: Layer,
    /// The server as written.
    pub server: String,
    /// Where.
    pub place: Place,
    /// What the upstream block says about idle connections; nothing for a server without one.
    pub keepalive: Keepalive,
    /// The index of the block in [`Configuration::upstreams`].
    pub block: Option<usize>,
}

/// The servers that a connection may lead to: several where the same address is in several upstreams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamMatch<'a> {
    /// Never empty, each upstream once, in the order of the files.
    pub members: Vec<&'a Member>,
    /// Why they are meant.
    pub ground: Ground,
}

impl UpstreamMatch<'_> {
    /// The names of the upstream blocks, in the order of the files; `None` if there is no block.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        let names: Vec<&str> = self.members.iter().filter_map(|member| member.upstream.as_deref()).collect();
        if names.is_empty() { None } else { Some(names.join(", ")) }
    }

    /// The server as written, where all members write it the same way.
    #[must_use]
    pub fn server(&self) -> Option<&str> {
        let first = self.members.first()?.server.as_str();
        self.members.iter().all(|member| member.server == first).then_some(first)
    }
}

/// Where servers without a written address may be.
#[derive(Debug, Default)]
struct Names {
    hosts: HashSet<String>,
    members: Vec<usize>,
}

/// Finds servers by the addresses that workers connect to.
#[derive(Debug, Default)]
pub struct UpstreamIndex {
    members: Vec<Member>,
    written: HashMap<SocketAddr, Vec<usize>>,
    from_hosts: HashMap<SocketAddr, Vec<usize>>,
    unknown: HashMap<u16, Names>,
    /// Some servers are chosen in a way that the configuration does not show.
    open_ended: bool,
}

impl UpstreamIndex {
    /// Lists the servers of a configuration. `hosts` gives the addresses of a name that are known without asking the
    /// DNS, see [`super::hosts::Hosts`].
    #[must_use]
    pub fn new(configuration: &Configuration, hosts: &dyn Fn(&str) -> Vec<IpAddr>) -> Self {
        let mut index = Self::default();
        for (block, upstream) in configuration.upstreams.iter().enumerate() {
            index.open_ended |= upstream.balanced_by_lua;
            for server in upstream.servers.iter().filter(|server| !server.down) {
                let member = Member {
                    upstream: Some(upstream.name.clone()),
                    layer: upstream.layer,
                    server: server.text.clone(),
                    place: server.place.clone(),
                    keepalive: upstream.keepalive.clone(),
                    block: Some(block),
                };
                index.add(member, &server.endpoint, hosts);
            }
        }
        let mut seen = HashSet::new();
        for pass in &configuration.passes {
            match &pass.target {
                Target::Upstream(_) => {}
                Target::Dynamic => index.open_ended = true,
                // The same server is often named in many locations.
                Target::Server(endpoint) if !seen.insert(endpoint) => {}
                Target::Server(endpoint) => {
                    let member = Member {
                        upstream: None,
                        layer: pass.layer(),
                        server: endpoint.to_string(),
                        place: pass.place.clone(),
                        keepalive: Keepalive::default(),
                        block: None,
                    };
                    index.add(member, endpoint, hosts);
                }
            }
        }
        index
    }

    /// The servers that a connection to `remote` leads to; `None` if the configuration does not tell.
    #[must_use]
    pub fn label(&self, remote: SocketAddr) -> Option<UpstreamMatch<'_>> {
        let remote = canonical(remote);
        if let Some(members) = self.written.get(&remote) {
            return Some(self.matched(members, Ground::Written));
        }
        if let Some(members) = self.from_hosts.get(&remote) {
            return Some(self.matched(members, Ground::Hosts));
        }
        let names = self.unknown.get(&remote.port())?;
        let only_one = !self.open_ended && names.hosts.len() == 1;
        only_one.then(|| self.matched(&names.members, Ground::OnlyOne))
    }

    fn matched(&self, indices: &[usize], ground: Ground) -> UpstreamMatch<'_> {
        let mut blocks = HashSet::new();
        let members = indices.iter().filter_map(|index| self.members.get(*index));
        // A block may write the same address twice.
        UpstreamMatch { members: members.filter(|member| blocks.insert(member.block)).collect(), ground }
    }

    fn add(&mut self, member: Member, endpoint: &Endpoint, hosts: &dyn Fn(&str) -> Vec<IpAddr>) {
        let index = self.members.len();
        match endpoint {
            Endpoint::Unix(_) => return,
            Endpoint::Name { port: None, .. } => self.open_ended = true,
            Endpoint::Address(address) => self.written.entry(canonical(*address)).or_default().push(index),
            Endpoint::Name { host, port: Some(port) } => {
                let known = hosts(host);
                for ip in &known {
                    self.from_hosts.entry(canonical(SocketAddr::new(*ip, *port))).or_default().push(index);
                }
                if known.is_empty() {
                    let names = self.unknown.entry(*port).or_default();
                    names.hosts.insert(host.to_ascii_lowercase());
                    names.members.push(index);
                }
            }
        }
        self.members.push(member);
    }
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests;
