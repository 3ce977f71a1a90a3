//! The state file's bytes.

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::{MAX_BYTES, State};

/// What the head of each state file says it is.
const FORMAT: &str = "reset-observer state";

/// The version of the rest. Another one is not read: to learn again costs less than to believe something wrong.
const VERSION: u32 = 1;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    format: String,
    version: u32,
    /// Length of all that follows the first line.
    bytes: usize,
    /// Its checksum (CRC-32 of IEEE 802.3).
    crc32: u32,
}

/// As much of the first line as every version has.
#[derive(Debug, Deserialize)]
struct AnyHead {
    format: String,
    version: u32,
}

/// The bytes of a state file.
pub(super) fn write(state: &State) -> Result<Vec<u8>> {
    let mut body = serde_json::to_vec(state)?;
    body.push(b'\n');
    let head = Head { format: FORMAT.into(), version: VERSION, bytes: body.len(), crc32: crc32fast::hash(&body) };
    let mut file = serde_json::to_vec(&head)?;
    file.push(b'\n');
    file.append(&mut body);
    Ok(file)
}

/// Reads a state file whole or not at all.
pub(super) fn read(bytes: &[u8]) -> Result<State> {
    let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    ensure!(len <= MAX_BYTES, "it is longer than {} MiB, which no state is", MAX_BYTES >> 20);
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else { bail!("its first line has no end") };
    let (first, body) = (&bytes[..end], &bytes[end + 1..]);
    let any: AnyHead = serde_json::from_slice(first).context("its first line is not that of a state file")?;
    ensure!(any.format == FORMAT, "its first line says that it is {:?}, not {FORMAT:?}", any.format);
    ensure!(any.version == VERSION, "it is of version {}, and this program reads version {VERSION}", any.version);
    let head: Head = serde_json::from_slice(first).context("its first line is not that of a state file")?;
    ensure!(body.len() == head.bytes, "{} bytes follow its first line, which announces {}", body.len(), head.bytes);
    ensure!(crc32fast::hash(body) == head.crc32, "its checksum is not that of what it holds");
    serde_json::from_slice(body).context("what it holds cannot be understood")
}
