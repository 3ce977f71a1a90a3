//! Memory of this process.

/// Gives back to the kernel what was needed only for a time, such as the kernel's types while programs are loaded, some
/// 20 MiB, which glibc's allocator would keep. Takes milliseconds. Does nothing with other allocators.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    #[expect(unsafe_code, reason = "a call into the allocator")]
    // SAFETY: the call takes no pointer, and the allocator holds its own locks.
    unsafe {
        libc::malloc_trim(0);
    }
}
