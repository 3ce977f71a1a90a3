//! The only place that knows aya: what the running kernel offers, where its fields are, loading and attaching the
//! programs, and reading what they write.

pub mod btf;
pub mod cost;
pub mod counters;
pub mod features;
pub mod hooks;
pub mod log;
pub mod memory;
pub mod missed;
pub mod offsets;
pub mod privilege;
pub mod programs;
pub mod ring;

use std::path::Path;

/// Where the running kernel shows its type information.
pub const BTF_PATH: &str = "/sys/kernel/btf/vmlinux";

/// [`BTF_PATH`] as a path.
#[must_use]
pub fn btf_path() -> &'static Path {
    Path::new(BTF_PATH)
}
