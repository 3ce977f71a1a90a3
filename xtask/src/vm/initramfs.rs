//! The file system that a kernel starts with: the observer, the lab as its first process, the programs that the lab
//! calls with their libraries, and the kernel's modules.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use super::{cpio::Archive, kernel::Kernel};
use crate::{
    lab_tools::LabTools,
    program::{find, output_of},
    workspace::Built,
};

/// What the lab calls by name.
const PROGRAMS: [&str; 6] = ["ip", "unshare", "nft", "iptables", "ip6tables", "conntrack"];

/// iptables looks its targets up as libraries.
const XTABLES: &str = "/usr/lib/x86_64-linux-gnu/xtables";

/// Where the lab finds what was packed; the lab's `vm` module knows the same names.
const LAB: &str = "/usr/bin/lab";
const OBSERVER: &str = "/usr/bin/reset-observer";
const NGINX: &str = "/usr/sbin/nginx";

/// Packs everything; returns the archive.
pub(super) fn pack(built: &Built, tools: &LabTools, kernel: &Kernel) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    for dir in ["/dev", "/proc", "/sys", "/tmp", "/run", "/root", "/usr/sbin", "/var/log/nginx", "/lib/modules"] {
        archive.directory(Path::new(dir))?;
    }
    // nginx looks the user up that it is told to run as.
    archive.file("/etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n", false)?;
    archive.file("/etc/group", b"root:x:0:\n", false)?;
    archive.copy_to(&built.lab, LAB)?;
    archive.copy_to(&built.observer, OBSERVER)?;
    archive.copy_to(&tools.nginx, NGINX)?;
    let mut libraries = libraries_of(&tools.nginx)?;
    for name in PROGRAMS {
        let program = find(name).with_context(|| format!("{name} is not installed; run `cargo xtask setup`"))?;
        archive.copy_to(&program, &format!("/usr/bin/{name}"))?;
        libraries.extend(libraries_of(&program)?);
    }
    for plugin in ["libxt_NFQUEUE.so"].map(|name| Path::new(XTABLES).join(name)) {
        archive.copy(&plugin)?;
    }
    libraries.iter().try_for_each(|library| archive.copy(library))?;
    pack_modules(&mut archive, kernel)?;
    archive.finish()
}

/// Modules are packed unpacked: not every kernel unpacks them itself. Their numbers are the order to load them in.
fn pack_modules(archive: &mut Archive, kernel: &Kernel) -> Result<()> {
    for (index, module) in kernel.modules.iter().enumerate() {
        let content = if module.extension().is_some_and(|end| end == "xz") {
            let mut xz = Command::new("xz");
            xz.args(["--decompress", "--stdout"]).arg(module);
            xz.output().with_context(|| format!("could not unpack {}", module.display()))?.stdout
        } else {
            fs::read(module).with_context(|| format!("could not read {}", module.display()))?
        };
        let name = module.file_name().map(|name| name.to_string_lossy().replace(".xz", "")).unwrap_or_default();
        archive.file(&format!("/lib/modules/{index:03}-{name}"), &content, false)?;
    }
    Ok(())
}

/// The libraries that a program is linked with, its loader included, at the paths where it looks for them.
fn libraries_of(program: &Path) -> Result<BTreeSet<PathBuf>> {
    let ldd = output_of(Command::new("ldd").env_remove("LD_LIBRARY_PATH").arg(program))?;
    Ok(paths_in(&ldd))
}

fn paths_in(ldd: &str) -> BTreeSet<PathBuf> {
    let words = ldd.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
    words.map(PathBuf::from).collect()
}

/// Where archives are written for the emulator to read.
pub(super) fn path_for(version: &str) -> PathBuf {
    env::temp_dir().join(format!("reset-observer-vm-{}-{version}.cpio", std::process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loader_is_a_library_too() {
        let ldd = "\tlinux-vdso.so.1 (0x7f)\n\tlibc.so.6 => /lib/x/libc.so.6 (0x7f)\n\t/lib64/ld-linux.so.2 (0x7f)\n";
        assert_eq!(paths_in(ldd), ["/lib/x/libc.so.6", "/lib64/ld-linux.so.2"].map(PathBuf::from).into());
    }
}
