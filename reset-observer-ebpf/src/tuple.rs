//! A connection as one end names it.

/// Places in a table that holds each connection in the one that its hash gives.
pub(crate) const PLACES: u32 = 65_536;

/// A connection as one end names it, without its own address: ports and the other end's address say enough.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Tuple {
    /// Remote address, an IPv4 one in the first four bytes.
    pub(crate) remote: [u8; 16],
    /// Local port.
    pub(crate) local_port: u16,
    /// Remote port.
    pub(crate) remote_port: u16,
}

impl Tuple {
    /// Where it is in a table of [`PLACES`].
    #[inline(always)]
    pub(crate) fn place(&self) -> u32 {
        let [a, b, c, d] = self.words();
        let ports = (self.local_port as u32) << 16 | self.remote_port as u32;
        // The multiplier is 2^32 divided by the golden ratio, which spreads neighbours (Knuth, volume 3, section 6.4).
        let mixed = (a ^ b.rotate_left(8) ^ c.rotate_left(16) ^ d.rotate_left(24) ^ ports).wrapping_mul(0x9e37_79b1);
        mixed >> 16
    }

    /// Whether both are the same.
    #[inline(always)]
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.words() == other.words() && self.local_port == other.local_port && self.remote_port == other.remote_port
    }

    #[inline(always)]
    fn words(&self) -> [u32; 4] {
        // SAFETY: an array of 16 bytes can be read as words of any alignment.
        unsafe { core::ptr::read_unaligned(self.remote.as_ptr().cast()) }
    }
}
