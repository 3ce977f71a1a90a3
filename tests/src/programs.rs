//! Where the programs are that the lab runs, and what to do about one that is missing.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The remedy that every message about a missing program ends with.
const REMEDY: &str = "run `cargo xtask setup`";

/// The nginx to run: `LAB_NGINX`, else the one that `cargo xtask setup` unpacks, else the one in `PATH`.
pub fn nginx() -> Result<PathBuf> {
    let unpacked = cache_dir().map(|cache| cache.join("nginx/usr/sbin/nginx"));
    find("nginx", "LAB_NGINX", unpacked)
}

/// The newest nginx, in a root of its own: `LAB_NGINX_NEWEST`, else what `cargo xtask setup` unpacks. Says so if there
/// is none.
pub fn newest_nginx() -> Option<PathBuf> {
    let unpacked = cache_dir().map(|cache| cache.join("nginx-newest/nginx"));
    let found = env::var_os("LAB_NGINX_NEWEST").map(PathBuf::from).or(unpacked).filter(|path| path.is_file());
    if found.is_none() {
        println!("left out: the newest nginx is not here; {REMEDY}, which fetches Debian's from sid");
    }
    found
}

/// Where Debian's packages of nginx, its modules and what Lua needs are unpacked: `LAB_NGINX_PACKAGES`, else where
/// `cargo xtask setup` does so. Says so if they are not.
pub fn nginx_packages() -> Option<PathBuf> {
    let unpacked = cache_dir().map(|cache| cache.join("nginx-packages"));
    let found = env::var_os("LAB_NGINX_PACKAGES").map(PathBuf::from).or(unpacked).filter(|path| path.is_dir());
    if found.is_none() {
        println!("left out: Debian's packages of nginx's modules are not here; {REMEDY}");
    }
    found
}

/// The Node to run: `LAB_NODE`, else the one in `PATH`.
pub fn node() -> Result<PathBuf> {
    find("node", "LAB_NODE", None)
}

/// The gunicorn to run.
pub fn gunicorn() -> Result<PathBuf> {
    find("gunicorn", "LAB_GUNICORN", None)
}

/// The uvicorn to run.
pub fn uvicorn() -> Result<PathBuf> {
    find("uvicorn", "LAB_UVICORN", None)
}

/// The Apache httpd to run, which lies where only root's shell looks.
pub fn apache() -> Result<PathBuf> {
    find("apache2", "LAB_APACHE", Some("/usr/sbin/apache2".into()))
}

/// The haproxy to run: `LAB_HAPROXY`, else the one that `cargo xtask setup` unpacks, else the one in `PATH`.
pub fn haproxy() -> Result<PathBuf> {
    let unpacked = cache_dir().map(|cache| cache.join("haproxy/usr/sbin/haproxy"));
    find("haproxy", "LAB_HAPROXY", unpacked)
}

/// The observer under test: `RESET_OBSERVER`, else the one built beside the lab.
pub fn observer() -> Result<PathBuf> {
    let beside = lab()?.with_file_name("reset-observer");
    find("reset-observer", "RESET_OBSERVER", Some(beside))
        .context("build it with `cargo build -p reset-observer`, or name it in RESET_OBSERVER")
}

/// The lab's own binary, which is also the fault backend, the wire and the launcher.
pub fn lab() -> Result<PathBuf> {
    let own = env::current_exe().context("cannot tell the lab's own path")?;
    if own.file_name().is_some_and(|name| name == "lab") {
        return Ok(own);
    }
    // An integration test lives in `deps/`, one level below the binaries that cargo built for it.
    let candidate = own.parent().and_then(Path::parent).map(|dir| dir.join("lab"));
    candidate.filter(|path| path.is_file()).context("the lab's binary is not built; run `cargo build -p lab`")
}

/// What keeps between runs: `$XDG_CACHE_HOME/reset-observer` or `~/.cache/reset-observer`.
pub fn cache_dir() -> Option<PathBuf> {
    let base = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let base = base.or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cache")))?;
    Some(base.join("reset-observer"))
}

/// The variable that asks for the tests that take long, or need a machine that does nothing else.
const ALL: &str = "LAB_ALL";

/// Whether to run a test that takes long, or needs a machine that does nothing else: if root asks for it by `LAB_ALL=1`.
/// Says so if not.
pub fn runs_all() -> bool {
    let asked = env::var_os(ALL).is_some();
    if !asked {
        println!("left out: it needs a quiet machine; set {ALL}=1 to run it");
    }
    asked && has_root()
}

/// Whether a test may make namespaces and attach programs; if not, says that it was left out, and why.
pub fn has_root() -> bool {
    require_root().inspect_err(|reason| println!("left out: {reason}")).is_ok()
}

/// Fails with a sentence unless this process may make namespaces and attach programs.
pub fn require_root() -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        bail!("the lab makes network namespaces and needs root; run it with sudo");
    }
    Ok(())
}

fn find(name: &str, variable: &str, fallback: Option<PathBuf>) -> Result<PathBuf> {
    if let Some(path) = env::var_os(variable).map(PathBuf::from) {
        if path.is_file() {
            return Ok(path);
        }
        bail!("{variable} names {:?}, which is not a file; unset it or correct it", path.display());
    }
    let in_path = env::var_os("PATH").map(|path| env::split_paths(&path).map(|dir| dir.join(name)).collect::<Vec<_>>());
    let mut candidates = fallback.into_iter().chain(in_path.unwrap_or_default());
    candidates.find(|path| path.is_file()).with_context(|| format!("{name} is not installed; {REMEDY}"))
}
