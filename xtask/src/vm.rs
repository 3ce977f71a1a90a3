//! `vm`: the kernel matrix. Boots stock kernels in an emulator; inside, the lab makes real resets under the real
//! observer and compares its records with what must hold on that kernel.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context as _, Result, bail};

use crate::{
    apt,
    lab_tools::{self, LabTools},
    missing::Missing,
    pins::Pins,
    program::find,
    toolchain,
    workspace::{self, Built},
};

pub(crate) mod archive;
mod cpio;
mod document;
mod initramfs;
mod kernel;
mod machine;
mod matrix;
mod recorded;
mod sighting;

use machine::Machine;
use matrix::Matrix;
use recorded::Recorded;
use sighting::Sighting;

/// What to build for inside: one file that needs nothing around it.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// What the matrix needs besides the lab's own tools, and the Debian packages that bring it.
const TOOLS: [(&str, &str); 5] = [
    (machine::QEMU, "qemu-system-x86"),
    ("depmod", "kmod"),
    ("xz", "xz-utils"),
    ("dpkg-deb", "dpkg"),
    ("sha256sum", "coreutils"),
];

/// Which kernels to boot, and what to do there.
#[derive(clap::Args)]
pub(crate) struct VmArgs {
    /// Kernels of kernel-matrix.toml, as in `6.1`; all if none is named
    versions: Vec<String>,
    /// Pin the newest packages of these kernels; boot nothing
    #[arg(long)]
    pin: bool,
    /// Only these checks or scenarios; the documentation is then left as it is
    #[arg(long = "only", value_name = "NAME")]
    only: Vec<String>,
    /// Keep the recordings of the scenarios that went right in tests/recordings, under the name of the kernel
    #[arg(long)]
    record: bool,
}

/// Boots the kernels one after another and writes down what they showed.
pub(crate) fn run(pins: &Pins, args: &VmArgs) -> Result<()> {
    let matrix = Matrix::load()?;
    let kernels = matrix.chosen(&args.versions)?;
    if args.pin {
        return pin(matrix, &kernels);
    }
    workspace::require_ebpf("load")?;
    ensure_tools()?;
    toolchain::ensure(pins)?;
    let tools = lab_tools::ensure()?;
    let built = build()?;
    let mut failed = Vec::new();
    for kernel in &kernels {
        let sighting = visit(kernel, &built, &tools, args).with_context(|| format!("Linux {}", kernel.version));
        match sighting {
            Ok(sighting) if sighting.is_right() => record(&sighting, &args.only)?,
            Ok(sighting) => {
                record(&sighting, &args.only)?;
                failed.push(kernel.version.as_str());
            }
            Err(error) => {
                eprintln!("vm: {error:#}");
                failed.push(kernel.version.as_str());
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { bail!("not as it must be on Linux {}; see above", failed.join(", ")) }
}

/// Boots one kernel and gathers what it showed.
fn visit(pinned: &matrix::Kernel, built: &Built, tools: &LabTools, args: &VmArgs) -> Result<Sighting> {
    let cache = cache()?;
    let archive = archive::Archive::open(&cache, &pinned.suite)?;
    let packages = pinned.packages.iter().map(|package| archive.fetch(pinned, package)).collect::<Result<Vec<_>>>()?;
    let first = pinned.packages.first().context("a kernel without packages")?;
    let unpacked = kernel::Kernel::unpack(&packages, &cache.join("kernels").join(&first.name))?;
    let initramfs = initramfs::path_for(&pinned.version);
    fs::write(&initramfs, initramfs::pack(built, tools, &unpacked)?)
        .with_context(|| format!("could not write {}", initramfs.display()))?;
    let console = cache.join(format!("console-{}.log", pinned.version));
    let machine = Machine { image: &unpacked.image, initramfs: &initramfs, console, arguments: &args.only };
    eprintln!("vm: Linux {} ({})", pinned.version, first.name);
    let mut sighting = Sighting::of(pinned);
    let mut recorded = Recorded::default();
    let outcome = machine.run(|line| {
        recorded.take(&line);
        sighting.take(line);
    });
    let _ = fs::remove_file(&initramfs);
    let took = outcome?;
    if args.record {
        recorded.keep(&workspace::root().join("tests/recordings"), &pinned.version)?;
    }
    eprintln!("vm: Linux {}: {} in {:.0} s", pinned.version, sighting.summary(), took.as_secs_f64());
    Ok(sighting)
}

fn record(sighting: &Sighting, only: &[String]) -> Result<()> {
    if only.is_empty() { document::record(sighting) } else { Ok(()) }
}

fn pin(mut matrix: Matrix, chosen: &[matrix::Kernel]) -> Result<()> {
    let cache = cache()?;
    for kernel in matrix.kernels.iter_mut().filter(|kernel| chosen.contains(kernel)) {
        let archive = archive::Archive::open(&cache, &kernel.suite)?;
        let newest = kernel.packages.iter().map(|package| archive.newest(kernel, package));
        kernel.packages = newest.collect::<Result<_>>()?;
        let names: Vec<_> = kernel.packages.iter().map(|package| package.name.as_str()).collect();
        println!("Linux {}: {}", kernel.version, names.join(", "));
    }
    matrix.save()
}

fn cache() -> Result<PathBuf> {
    Ok(toolchain::cache_dir()?.join("vm"))
}

fn ensure_tools() -> Result<()> {
    if cfg!(not(target_arch = "x86_64")) {
        return Err(Missing::error("the kernel matrix is of x86-64 kernels and packs this machine's programs", []));
    }
    let missing: Vec<String> =
        TOOLS.iter().filter(|(program, _)| find(program).is_none()).map(|(_, package)| (*package).to_owned()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let why = format!("installing what boots kernels ({}; QEMU is about 100 MB)", missing.join(", "));
    if apt::is_here() { apt::install(&why, &missing) } else { Err(Missing::error(why, [])) }
}

/// Builds both static, so that they run without the libraries of this machine.
fn build() -> Result<Built> {
    let mut build: Command = workspace::cargo("build");
    build.args(["--package", "reset-observer", "--package", "lab", "--bins", "--target", TARGET]);
    build.env("RUSTFLAGS", "-C target-feature=+crt-static");
    let mut built = workspace::executables(&mut build)?;
    let mut take = |name: &str| built.remove(name).with_context(|| format!("cargo built no `{name}`"));
    Ok(Built { observer: take("reset-observer")?, lab: take("lab")? })
}
