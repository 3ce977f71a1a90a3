//! From `tcp_sock` and `rtt_min.s[0].v` to a byte offset.

use anyhow::{Context as _, Result, bail, ensure};

use super::{Btf, Kind, MAX_DEPTH, MEMBER_LEN, Type, u32_at};

/// How many members one look-up may visit. The largest structures of a kernel have a few hundred, unnamed ones included.
const MAX_VISITS: u32 = 10_000;

/// No structure of a kernel is that large, so a blob that says so is damaged.
const TOO_FAR: &str = "an offset beyond 512 MiB";

/// Where a field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldLocation {
    /// Bytes from the start of the structure.
    pub offset: u32,
    /// Size in bytes.
    pub size: u32,
}

/// A member of a structure: its type and where it starts, in bits.
struct Member {
    id: u32,
    bit: u32,
    bitfield: bool,
}

impl Btf {
    /// Where the field at `path` is in `structure`. Members are separated by dots, `[n]` steps into an array, unnamed
    /// members are looked through.
    ///
    /// # Errors
    /// If there is no such structure or field, if the field is a bitfield, or if the blob is damaged.
    pub fn field(&self, structure: &str, path: &str) -> Result<FieldLocation> {
        let id = self
            .find(&[Kind::Struct, Kind::Union], structure)
            .with_context(|| format!("this kernel has no structure {structure}"))?;
        let mut bit = 0_u32;
        let mut at = id;
        for step in path.split('.') {
            let (name, indices) = step.split_once('[').map_or((step, None), |(name, rest)| (name, Some(rest)));
            let mut visits = MAX_VISITS;
            let member = self
                .member(&self.resolve(at)?, name, MAX_DEPTH, &mut visits)?
                .with_context(|| format!("{structure} has no member {name} on the way to {path}"))?;
            ensure!(!member.bitfield, "{structure}.{path} is a bitfield, which the programs do not read");
            bit = add_bits(bit, member.bit)?;
            at = member.id;
            if let Some(index) = indices {
                let (element, offset) = self.element(at, index)?;
                at = element;
                bit = add_bits(bit, offset.checked_mul(8).context(TOO_FAR)?)?;
            }
        }
        let size = self.size(at, MAX_DEPTH)?;
        ensure!(bit.is_multiple_of(8), "{structure}.{path} does not start at a byte");
        Ok(FieldLocation { offset: bit / 8, size })
    }

    fn member(&self, of: &Type, name: &str, depth: u32, visits: &mut u32) -> Result<Option<Member>> {
        ensure!(depth > 0, "members nest too deep");
        if !matches!(of.kind, Kind::Struct | Kind::Union) {
            return Ok(None);
        }
        for index in 0..of.vlen {
            *visits = visits.checked_sub(1).context("too many members")?;
            let at = of.body + index * MEMBER_LEN;
            let (member_name, id, offset) =
                (u32_at(&self.data, at)?, u32_at(&self.data, at + 4)?, u32_at(&self.data, at + 8)?);
            let (bit, width) = if of.bitfields { (offset & 0x00ff_ffff, offset >> 24) } else { (offset, 0) };
            if self.is_named(member_name, name) {
                return Ok(Some(Member { id, bit, bitfield: width != 0 }));
            }
            if self.is_named(member_name, "")
                && let Some(inner) = self.member(&self.resolve(id)?, name, depth - 1, visits)?
            {
                let bit = add_bits(bit, inner.bit)?;
                return Ok(Some(Member { bit, ..inner }));
            }
        }
        Ok(None)
    }

    /// The element type and byte offset of `index]` in an array.
    fn element(&self, id: u32, index: &str) -> Result<(u32, u32)> {
        let array = self.resolve(id)?;
        ensure!(array.kind == Kind::Array, "an index into something that is no array");
        let index: u32 = index.trim_end_matches(']').parse().context("an array index is a number")?;
        let (element, count) = (u32_at(&self.data, array.body)?, u32_at(&self.data, array.body + 8)?);
        ensure!(index < count, "index {index} is beyond the array's {count} elements");
        let offset = self.size(element, MAX_DEPTH)?.checked_mul(index).context("an offset beyond 4 GiB")?;
        Ok((element, offset))
    }

    fn size(&self, id: u32, depth: u32) -> Result<u32> {
        ensure!(depth > 0, "arrays nest too deep");
        let of = self.resolve(id)?;
        match of.kind {
            Kind::Int | Kind::Struct | Kind::Union | Kind::Enum | Kind::Enum64 => Ok(of.size_or_type),
            Kind::Ptr => Ok(8),
            Kind::Array => {
                let (element, count) = (u32_at(&self.data, of.body)?, u32_at(&self.data, of.body + 8)?);
                self.size(element, depth - 1)?.checked_mul(count).context("an array larger than 4 GiB")
            }
            Kind::Typedef | Kind::Modifier | Kind::Func | Kind::FuncProto | Kind::Other => {
                bail!("type {id} has no size")
            }
        }
    }
}

fn add_bits(bits: u32, more: u32) -> Result<u32> {
    bits.checked_add(more).context(TOO_FAR)
}
