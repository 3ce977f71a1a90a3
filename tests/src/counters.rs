//! The kernel's own TCP counters of a namespace: what it did, whatever any program says.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};

use crate::namespace::Namespace;

pub mod tally;

/// The counters of one namespace at one moment, named as `nstat` names them (`TcpOutRsts`, `TcpExtTCPAbortOnClose`).
#[derive(Debug, Clone, Default)]
pub struct Counters(BTreeMap<String, u64>);

impl Counters {
    /// The counters of namespace `net` as they stand.
    pub fn of(net: &Namespace) -> Result<Self> {
        Self::of_process(net.pid())
    }

    /// The counters of the namespace that process `pid` lives in.
    pub fn of_process(pid: u32) -> Result<Self> {
        let mut counters = BTreeMap::new();
        for file in ["snmp", "netstat"] {
            let path = format!("/proc/{pid}/net/{file}");
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
            counters.extend(parse(&text));
        }
        Ok(Self(counters))
    }

    /// The value of one counter; 0 if the kernel has none of that name.
    pub fn get(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// By how much counter `name` has grown since `before`.
    pub fn growth(&self, before: &Self, name: &str) -> u64 {
        self.get(name).saturating_sub(before.get(name))
    }
}

/// Lines come in pairs, names then values, each led by the group's name.
fn parse(text: &str) -> BTreeMap<String, u64> {
    let lines: Vec<&str> = text.lines().collect();
    let mut counters = BTreeMap::new();
    for pair in lines.chunks_exact(2) {
        let mut names = pair[0].split_whitespace();
        let group = names.next().unwrap_or_default().trim_end_matches(':');
        let values = pair[1].split_whitespace().skip(1);
        // `MaxConn` is -1: the only one that is not a counter.
        let numbers = values.map(|value| value.parse().unwrap_or(0));
        counters.extend(names.map(|name| format!("{group}{name}")).zip(numbers));
    }
    counters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_paired_as_nstat_pairs_them() {
        let text = "Tcp: RtoMin MaxConn OutRsts\nTcp: 200 -1 7\nTcpExt: TCPAbortOnClose\nTcpExt: 3\n";
        let counters = Counters(parse(text));
        assert_eq!(counters.get("TcpOutRsts"), 7);
        assert_eq!(counters.get("TcpExtTCPAbortOnClose"), 3);
        assert_eq!(counters.get("TcpMaxConn"), 0);
    }
}
