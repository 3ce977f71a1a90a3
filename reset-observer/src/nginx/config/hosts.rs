//! `/etc/hosts` as nginx's resolver library reads it.

use std::{collections::HashMap, net::IpAddr, path::Path};

use super::source::Source;

/// A larger file is left unread.
const MAX_BYTES: usize = 4 << 20;

/// Host names and their addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts(HashMap<String, Vec<IpAddr>>);

impl Hosts {
    /// Reads `/etc/hosts` below this root. One that can't be read has no names: nginx asks the DNS then.
    #[must_use]
    pub fn read(source: &dyn Source) -> Self {
        let contents = source.read(Path::new("/etc/hosts"), MAX_BYTES);
        contents.map(|contents| Self::parse(&String::from_utf8_lossy(&contents.bytes))).unwrap_or_default()
    }

    /// Reads lines of an address and its names. What is no such line is passed over.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut hosts: HashMap<String, Vec<IpAddr>> = HashMap::new();
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_ascii_whitespace();
            let Some(Ok(address)) = words.next().map(str::parse::<IpAddr>) else { continue };
            for name in words {
                let addresses = hosts.entry(name.to_ascii_lowercase()).or_default();
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
        }
        Self(hosts)
    }

    /// The addresses of a name, in the order of the file; none if it is not there.
    #[must_use]
    pub fn addresses(&self, name: &str) -> &[IpAddr] {
        self.0.get(&name.trim_end_matches('.').to_ascii_lowercase()).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests;
