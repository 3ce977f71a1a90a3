//! An episode as a sentence.

use std::{fmt, time::Duration};

use crate::{episode::Episode, sink::words, verdict::UpstreamLabel};

impl fmt::Display for Episode {
    /// As a sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let UpstreamLabel { name, server } = &self.upstream;
        write!(f, "Episode at {server}")?;
        if let Some(name) = name {
            write!(f, " of upstream {name}")?;
        }
        write!(f, ": {} ({})", self.cause, self.confidence)?;
        if let Some(exit) = &self.exit {
            let who = self.process.as_ref().map_or_else(String::new, |who| format!("{} (pid {}), ", who.name, who.pid));
            let oom = if self.oom_killed { " by the out-of-memory killer" } else { "" };
            write!(f, "; {who}{exit}{oom}")?;
        }
        write!(f, "; connections cut {}, refused {}", self.connections, self.refused)?;
        let requests: Vec<String> =
            self.requests.iter().map(|(impact, count)| format!("{count} {}", words::impact(*impact))).collect();
        if !requests.is_empty() {
            write!(f, "; requests: {}", requests.join(", "))?;
        }
        match (self.away.at_least, self.away.at_most) {
            (Duration::ZERO, None) => write!(f, "."),
            (at_least, None) => write!(f, "; away for at least {}.", words::duration(at_least)),
            (Duration::ZERO, Some(at_most)) => write!(f, "; away for at most {}.", words::duration(at_most)),
            (at_least, Some(at_most)) => {
                write!(f, "; away for {} to {}.", words::duration(at_least), words::duration(at_most))
            }
        }
    }
}
