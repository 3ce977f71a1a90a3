//! All of Debian's packages of nginx and its modules, unpacked and never installed: their configuration files, and the
//! module that reads blocks of Lua.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::{
    apt,
    program::{output_of, run_aloud},
    toolchain::cache_dir,
    unpacked::download_to,
};

/// What packages of nginx are called.
const NAMES: &str = "^(nginx|nginx-(common|core|doc|extras|full|light)|libnginx-mod-.*[^v])$";

/// What Debian's Lua module needs to start.
const LUA: [&str; 4] = ["libluajit2-5.1-2", "lua-resty-core", "lua-resty-lrucache", "libpcre3"];

/// Where they are, or would be.
pub(crate) fn place() -> Result<PathBuf> {
    Ok(cache_dir()?.join("nginx-packages"))
}

/// Finds them, or fetches and unpacks them.
pub(crate) fn ensure() -> Result<PathBuf> {
    let place = place()?;
    if !place.exists() {
        unpack(&place)?;
    }
    Ok(place)
}

fn unpack(home: &Path) -> Result<()> {
    if !apt::is_here() {
        bail!("they are Debian's, and there is no apt");
    }
    let names = output_of(Command::new("apt-cache").args(["search", "--names-only", NAMES]))?;
    let names: Vec<&str> = names.lines().filter_map(|line| line.split(' ').next()).chain(LUA).collect();
    let draft = home.with_extension("draft");
    let _ = fs::remove_dir_all(&draft);
    let packages = draft.join("packages");
    fs::create_dir_all(&packages).with_context(|| format!("could not make {}", packages.display()))?;
    run_aloud("fetching nginx's packages; nothing is installed", &mut download_to(&packages, &names))?;
    let root = draft.join("root");
    for package in fs::read_dir(&packages).with_context(|| format!("could not read {}", packages.display()))?.flatten()
    {
        output_of(Command::new("dpkg-deb").arg("-x").arg(package.path()).arg(&root))?;
    }
    fs::rename(&root, home).with_context(|| format!("could not move them to {}", home.display()))?;
    fs::remove_dir_all(&draft).with_context(|| format!("could not remove {}", draft.display()))
}
