//! Blocks: entries compressed together, each with its length and checksum, so that what a crash cuts short is known.
//!
//! `RBLK`, then three numbers of 32 bits, little-endian: the length of the compressed bytes, that of the entries, and the
//! CRC-32 (IEEE 802.3) of both lengths and the compressed bytes; then these, in the LZ4 block format.

use anyhow::{Result, ensure};

/// What each block begins with.
const MAGIC: [u8; 4] = *b"RBLK";

/// Length of what stands before the compressed bytes.
pub const HEAD_BYTES: usize = 16;

/// Entries fill a block up to here.
pub const FULL_BYTES: usize = 64 << 10;

/// No block holds more, whatever it says of itself.
pub const MAX_BYTES: usize = 8 << 20;

/// The numbers before a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Length of the compressed bytes.
    pub compressed: usize,
    /// Length of the entries.
    pub entries: usize,
    crc32: u32,
}

/// The bytes of a block with these entries.
///
/// # Errors
/// If there are more than [`MAX_BYTES`] of them.
pub fn write(entries: &[u8]) -> Result<Vec<u8>> {
    ensure!(entries.len() <= MAX_BYTES, "{} bytes are too many for one block", entries.len());
    let compressed = lz4_flex::block::compress(entries);
    let lengths = [length(compressed.len())?, length(entries.len())?];
    let mut block = Vec::with_capacity(HEAD_BYTES + compressed.len());
    block.extend_from_slice(&MAGIC);
    lengths.iter().for_each(|length| block.extend_from_slice(length));
    block.extend_from_slice(&checksum(&lengths, &compressed).to_le_bytes());
    block.extend_from_slice(&compressed);
    Ok(block)
}

/// Reads what stands before a block.
///
/// # Errors
/// If no block begins here, or one that is longer than any is.
pub fn head(bytes: &[u8; HEAD_BYTES]) -> Result<Head> {
    ensure!(bytes[..4] == MAGIC, "no block begins where one should");
    let number = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let (compressed, entries) = (usize::try_from(number(4))?, usize::try_from(number(8))?);
    let longest = lz4_flex::block::get_maximum_output_size(MAX_BYTES);
    ensure!(entries <= MAX_BYTES && compressed <= longest, "a block says that it is longer than any is");
    Ok(Head { compressed, entries, crc32: number(12) })
}

/// Decompresses a block into `entries`, whose room is used again.
///
/// # Errors
/// If the checksum or a length is another one.
pub fn read(head: Head, compressed: &[u8], entries: &mut Vec<u8>) -> Result<()> {
    let lengths = [length(head.compressed)?, length(head.entries)?];
    ensure!(checksum(&lengths, compressed) == head.crc32, "the checksum is not that of what it holds");
    entries.resize(head.entries, 0);
    let written = lz4_flex::block::decompress_into(compressed, entries)?;
    ensure!(written == head.entries, "it holds {written} bytes and announces {}", head.entries);
    Ok(())
}

fn length(bytes: usize) -> Result<[u8; 4]> {
    Ok(u32::try_from(bytes)?.to_le_bytes())
}

fn checksum(lengths: &[[u8; 4]; 2], compressed: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    lengths.iter().for_each(|length| hasher.update(length));
    hasher.update(compressed);
    hasher.finalize()
}

#[cfg(test)]
mod tests;
