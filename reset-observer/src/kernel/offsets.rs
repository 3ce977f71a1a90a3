//! The offset table that the programs read fields by.

use anyhow::{Result, ensure};
use reset_observer_ebpf::{
    SNAPSHOT_MAX_LEN,
    field::{ABSENT, FIELD_COUNT, FIELDS, Field, FieldPath},
};

use super::btf::Btf;

/// Offsets of every field in the running kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offsets {
    /// In the order of [`FIELDS`]; [`ABSENT`] for an optional field that this kernel does not have.
    pub table: [u32; FIELD_COUNT],
    /// The optional fields that are missing, as `structure.path`, with the reason.
    pub missing: Vec<String>,
}

impl Offsets {
    /// Looks every field up. Returns what was found, and the required fields that are missing or of another size than
    /// the programs read, as `structure.path: reason`.
    #[must_use]
    pub fn survey(btf: &Btf) -> (Self, Vec<String>) {
        let mut offsets = Self { table: [ABSENT; FIELD_COUNT], missing: Vec::new() };
        let mut refused = Vec::new();
        for (slot, (_, place)) in offsets.table.iter_mut().zip(FIELDS) {
            let reason = match btf.field(place.structure, place.path) {
                Ok(found) if found.size == place.size => {
                    *slot = found.offset;
                    continue;
                }
                Ok(found) => format!("{} bytes long, not {}", found.size, place.size),
                Err(error) => format!("{error:#}"),
            };
            let line = format!("{}.{}: {reason}", place.structure, place.path);
            if place.required { refused.push(line) } else { offsets.missing.push(line) }
        }
        (offsets, refused)
    }

    /// First byte and length of the part of a `tcp_sock` that is copied at once: from the first field of a snapshot on, as
    /// far as there is room.
    #[must_use]
    pub fn snapshot_window(&self) -> [u32; 2] {
        let of_snapshot = |(index, (_, place)): (usize, &(Field, FieldPath))| {
            let within = matches!(place.structure, "tcp_sock" | "inet_connection_sock");
            (within && self.table[index] != ABSENT).then(|| (self.table[index], self.table[index] + place.size))
        };
        let spans: Vec<(u32, u32)> = FIELDS.iter().enumerate().filter_map(of_snapshot).collect();
        let start = spans.iter().map(|(first, _)| *first).min().unwrap_or_default() & !7;
        let room = start + u32::try_from(SNAPSHOT_MAX_LEN).unwrap_or(u32::MAX);
        let end = spans.iter().map(|(_, end)| *end).filter(|end| *end <= room).max().unwrap_or(start);
        [start, end - start]
    }
}

/// Refuses to go on without a required field.
///
/// # Errors
/// If there is any in `refused`; the message names all of them.
pub fn require(refused: &[String]) -> Result<()> {
    ensure!(
        refused.is_empty(),
        "this kernel's sockets are not as the programs expect, so nothing was loaded; update reset-observer, or report \
         the kernel's version with these lines:\n  {}",
        refused.join("\n  ")
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_kernel_resolves_whole() {
        if !crate::kernel::btf_path().exists() {
            eprintln!("left out: this kernel has no BTF");
            return;
        }
        let (offsets, refused) = Offsets::survey(&Btf::load(crate::kernel::btf_path()).unwrap());
        assert_eq!(refused, [""; 0]);
        let [start, length] = offsets.snapshot_window();
        assert!(start > 0 && length > 200 && length as usize <= SNAPSHOT_MAX_LEN, "{start} {length}");
        assert!(offsets.table.iter().filter(|&&offset| offset == ABSENT).count() == offsets.missing.len());
    }
}
