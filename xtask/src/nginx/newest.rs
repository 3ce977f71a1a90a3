//! The newest nginx, from Debian's sid, in a root of its own: this machine's C library is too old for it.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use crate::{toolchain::cache_dir, vm::archive::Archive};

/// nginx and what it is linked with.
const PACKAGES: [&str; 6] = ["nginx", "libc6", "libcrypt1", "libpcre2-8-0", "libssl3t64", "zlib1g"];

/// libssl is linked with it, without a dependency that nginx names.
const ALSO: [&str; 1] = ["libzstd1"];

/// Runs nginx in its root, where this machine's directory for temporary files is too. Each step takes the place of the one
/// before, so that the process which was started is nginx's master.
const PROGRAM: &str = "#!/bin/sh\nroot=$(dirname \"$(readlink -f \"$0\")\")/root\n\
    exec unshare --mount --propagation private sh -c \
    'mount --rbind /tmp \"$0/tmp\" && exec chroot \"$0\" /usr/sbin/nginx \"$@\"' \"$root\" \"$@\"\n";

/// Where it is, or would be.
pub(crate) fn place() -> Result<PathBuf> {
    Ok(cache_dir()?.join("nginx-newest/nginx"))
}

/// Finds it, or fetches and unpacks it; nothing is installed.
pub(crate) fn ensure() -> Result<PathBuf> {
    let program = place()?;
    if !program.exists() {
        unpack(program.parent().unwrap_or(Path::new("/")))?;
    }
    Ok(program)
}

fn unpack(home: &Path) -> Result<()> {
    let draft = home.with_extension("draft");
    let _ = fs::remove_dir_all(&draft);
    let root = draft.join("root");
    fs::create_dir_all(root.join("tmp")).with_context(|| format!("could not make {}", root.display()))?;
    let archive = Archive::open(&cache_dir()?.join("vm"), "sid")?;
    archive.unpack_newest(&[&PACKAGES[..], &ALSO].concat(), &root)?;
    complete(&root)?;
    let program = draft.join("nginx");
    fs::write(&program, PROGRAM)?;
    fs::set_permissions(&program, Permissions::from_mode(0o755))?;
    let _ = fs::remove_dir_all(home);
    fs::rename(&draft, home).with_context(|| format!("could not move nginx to {}", home.display()))
}

/// What the packages leave to others: the links of a merged /usr, and the names of users.
fn complete(root: &Path) -> Result<()> {
    for link in ["lib", "lib64"].iter().filter(|link| !root.join(link).exists()) {
        symlink(format!("usr/{link}"), root.join(link)).with_context(|| format!("could not link {link}"))?;
    }
    fs::create_dir_all(root.join("etc"))?;
    fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n")?;
    fs::write(root.join("etc/group"), "root:x:0:\n").context("could not write the names of groups")
}
