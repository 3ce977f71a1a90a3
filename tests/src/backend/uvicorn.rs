//! uvicorn: one process, asyncio.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::certificate::certificate;
use super::real::{whole_seconds, write_application};
use crate::child::Launch;
use crate::programs;

pub(super) fn launch(listen: SocketAddr, idle: Duration, tls: bool, dir: &Path) -> Result<Launch> {
    write_application(dir)?;
    let (host, port, keep_alive) = (listen.ip().to_string(), listen.port().to_string(), whole_seconds(idle)?);
    let launch = Launch::new("uvicorn", programs::uvicorn()?)
        .args(["--host", &host, "--port", &port, "--timeout-keep-alive", &keep_alive])
        .args(["--lifespan", "off", "--log-level", "warning", "--app-dir"])
        .arg(dir);
    let launch = match tls.then(|| certificate(dir)).transpose()? {
        Some(pem) => launch.arg("--ssl-certfile").arg(&pem).arg("--ssl-keyfile").arg(&pem),
        None => launch,
    };
    Ok(launch.arg("application:asgi"))
}
