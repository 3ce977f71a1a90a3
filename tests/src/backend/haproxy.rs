//! haproxy in TCP mode: something between nginx and the backend that closes idle connections of both.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::child::Launch;
use crate::programs;

pub(super) fn launch(listen: SocketAddr, idle: Duration, behind: SocketAddr, dir: &Path) -> Result<Launch> {
    let configuration = dir.join("haproxy.cfg");
    let idle_ms = idle.as_millis();
    fs::write(
        &configuration,
        format!(
            "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client {idle_ms}ms\n  timeout server {idle_ms}ms\n\
             listen lab\n  bind {listen}\n  server behind {behind}\n"
        ),
    )?;
    Ok(Launch::new("haproxy", programs::haproxy()?).args(["-db", "-q", "-f"]).arg(configuration))
}
