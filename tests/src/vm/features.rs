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
        let path = "/sys/kernel/tracing/events/tcp/tcp_send_reset/format";
        let format = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
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
            _ => true,
        }
    }
}
