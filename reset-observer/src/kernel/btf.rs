//! A reader for the kernel's type information (BTF), as far as field offsets, tracepoint arities and enum names need it.
//!
//! Layout: [Documentation/bpf/btf.rst]. The blob comes from the kernel, yet nothing in it is trusted: every index is
//! checked, recursion is bounded, and a blob that does not hold together gives a sentence, never a panic.
//!
//! [Documentation/bpf/btf.rst]: https://github.com/torvalds/linux/blob/v6.12/Documentation/bpf/btf.rst

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};

mod field;

pub use field::FieldLocation;

const MAGIC: u16 = 0xeb9f;
const VERSION: u8 = 1;
/// The header that every version has; longer ones (Linux 7.1 added a layout section) only append to it.
const HEADER_LEN: usize = 24;
const TYPE_LEN: usize = 12;
const MEMBER_LEN: usize = 12;
/// How deep modifiers, arrays and unnamed members may nest. The kernel's own types stay below ten.
const MAX_DEPTH: u32 = 32;
/// Bytes that a name and its end may take, as in the kernel (`KSYM_NAME_LEN` in [kernel/bpf/btf.c]). An enum of a damaged
/// blob could otherwise name one string of megabytes 65,535 times.
///
/// [kernel/bpf/btf.c]: https://github.com/torvalds/linux/blob/v6.12/kernel/bpf/btf.c
const MAX_NAME_LEN: usize = 512;

/// Kinds of types that the reader looks into or must step over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Int,
    Ptr,
    Array,
    Struct,
    Union,
    Enum,
    Typedef,
    Func,
    /// const, volatile, restrict, type tag: looked through.
    Modifier,
    FuncProto,
    Enum64,
    /// Of no interest here; the length of what follows is known.
    Other,
}

impl Kind {
    /// The kind with this number, and how many bytes follow the common part for `vlen` entries.
    fn from_info(number: u32, vlen: usize) -> Option<(Self, usize)> {
        Some(match number {
            1 => (Self::Int, 4),
            2 => (Self::Ptr, 0),
            3 => (Self::Array, 12),
            4 => (Self::Struct, MEMBER_LEN * vlen),
            5 => (Self::Union, MEMBER_LEN * vlen),
            6 => (Self::Enum, 8 * vlen),
            8 => (Self::Typedef, 0),
            9 | 10 | 11 | 18 => (Self::Modifier, 0),
            13 => (Self::FuncProto, 8 * vlen),
            14 | 17 => (Self::Other, 4),
            15 => (Self::Other, 12 * vlen),
            12 => (Self::Func, 0),
            7 | 16 => (Self::Other, 0),
            19 => (Self::Enum64, 12 * vlen),
            _ => return None,
        })
    }
}

/// One type, read from the blob.
#[derive(Clone, Copy, Debug)]
struct Type {
    name: u32,
    kind: Kind,
    vlen: usize,
    bitfields: bool,
    /// Size in bytes, or the type that this one refers to, by kind.
    size_or_type: u32,
    /// Where the entries behind the common part start.
    body: usize,
}

/// A parsed blob. The default one knows no types.
#[derive(Debug, Default)]
pub struct Btf {
    data: Vec<u8>,
    /// Where each type starts; type ids count from 1.
    types: Vec<u32>,
    strings: std::ops::Range<usize>,
}

impl Btf {
    /// Reads the running kernel's types, or those in another file. Takes about 10 ms and 6 MiB for a usual kernel.
    ///
    /// # Errors
    /// If there is no such file (a kernel without `CONFIG_DEBUG_INFO_BTF`) or it is damaged.
    pub fn load(path: &Path) -> Result<Self> {
        let data = std::fs::read(path).with_context(|| {
            format!(
                "cannot read the kernel's type information in {}: the kernel must be built with \
                 CONFIG_DEBUG_INFO_BTF=y, as those of the usual distributions are since 2020",
                path.display()
            )
        })?;
        Self::parse(data).with_context(|| format!("{} is not usable", path.display()))
    }

    /// Parses a blob: checks the header and finds where each type starts.
    ///
    /// # Errors
    /// If the blob is not BTF, is cut short, or has a kind of type whose length is unknown.
    pub fn parse(data: Vec<u8>) -> Result<Self> {
        ensure!(data.len() >= HEADER_LEN, "the type information is cut short: {} bytes", data.len());
        let magic = u16::from_ne_bytes([data[0], data[1]]);
        ensure!(magic == MAGIC, "this is not type information of this machine's byte order (magic {magic:#06x})");
        ensure!(data[2] == VERSION, "type information of version {} is unknown: update reset-observer", data[2]);
        let header = |at| u32_at(&data, at).map(|value| value as usize);
        let header_len = header(4)?;
        let (types, strings) = (
            section(&data, header_len, header(8)?, header(12)?)?,
            section(&data, header_len, header(16)?, header(20)?)?,
        );
        ensure!(data.get(strings.clone()).and_then(<[u8]>::last) == Some(&0), "the string section does not end");
        let mut btf = Self { data, types: Vec::with_capacity(types.len() / 36), strings };
        btf.index(types)?;
        Ok(btf)
    }

    /// How many types there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.types.len()
    }

    /// Whether there are no types.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.types.is_empty()
    }

    fn index(&mut self, section: std::ops::Range<usize>) -> Result<()> {
        let mut at = section.start;
        while at < section.end {
            let id = self.types.len() + 1;
            let info = u32_at(&self.data, at + 4)?;
            let Some((_, len)) = Kind::from_info((info >> 24) & 0x1f, (info & 0xffff) as usize) else {
                bail!("type {id} is of the unknown kind {}: update reset-observer", (info >> 24) & 0x1f);
            };
            self.types.push(u32::try_from(at).context("the type information is larger than 4 GiB")?);
            at += TYPE_LEN + len;
        }
        ensure!(at == section.end, "the last type is cut short");
        Ok(())
    }

    fn get(&self, id: u32) -> Result<Type> {
        let index = (id as usize).wrapping_sub(1);
        let Some(&at) = self.types.get(index) else { bail!("type {id} does not exist") };
        let at = at as usize;
        let info = u32_at(&self.data, at + 4)?;
        let vlen = (info & 0xffff) as usize;
        let (kind, _) = Kind::from_info((info >> 24) & 0x1f, vlen).context("a kind that was indexed")?;
        Ok(Type {
            name: u32_at(&self.data, at)?,
            kind,
            vlen,
            bitfields: info >> 31 != 0,
            size_or_type: u32_at(&self.data, at + 8)?,
            body: at + TYPE_LEN,
        })
    }

    /// Bytes of the string section from this offset on.
    fn string(&self, offset: u32) -> &[u8] {
        self.data[self.strings.clone()].get(offset as usize..).unwrap_or_default()
    }

    fn name(&self, offset: u32) -> Result<String> {
        let from = self.string(offset);
        let len = from.iter().take(MAX_NAME_LEN).position(|&byte| byte == 0).context("a name is too long")?;
        Ok(String::from_utf8_lossy(&from[..len]).into_owned())
    }

    /// Whether the string at this offset is `name`. Looks no further than that takes.
    fn is_named(&self, offset: u32, name: &str) -> bool {
        self.string(offset).strip_prefix(name.as_bytes()).is_some_and(|rest| rest.first() == Some(&0))
    }

    /// The first type of one of these kinds with this name.
    fn find(&self, kinds: &[Kind], name: &str) -> Option<u32> {
        (1..=u32::try_from(self.types.len()).ok()?)
            .find(|&id| self.get(id).is_ok_and(|found| kinds.contains(&found.kind) && self.is_named(found.name, name)))
    }

    /// Looks through const, volatile, restrict, typedefs and type tags.
    fn resolve(&self, id: u32) -> Result<Type> {
        let mut found = self.get(id)?;
        for _ in 0..MAX_DEPTH {
            match found.kind {
                Kind::Modifier | Kind::Typedef => found = self.get(found.size_or_type)?,
                Kind::Int
                | Kind::Ptr
                | Kind::Array
                | Kind::Struct
                | Kind::Union
                | Kind::Enum
                | Kind::Func
                | Kind::FuncProto
                | Kind::Enum64
                | Kind::Other => return Ok(found),
            }
        }
        bail!("types refer to each other in a circle")
    }

    /// Number of arguments of a tracepoint's `TP_PROTO`, `None` if the kernel has no such tracepoint.
    ///
    /// `btf_trace_NAME` is a pointer to a function whose first parameter is the tracer's own data.
    ///
    /// # Errors
    /// If the blob is damaged.
    pub fn tracepoint_arity(&self, name: &str) -> Result<Option<usize>> {
        let Some(id) = self.find(&[Kind::Typedef], &format!("btf_trace_{name}")) else { return Ok(None) };
        let pointer = self.resolve(id)?;
        let function = self.resolve(pointer.size_or_type)?;
        ensure!(function.kind == Kind::FuncProto, "btf_trace_{name} is no function");
        Ok(function.vlen.checked_sub(1))
    }

    /// Whether the kernel has a function of this name with at least so many arguments.
    ///
    /// # Errors
    /// If the blob is damaged.
    pub fn has_function(&self, name: &str, arguments: usize) -> Result<bool> {
        let Some(id) = self.find(&[Kind::Func], name) else { return Ok(false) };
        let prototype = self.resolve(self.get(id)?.size_or_type)?;
        Ok(prototype.kind == Kind::FuncProto && prototype.vlen >= arguments)
    }

    /// Names and values of an enum, in order; `None` if the kernel has no such enum.
    ///
    /// # Errors
    /// If the blob is damaged.
    pub fn enum_values(&self, name: &str) -> Result<Option<Vec<(String, u32)>>> {
        let Some(id) = self.find(&[Kind::Enum], name) else { return Ok(None) };
        let found = self.get(id)?;
        let values = (0..found.vlen).map(|index| {
            let at = found.body + index * 8;
            Ok((self.name(u32_at(&self.data, at)?)?, u32_at(&self.data, at + 4)?))
        });
        values.collect::<Result<_>>().map(Some)
    }
}

fn section(data: &[u8], header_len: usize, offset: usize, len: usize) -> Result<std::ops::Range<usize>> {
    ensure!(header_len >= HEADER_LEN, "a header of {header_len} bytes is too short");
    let start = header_len.checked_add(offset).context("a section starts beyond the end")?;
    let end = start.checked_add(len).context("a section ends beyond the end")?;
    ensure!(end <= data.len(), "the type information is cut short: {} bytes of at least {end}", data.len());
    Ok(start..end)
}

fn u32_at(data: &[u8], at: usize) -> Result<u32> {
    let bytes = data.get(at..).and_then(|rest| rest.first_chunk::<4>());
    bytes.map(|bytes| u32::from_ne_bytes(*bytes)).context("the type information is cut short")
}

#[cfg(test)]
mod tests;
