//! A certificate that nobody signed: nginx does not ask.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Makes a key and its certificate, in one file in `dir`.
pub(super) fn certificate(dir: &Path) -> Result<PathBuf> {
    let pem = dir.join("backend.pem");
    let request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=backend";
    let mut openssl = Command::new("openssl");
    openssl.args(request.split(' ')).arg("-keyout").arg(&pem).arg("-out").arg(dir.join("certificate.pem"));
    let made = openssl.output().context("the lab itself: no openssl")?;
    ensure!(made.status.success(), "the lab itself: {}", String::from_utf8_lossy(&made.stderr));
    let certificate = fs::read(dir.join("certificate.pem"))?;
    fs::OpenOptions::new().append(true).open(&pem)?.write_all(&certificate)?;
    Ok(pem)
}
