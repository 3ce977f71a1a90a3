//! Apache httpd with its event MPM: never the host's service, a server of its own from an own configuration.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;
use std::{env, fmt::Write as _};

use anyhow::Result;

use super::certificate::certificate;
use crate::child::Launch;
use crate::programs;

/// Where Debian's package has its modules.
const MODULES: &str = "/usr/lib/apache2/modules";

pub(super) fn launch(listen: SocketAddr, idle: Duration, tls: bool, dir: &Path) -> Result<Launch> {
    let documents = dir.join("documents");
    fs::create_dir_all(&documents)?;
    fs::write(documents.join("ok"), "ok\n")?;
    fs::write(documents.join("drip"), "x".repeat(100_000))?;
    open_to_others(dir)?;
    let pem = tls.then(|| certificate(dir)).transpose()?;
    let configuration = dir.join("httpd.conf");
    fs::write(&configuration, configure(listen, idle, pem.as_deref(), dir)?)?;
    let launch = Launch::new("apache2", programs::apache()?).arg("-d").arg(dir).arg("-f").arg(configuration);
    Ok(launch.arg("-DFOREGROUND").gently())
}

fn configure(listen: SocketAddr, idle: Duration, pem: Option<&Path>, dir: &Path) -> Result<String> {
    let (dir, idle_ms) = (dir.display(), idle.as_millis());
    let mut text = format!(
        "LoadModule mpm_event_module {MODULES}/mod_mpm_event.so\n\
         LoadModule authz_core_module {MODULES}/mod_authz_core.so\n\
         LoadModule env_module {MODULES}/mod_env.so\n\
         LoadModule ratelimit_module {MODULES}/mod_ratelimit.so\n\
         <Location /drip>\nSetOutputFilter RATE_LIMIT\nSetEnv rate-limit 4\n</Location>\n\
         ServerName backend\nListen {listen}\nUser nobody\nGroup nogroup\n\
         PidFile {dir}/httpd.pid\nDefaultRuntimeDir {dir}\nErrorLog {dir}/error.log\nDocumentRoot {dir}/documents\n\
         StartServers 1\nServerLimit 1\nThreadsPerChild 32\nMaxRequestWorkers 32\nMinSpareThreads 1\nMaxSpareThreads 32\n\
         KeepAlive On\nMaxKeepAliveRequests 0\nKeepAliveTimeout {idle_ms}ms\nTimeout 30\n"
    );
    if let Some(pem) = pem {
        writeln!(
            text,
            "LoadModule ssl_module {MODULES}/mod_ssl.so\nSSLEngine on\nSSLCertificateFile {pem}\n\
             SSLCertificateKeyFile {pem}",
            pem = pem.display()
        )?;
    }
    Ok(text)
}

/// Its children are `nobody`, and the lab's scratch directory is closed to others.
fn open_to_others(dir: &Path) -> Result<()> {
    let temporary = env::temp_dir();
    for dir in dir.ancestors().take_while(|dir| **dir != temporary && dir.starts_with(&temporary)) {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o711))?;
    }
    Ok(())
}
