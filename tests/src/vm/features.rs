//! What this kernel has, asked of it by another way than the observer's: its tracing file system and its files, where
//! the observer reads BTF. A feature that the kernel has and the observer does not use is a failure.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// What this kernel tells, and does not.
#[derive(Debug, Clone, Copy)]
pub struct Kernel {
    /// `tcp_send_reset` gives the reason, and fires for resets without a socket and in TIME_WAIT too: both came together
    /// (Linux 6.10).
    pub tells_every_reset_sent: bool,
}

impl Kernel {
    /// Asks it.
    pub fn ask() -> Result<Self> {
        let tracing = Path::new("/sys/kernel/tracing/events");
        if !tracing.exists() {
            // Where tracefs is not mounted, the release must do.
            return Ok(Self { tells_every_reset_sent: is_at_least(6, 10) });
        }
        let path = tracing.join("tcp/tcp_send_reset/format");
        let format = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Self { tells_every_reset_sent: format.contains("reason") })
    }

    /// Fails unless the features of a `ready` line are those that this kernel has.
    pub fn judge(self, ready: &Value) -> Result<()> {
        let features = ready["features"].as_object().context("the ready line names no features")?;
        for (name, present) in features {
            match (self.has(name), present == &Value::Bool(true)) {
                (true, false) => bail!("this kernel has {name}, and the observer does not use it: {ready}"),
                (false, true) => bail!("this kernel has no {name}, and the observer says that it does: {ready}"),
                (true, true) | (false, false) => {}
            }
        }
        Ok(())
    }

    /// Whether a feature must be used here. One that is not named is in every kernel of the matrix.
    fn has(self, feature: &str) -> bool {
        match feature {
            "reset_reason" => self.tells_every_reset_sent,
            "ipv6" => Path::new("/proc/net/if_inet6").exists(),
            "socket_error" => Path::new("/sys/kernel/tracing/events/sock/inet_sk_error_report").exists(),
            // `tcp_reset` gets the packet since then. No file shows a function's arguments but BTF, which is the observer's
            // own way to ask.
            "rst_packet" => is_at_least(5, 12),
            _ => true,
        }
    }
}

/// Whether this is Linux `major.minor` or later.
fn is_at_least(major: u32, minor: u32) -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split(['.', '-']).map_while(|number| number.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(major), Some(minor))
}
