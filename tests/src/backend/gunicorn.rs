//! gunicorn with a worker of the kind `gthread`, the one that keeps connections.

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
    let (listen, keep_alive) = (listen.to_string(), whole_seconds(idle)?);
    let launch = Launch::new("gunicorn", programs::gunicorn()?)
        .args(["--worker-class", "gthread", "--workers", "1", "--threads", "16"])
        .args(["--bind", &listen, "--keep-alive", &keep_alive])
        .arg("--chdir")
        .arg(dir)
        .arg("--worker-tmp-dir")
        .arg(dir);
    let launch = match tls.then(|| certificate(dir)).transpose()? {
        Some(pem) => launch.arg("--certfile").arg(&pem).arg("--keyfile").arg(&pem),
        None => launch,
    };
    Ok(launch.arg("application:wsgi").gently())
}
