//! What a kernel package gives: the image to boot, and the modules that the lab needs, in the order to load them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

use crate::program::{output_of, typed};

/// What the lab's roads are made of: links, router, wire. A name that a kernel has built in, or under another roof, is
/// left out there; what is needed and missing then fails the scenario that needs it.
const MODULES: [&str; 15] = [
    // libcrc32c asks for an implementation of crc32c as it is loaded, and nobody in there answers.
    "crc32c_generic",
    "veth",
    "nf_tables",
    "nf_conntrack",
    "nf_conntrack_netlink",
    "nft_ct",
    "nft_counter",
    "nft_compat",
    "nft_reject",
    "nft_reject_inet",
    "nfnetlink_queue",
    "xt_NFQUEUE",
    "x_tables",
    "tcp_diag",
    "inet_diag",
];

/// The parts of a package that any of these come from.
const PARTS: [&str; 6] =
    ["*/vmlinuz*", "*/kernel/net/*", "*/kernel/lib/*", "*/kernel/crypto/*", "*/net/veth.ko*", "*/modules.*"];

/// An unpacked kernel.
pub(super) struct Kernel {
    pub(super) image: PathBuf,
    /// The modules' files, each after those that it depends on.
    pub(super) modules: Vec<PathBuf>,
}

impl Kernel {
    /// Unpacks the packages into `home`, once.
    pub(super) fn unpack(packages: &[PathBuf], home: &Path) -> Result<Self> {
        if !home.exists() {
            let draft = home.with_extension("draft");
            let _ = fs::remove_dir_all(&draft);
            fs::create_dir_all(&draft).with_context(|| format!("could not make {}", draft.display()))?;
            packages.iter().try_for_each(|package| unpack_parts(package, &draft))?;
            output_of(Command::new("depmod").arg("--basedir").arg(&draft).arg(release(&draft)?))?;
            fs::rename(&draft, home).with_context(|| format!("could not make {}", home.display()))?;
        }
        Self::read(home)
    }

    fn read(home: &Path) -> Result<Self> {
        let release = release(home)?;
        let modules = home.join("lib/modules").join(&release);
        let images = [home.join(format!("boot/vmlinuz-{release}")), modules.join("vmlinuz")];
        let image = images.into_iter().find(|image| image.exists());
        let image = image.with_context(|| format!("no kernel image in {}", home.display()))?;
        let table = modules.join("modules.dep");
        let table = fs::read_to_string(&table).with_context(|| format!("could not read {}", table.display()))?;
        let modules = in_order(&table, &MODULES).into_iter().map(|path| modules.join(path)).collect();
        Ok(Self { image, modules })
    }
}

/// The kernel's release, as its modules' directory is called.
fn release(home: &Path) -> Result<String> {
    let modules = home.join("lib/modules");
    let mut entries = fs::read_dir(&modules).with_context(|| format!("could not read {}", modules.display()))?;
    let entry = entries.next().with_context(|| format!("{} is empty", modules.display()))??;
    entry.file_name().into_string().ok().context("a release that is no UTF-8")
}

/// A whole kernel is 500 MB; the parts are a tenth of it.
fn unpack_parts(package: &Path, home: &Path) -> Result<()> {
    let mut archive = Command::new("dpkg-deb");
    archive.arg("--fsys-tarfile").arg(package).stdout(Stdio::piped());
    let mut archive_process = archive.spawn().with_context(|| format!("could not start `{}`", typed(&archive)))?;
    let packed = archive_process.stdout.take().context("dpkg-deb has no output")?;
    let mut tar = Command::new("tar");
    // Newer packages have their modules below /usr; both lie below /lib here.
    tar.args(["--extract", "--wildcards", "--transform", r"s,^\./usr/lib/,./lib/,"]).arg("--directory").arg(home);
    // A pattern that matches nothing is an error to tar; which patterns matter is seen later.
    let output =
        tar.args(PARTS).stdin(packed).output().with_context(|| format!("could not start `{}`", typed(&tar)))?;
    let status = archive_process.wait().context("dpkg-deb got lost")?;
    let words = String::from_utf8_lossy(&output.stderr);
    let real = words.lines().find(|line| !line.contains("Not found in archive") && !line.contains("previous errors"));
    match real {
        Some(words) => bail!("could not unpack {}: {words}", package.display()),
        None if !status.success() => bail!("could not unpack {} ({status})", package.display()),
        None => Ok(()),
    }
}

/// The files of the wanted modules and of all that they depend on, the depended on first.
fn in_order(table: &str, wanted: &[&str]) -> Vec<String> {
    let rows: BTreeMap<&str, Vec<&str>> = table
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(file, needs)| (file, needs.split_whitespace().collect()))
        .collect();
    let mut order = Vec::new();
    let mut seen = BTreeSet::new();
    for name in wanted {
        let Some((file, needs)) = rows.iter().find(|(file, _)| module_name(file) == *name) else { continue };
        // depmod lists all that a module needs, directly or not, the first to load last.
        for path in needs.iter().rev().chain([file]) {
            if seen.insert(*path) {
                order.push((*path).to_owned());
            }
        }
    }
    order
}

/// `nf_tables` of `kernel/net/netfilter/nf_tables.ko.xz`; the kernel takes `-` for `_`.
fn module_name(file: &str) -> String {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.split('.').next().unwrap_or(name).replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_comes_after_all_that_it_needs_and_once() {
        let table = "net/a.ko: net/c.ko net/b.ko\nnet/b.ko.xz:\nnet/b-d.ko: net/b.ko\nnet/other.ko:\n";
        assert_eq!(in_order(table, &["a", "b_d", "not_there"]), ["net/b.ko", "net/c.ko", "net/a.ko", "net/b-d.ko"]);
    }
}
