//! Node: HTTP/1.1, HTTPS and HTTP/2.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use super::certificate::certificate;
use crate::child::Launch;
use crate::programs;

/// How the server is told to be.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Node {
    /// `keepAliveTimeout`, or the session timeout of HTTP/2.
    pub(super) idle: Duration,
    pub(super) tls: bool,
    /// Whether it says `close_notify` before it closes an idle connection; Node's own timer does not.
    pub(super) farewell: bool,
    pub(super) http2: bool,
}

impl Node {
    pub(super) fn launch(self, listen: SocketAddr, dir: &Path) -> Result<Launch> {
        let script = dir.join("server.js");
        fs::write(&script, include_str!("node.js"))?;
        let pem = self.tls.then(|| certificate(dir)).transpose()?;
        let options = json!({
            "address": listen.ip(),
            "port": listen.port(),
            "idle": self.idle.as_millis(),
            "pem": pem,
            "farewell": self.farewell,
            "http2": self.http2,
        });
        Ok(Launch::new("node", programs::node()?).arg(script).arg(options.to_string()))
    }
}
