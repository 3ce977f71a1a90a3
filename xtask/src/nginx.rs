//! An nginx for the lab that is no service of this host: Debian's package, unpacked but never installed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::{
    apt,
    missing::Missing,
    program::{find, is_root, output_of, run_aloud},
    toolchain::cache_dir,
};

pub(crate) mod newest;
pub(crate) mod packages;

/// The nginx that is installed, or the one that was unpacked before.
pub(crate) fn find_here() -> Result<Option<PathBuf>> {
    let unpacked = unpacked_in(&cache_dir()?.join("nginx"));
    Ok(find("nginx").or_else(|| unpacked.exists().then_some(unpacked)))
}

/// Fetches Debian's package and unpacks it into the cache; nothing is installed, nothing is started.
pub(crate) fn unpack() -> Result<PathBuf> {
    let package = ["nginx".to_owned()];
    if !apt::offers(&package)? {
        let by_hand = if apt::is_here() { vec![apt::by_hand(&package)[0].clone()] } else { Vec::new() };
        return Err(Missing::error("the lab needs nginx in PATH (it need not run as a service)", by_hand));
    }
    let cache = cache_dir()?;
    let (draft, home) = (cache.join("nginx.draft"), cache.join("nginx"));
    let _ = fs::remove_dir_all(&draft);
    fs::create_dir_all(&draft).with_context(|| format!("could not make {}; is the cache yours?", draft.display()))?;
    download(&draft)?;
    unpack_package(&draft)?;
    let _ = fs::remove_dir_all(&home);
    fs::rename(draft.join("root"), &home).with_context(|| format!("could not move nginx to {}", home.display()))?;
    fs::remove_dir_all(&draft).with_context(|| format!("could not remove {}", draft.display()))?;
    check_libraries(&unpacked_in(&home))?;
    Ok(unpacked_in(&home))
}

fn unpacked_in(home: &Path) -> PathBuf {
    home.join("usr/sbin/nginx")
}

/// apt checks the package against the signed lists.
fn download(dir: &Path) -> Result<()> {
    let mut download = download_to(dir, &["nginx"]);
    let why = "fetching nginx for the lab; it is neither installed nor started";
    run_aloud(why, &mut download).or_else(|_| {
        apt::update("apt could not fetch nginx; fetching its lists once in case they are old")?;
        run_aloud(why, &mut download)
    })
}

fn download_to(dir: &Path, names: &[&str]) -> Command {
    let mut download = Command::new("apt-get");
    download.current_dir(dir).args(["download", "-q"]).args(names);
    if is_root() {
        // apt's own user can't write to root's cache.
        download.args(["-o", "APT::Sandbox::User=root"]);
    }
    download
}

fn unpack_package(dir: &Path) -> Result<()> {
    let files = fs::read_dir(dir).with_context(|| format!("could not read {}", dir.display()))?;
    let package = files.flatten().map(|file| file.path()).find(|path| path.extension().is_some_and(|end| end == "deb"));
    let package = package.context("apt-get download left no package")?;
    run_aloud("unpacking it", Command::new("dpkg-deb").arg("-x").arg(package).arg(dir.join("root")))
}

fn check_libraries(nginx: &Path) -> Result<()> {
    let ldd = output_of(Command::new("ldd").arg(nginx))?;
    let missing = missing_libraries(&ldd);
    if missing.is_empty() {
        return Ok(());
    }
    // Removed, so that the next set-up looks again.
    let _ = fs::remove_file(nginx);
    let packages = ["libpcre2-8-0", "libssl3", "zlib1g", "libcrypt1"].map(String::from);
    Err(Missing::error(format!("nginx lacks libraries: {}", missing.join(", ")), apt::by_hand(&packages)))
}

/// The names that `ldd` could not resolve.
fn missing_libraries(ldd: &str) -> Vec<&str> {
    ldd.lines().filter_map(|line| line.trim().strip_suffix(" => not found")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_is_not_found_is_named() {
        let ldd =
            "\tlinux-vdso.so.1 (0x00007f)\n\tlibssl.so.3 => not found\n\tlibc.so.6 => /lib/libc.so.6 (0x00007f)\n";
        assert_eq!(missing_libraries(ldd), ["libssl.so.3"]);
    }
}
