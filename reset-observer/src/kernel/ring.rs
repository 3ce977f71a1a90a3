//! The ring buffer of records, as something to await.

use anyhow::{Context as _, Result};
use aya::maps::RingBuf;
use reset_observer_ebpf::symbol;
use tokio::io::unix::AsyncFd;

use super::programs::{Data, Programs};

/// Reads records as bytes.
pub struct Ring {
    fd: AsyncFd<RingBuf<Data>>,
}

impl Ring {
    /// Takes the ring buffer out of the loaded programs. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// If the map is missing or cannot be mapped into memory.
    pub fn new(programs: &mut Programs) -> Result<Self> {
        let map = RingBuf::try_from(programs.take_map(symbol::RECORDS)?).context("cannot map the ring buffer")?;
        #[expect(unsafe_code, reason = "tokio asks for a promise about the file descriptor")]
        // SAFETY: the ring buffer owns its map's descriptor, returns that same one each time, and closes it only when
        // it is dropped, which is when the `AsyncFd` that owns it is dropped.
        let fd = unsafe { AsyncFd::register(map) };
        Ok(Self { fd: fd.context("cannot wait for the ring buffer")? })
    }

    /// Waits until there is at least one record, then hands all that are there to `each`, oldest first.
    ///
    /// # Errors
    /// If the ring buffer cannot be waited for.
    pub async fn drain(&mut self, each: impl FnMut(&[u8])) -> Result<()> {
        let mut guard = self.fd.readable_mut().await.context("cannot wait for the ring buffer")?;
        take_all(guard.get_inner_mut(), each);
        guard.clear_ready();
        Ok(())
    }

    /// Hands all records that are there to `each` without waiting.
    pub fn drain_now(&mut self, each: impl FnMut(&[u8])) {
        take_all(self.fd.get_mut(), each);
    }
}

fn take_all(ring: &mut RingBuf<Data>, mut each: impl FnMut(&[u8])) {
    while let Some(item) = ring.next() {
        each(&item);
    }
}
