//! What the kernel's type information tells: fields, tracepoints, the ring buffer, and every optional feature.

use anyhow::Result;
use reset_observer_ebpf::field::FIELDS;

use crate::{
    kernel::{
        BTF_PATH,
        btf::Btf,
        features::{Feature, Features, TRACEPOINTS},
        offsets::Offsets,
    },
    sink::checks::{Check, Finding},
};

const NO_TYPES: &str = "not looked at: there is no type information";
const SEE_BTF: &str = "see btf";

/// Everything that must be there.
pub(super) fn required(btf: &Result<Btf>) -> Vec<Check> {
    let known = btf.as_ref().ok();
    let mut checks = vec![present(btf)];
    checks.extend(known.map_or_else(
        || vec![Check::required("fields", Finding::unknown(NO_TYPES, SEE_BTF))],
        |btf| fields(&Offsets::survey(btf).1),
    ));
    for (name, needed) in TRACEPOINTS {
        let arity = known.map(|btf| btf.tracepoint_arity(name));
        checks.push(Check::required(format!("tracepoint {name}"), tracepoint(arity, needed)));
    }
    checks.push(ring_buffer(known));
    checks
}

fn present(btf: &Result<Btf>) -> Check {
    let finding = match btf {
        Ok(btf) => Finding::ok(format!("{} types in {BTF_PATH}", btf.len())),
        Err(error) => Finding::missing(
            format!("{error:#}"),
            format!(
                "boot a kernel with CONFIG_DEBUG_INFO_BTF=y, as those of Debian 11, Ubuntu 20.10, RHEL 8.2 and later \
                 are; in a container, mount /sys so that {BTF_PATH} can be read"
            ),
        ),
    };
    Check::required("btf", finding)
}

/// One line that sums the fields up, and one for each that is missing.
fn fields(refused: &[String]) -> Vec<Check> {
    let needed = FIELDS.iter().filter(|(_, place)| place.required).count();
    let remedy = "update reset-observer, or report the kernel's version (`uname -r`) with these lines";
    if refused.is_empty() {
        return vec![Check::required("fields", Finding::ok(format!("all {needed} fields of kernel structures")))];
    }
    let sum = format!("{} of {needed} fields of kernel structures are not as the programs read them", refused.len());
    let mut checks = vec![Check::required("fields", Finding::missing(sum, remedy))];
    checks.extend(refused.iter().map(|line| {
        let (field, reason) = line.split_once(": ").unwrap_or((line, "not found"));
        Check::required(format!("field {field}"), Finding::missing(reason, remedy))
    }));
    checks
}

/// `arity` is `None` without type information, and `Some(Ok(None))` on a kernel without the tracepoint.
fn tracepoint(arity: Option<Result<Option<usize>>>, needed: usize) -> Finding {
    let update = "update reset-observer, or report the kernel's version (`uname -r`)";
    match arity {
        None => Finding::unknown(NO_TYPES, SEE_BTF),
        Some(Err(error)) => Finding::unknown(format!("{error:#}"), update),
        Some(Ok(None)) => Finding::missing(
            "this kernel has no such tracepoint",
            "boot Linux 5.10 or later with CONFIG_TRACEPOINTS=y and CONFIG_INET=y",
        ),
        Some(Ok(Some(found))) if found < needed => {
            Finding::missing(format!("{}, at least {needed} needed", arguments(found)), update)
        }
        Some(Ok(Some(found))) => Finding::ok(arguments(found)),
    }
}

fn arguments(count: usize) -> String {
    if count == 1 { "1 argument".to_owned() } else { format!("{count} arguments") }
}

fn ring_buffer(btf: Option<&Btf>) -> Check {
    let finding = match btf.map(|btf| btf.enum_values("bpf_map_type")) {
        None => Finding::unknown(NO_TYPES, SEE_BTF),
        Some(Err(error)) => Finding::unknown(format!("{error:#}"), SEE_BTF),
        Some(Ok(values)) if has(values.as_deref(), "BPF_MAP_TYPE_RINGBUF") => {
            Finding::ok("this kernel has BPF ring buffers")
        }
        Some(Ok(_)) => Finding::missing(
            "this kernel has no BPF ring buffers",
            "boot Linux 5.10 or later with CONFIG_BPF_SYSCALL=y (ring buffers came with 5.8)",
        ),
    };
    Check::required("ring_buffer", finding)
}

fn has(values: Option<&[(String, u32)]>, name: &str) -> bool {
    values.unwrap_or_default().iter().any(|(value, _)| value == name)
}

/// Whether this kernel counts maps as locked memory of the user, as all did before 5.11 ([commit 80ee81e0403c]).
///
/// [commit 80ee81e0403c]: https://github.com/torvalds/linux/commit/80ee81e0403c
pub(super) fn maps_are_locked_memory(btf: &Result<Btf>) -> bool {
    btf.as_ref().is_ok_and(|btf| btf.field("bpf_map", "memory").is_ok())
}

/// One line for each optional feature: as the programs use them if they were loaded, else as the types tell.
pub(super) fn optional(btf: &Result<Btf>, used: Option<Vec<Feature>>) -> Vec<Check> {
    let (listed, certain) = match (used, btf) {
        (Some(used), _) => (Ok(used), true),
        (None, Ok(btf)) => (promised(btf), true),
        // The names, at least: none of them is known to be there.
        (None, Err(_)) => (promised(&Btf::default()), false),
    };
    match listed {
        Ok(listed) => listed.into_iter().map(|one| Check::optional(one.name, feature(&one, certain))).collect(),
        Err(error) => vec![Check::optional("features", Finding::unknown(format!("{error:#}"), SEE_BTF))],
    }
}

fn promised(btf: &Btf) -> Result<Vec<Feature>> {
    Ok(Features::optional(btf, Offsets::survey(btf).0)?.list())
}

fn feature(feature: &Feature, certain: bool) -> Finding {
    match (certain, feature.present) {
        (false, _) => Finding::unknown(NO_TYPES, SEE_BTF),
        (true, true) => Finding::ok(feature.purpose),
        (true, false) => Finding::missing(format!("not on this kernel: {}", feature.purpose), feature.remedy),
    }
}

#[cfg(test)]
mod tests;
