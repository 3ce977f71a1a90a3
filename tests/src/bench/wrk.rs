//! wrk: the load.

use anyhow::{Context, Result};

use crate::namespace::Namespace;
use crate::stage::FRONT_PORT;

/// Connections that it keeps open.
const CONNECTIONS: u32 = 32;

/// What it measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Load {
    /// Requests per second.
    pub(super) rps: f64,
    /// Answers that were no success, and connections that failed: not 0 only if the lab itself is at fault.
    pub(super) failures: u64,
}

/// Loads the nginx in `net` for so many seconds.
pub(super) fn load(net: &Namespace, seconds: u64) -> Result<Load> {
    let (connections, duration) = (CONNECTIONS.to_string(), format!("{seconds}s"));
    let url = format!("http://127.0.0.1:{FRONT_PORT}/");
    let said = net.run("wrk", &["-t", "1", "-c", &connections, "-d", &duration, &url], "")?;
    parse(&said).with_context(|| format!("wrk did not tell a rate: {said}"))
}

fn parse(said: &str) -> Option<Load> {
    let after = |start: &str| said.lines().find_map(|line| line.trim().strip_prefix(start));
    let numbers =
        |text: &str| text.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse::<u64>().ok()).sum::<u64>();
    let rps = after("Requests/sec:")?.trim().parse().ok()?;
    let failures = after("Non-2xx or 3xx responses:").map_or(0, numbers) + after("Socket errors:").map_or(0, numbers);
    Some(Load { rps, failures })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_and_failures_are_read() {
        let said = "  2 requests in 1.00s\n  Socket errors: connect 0, read 3, write 0, timeout 1\n  \
                    Non-2xx or 3xx responses: 7\nRequests/sec:  12034.55\nTransfer/sec: 1.9MB\n";
        assert_eq!(parse(said), Some(Load { rps: 12_034.55, failures: 11 }));
        assert_eq!(parse("unable to connect to 127.0.0.1:8080 Connection refused"), None);
    }
}
