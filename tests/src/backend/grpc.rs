//! gRPC's own server, of the library that most languages' gRPC is made of.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;

use crate::child::Launch;

/// Debian's Python, which has Debian's gRPC.
const PYTHON: &str = "/usr/bin/python3";

pub(super) fn launch(listen: SocketAddr, idle: Duration, tls: bool, dir: &Path) -> Result<Launch> {
    ensure!(!tls, "the lab itself: this server speaks no TLS here");
    let script = dir.join("grpc_server.py");
    fs::write(&script, include_str!("grpc.py"))?;
    let options = json!({ "listen": listen.to_string(), "idle": idle.as_millis() });
    Ok(Launch::new("the gRPC server", PYTHON).arg(script).arg(options.to_string()))
}
